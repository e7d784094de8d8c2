"""Certificates hold what TLS and people expect of them, and what is wrong with one is said."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from handfed.server.authority import certificates
from handfed.server.authority.certificates import (
    Credential,
    ExpiredCertificateError,
    ForeignCertificateError,
    KeyMismatchError,
    NotYetValidError,
    UnreadableCertificateError,
    WrongNamesError,
    check_authority,
    check_server,
    make_authority,
    make_server_certificate,
)
from handfed.shared.errors import SettingError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = ("server.example", "192.0.2.7", "2001:db8::7")
CA = make_authority("North", now=NOW)
SERVER = make_server_certificate(CA, NAMES, now=NOW)


def test_the_ca_signs_servers_and_no_other_ca() -> None:
    certificate = x509.load_pem_x509_certificate(CA.certificate)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert constraints.critical
    assert usage.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP384R1)
    certificate.verify_directly_issued_by(certificate)


def test_the_ca_holds_for_twenty_years_and_a_server_for_397_days() -> None:
    start, end = certificates.times_of(CA.certificate)
    assert end.year - start.year == 20
    start, end = certificates.times_of(SERVER.certificate)
    assert end - start == timedelta(days=397)
    assert NOW - start == timedelta(days=1)


def test_no_server_certificate_outlives_its_ca() -> None:
    late = NOW + timedelta(days=20 * 365 - 100)
    server = make_server_certificate(CA, NAMES, now=late)
    assert certificates.times_of(server.certificate)[1] <= certificates.times_of(CA.certificate)[1]


def test_the_fingerprint_is_sha_256_of_the_der() -> None:
    der = ssl.PEM_cert_to_DER_cert(CA.certificate.decode())
    assert certificates.fingerprint(CA.certificate) == hashlib.sha256(der).digest()


@pytest.mark.parametrize("name", [*NAMES, "SERVER.example"])
def test_strict_tls_takes_the_server_by_each_of_its_names(name: str, tmp_path: Path) -> None:
    assert _handshake(CA, make_server_certificate(CA, NAMES, now=datetime.now(UTC)), name, tmp_path)


def test_strict_tls_refuses_it_by_another_name_and_from_another_ca(tmp_path: Path) -> None:
    server = make_server_certificate(CA, NAMES, now=datetime.now(UTC))
    other = make_authority("North", now=NOW)
    for ca, name in ((CA, "other.example"), (other, "server.example")):
        with pytest.raises(ssl.SSLCertVerificationError):
            _handshake(ca, server, name, tmp_path)


@given(st.lists(st.sampled_from([*NAMES, "::1", "localhost", "SERVER.example"]), min_size=1))
def test_the_names_of_a_certificate_are_those_it_was_made_with(names: list[str]) -> None:
    server = make_server_certificate(CA, names, now=NOW)
    assert certificates.names_of(server.certificate) == tuple(sorted({name.lower() for name in names}))
    check_server(server, CA.certificate, names, now=NOW)


@pytest.mark.parametrize("names", [(), ("schüle.example",)])
def test_a_certificate_needs_names_that_can_stand_in_it(names: tuple[str, ...]) -> None:
    with pytest.raises(SettingError):
        make_server_certificate(CA, names, now=NOW)


def test_renewal_is_due_in_the_last_third_of_a_life() -> None:
    start, end = certificates.times_of(SERVER.certificate)
    third = start + (end - start) * 2 / 3
    assert not certificates.renewal_is_due(SERVER.certificate, now=third - timedelta(minutes=1))
    assert certificates.renewal_is_due(SERVER.certificate, now=third + timedelta(minutes=1))


def test_a_good_pair_passes() -> None:
    check_authority(CA, now=NOW)
    check_server(SERVER, CA.certificate, NAMES, now=NOW)


def test_an_expired_certificate_says_since_when() -> None:
    with pytest.raises(ExpiredCertificateError, match=r"server's certificate expired on 2027-12-22 12:00 UTC"):
        check_server(SERVER, CA.certificate, NAMES, now=NOW + timedelta(days=400))
    with pytest.raises(ExpiredCertificateError, match=r"CA's certificate expired"):
        check_authority(CA, now=NOW + timedelta(days=21 * 365))


def test_a_certificate_of_the_future_asks_for_the_clock() -> None:
    with pytest.raises(NotYetValidError, match="set the clock"):
        check_server(SERVER, CA.certificate, NAMES, now=NOW - timedelta(days=2))


def test_a_name_that_is_missing_is_named() -> None:
    with pytest.raises(WrongNamesError, match=r"lacks the name other\.example"):
        check_server(SERVER, CA.certificate, [*NAMES, "other.example"], now=NOW)


def test_a_certificate_of_another_ca_is_foreign_though_the_ca_has_the_same_name() -> None:
    other = make_authority("North", now=NOW)
    with pytest.raises(ForeignCertificateError):
        check_server(SERVER, other.certificate, NAMES, now=NOW)


def test_a_key_of_another_certificate_does_not_match() -> None:
    other = make_server_certificate(CA, NAMES, now=NOW)
    with pytest.raises(KeyMismatchError, match="server's private key"):
        check_server(replace(SERVER, key=other.key), CA.certificate, NAMES, now=NOW)
    with pytest.raises(KeyMismatchError, match="CA's private key"):
        check_authority(replace(CA, key=make_authority("North", now=NOW).key), now=NOW)


@pytest.mark.parametrize("content", [b"", b"nonsense", CA.key, b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_is_said_to_be_damaged(content: bytes) -> None:
    with pytest.raises(UnreadableCertificateError):
        certificates.fingerprint(content)
    with pytest.raises(UnreadableCertificateError):
        check_server(SERVER, content, NAMES, now=NOW)


@pytest.mark.parametrize("key", [b"", b"nonsense", CA.certificate])
def test_what_is_no_key_is_said_to_be_damaged(key: bytes) -> None:
    with pytest.raises(UnreadableCertificateError):
        check_server(replace(SERVER, key=key), CA.certificate, NAMES, now=NOW)


def test_a_server_is_no_ca() -> None:
    with pytest.raises(UnreadableCertificateError, match="of no CA"):
        check_authority(SERVER, now=NOW)


def test_a_ca_has_a_name_that_fits() -> None:
    for name in ("", "x" * 65):
        with pytest.raises(SettingError):
            make_authority(name, now=NOW)


def test_no_key_shows_in_the_repr() -> None:
    assert "PRIVATE" not in repr(CA)


def _handshake(ca: Credential, server: Credential, name: str, folder: Path) -> bool:
    """A TLS handshake in memory, as strict as Python 3.13 is by default."""
    (folder / "chain.pem").write_bytes(server.certificate + server.key)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(folder / "chain.pem")
    client_context = ssl.create_default_context(cadata=ca.certificate.decode())
    client_context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(back, there, server_hostname=name)
    listener = server_context.wrap_bio(there, back, server_side=True)
    for _ in range(2):
        for side in (client, listener):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.version() == "TLSv1.3"
