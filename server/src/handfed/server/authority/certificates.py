"""Certificates of a federation: made, read and checked, as pure functions over PEM.

    CertificateError
    ├── UnreadableCertificateError      it is no PEM of a certificate or key of the kind we make
    ├── ExpiredCertificateError         its time is over
    ├── NotYetValidError                its time has not come, or the clock is wrong
    ├── WrongNamesError                 it is for other names than the server has
    ├── ForeignCertificateError         another CA signed it
    └── KeyMismatchError                the private key beside it belongs to another certificate

Rules:
1. The CA is what devices trust for good: P-384 with SHA-384, twenty years, and it signs server certificates and nothing
   else (no CA below it). Devices know it by the SHA-256 of its DER.
2. The server's key is P-256: it signs a handshake in a fortieth of the time that P-384 takes (OpenSSL: 48,000 against
   1,000 a second), devices make one at every poll, and the key is replaced within its year.
3. A server certificate holds for 397 days, the most that browsers took of any CA for years. A shorter time would buy
   little here: there is no revocation list to shorten, whoever takes the server's key from its disk takes the CA's key
   that lies beside it, and Flower's SuperLink reads its certificate only when it starts. A longer one would
   let a server run into years in which nobody has seen a renewal work. It is renewed in its last third, four months,
   so that one which is switched off over a long holiday comes back with a certificate that holds.
4. Times begin a day early, so that a device whose clock is late by hours is told so by us, and not by its TLS.
5. Names are those of subjectAltName only; a common name names nothing.

Source: RFC 5280 (profile, which Python's VERIFY_X509_STRICT insists on from 3.13), RFC 9525 (names).
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from handfed.shared.errors import CertificateError, SettingError

AUTHORITY_LIFE: Final = timedelta(days=20 * 365 + 5)
SERVER_LIFE: Final = timedelta(days=397)
RENEWED_BELOW: Final = 1 / 3  # of its life
_EARLY: Final = timedelta(days=1)
_LONGEST_COMMON_NAME: Final = 64


class UnreadableCertificateError(CertificateError):
    """The bytes are no PEM of a certificate or key of the kind we make."""


class ExpiredCertificateError(CertificateError):
    """The time of a certificate is over; that of a CA, which nothing mends, so nobody need start the server again."""

    exit_status = 2


class NotYetValidError(CertificateError):
    """The time of a certificate has not come, or the clock is wrong."""


class WrongNamesError(CertificateError):
    """A certificate is for other names than the server has."""


class ForeignCertificateError(CertificateError):
    """A certificate was not signed by this CA."""


class KeyMismatchError(CertificateError):
    """A private key belongs to another certificate."""


@dataclass(frozen=True)
class Credential:
    """A certificate and its private key.

    Attributes:
        certificate: PEM.
        key: PKCS#8 PEM, not encrypted.
    """

    certificate: bytes
    key: bytes = field(repr=False)


def make_authority(name: str, *, now: datetime) -> Credential:
    """Makes the CA of a federation.

    Args:
        name: What people see it called, up to 64 characters.
        now: The time, aware.

    Raises:
        SettingError: The name is empty or too long.
    """
    if not 0 < len(name) <= _LONGEST_COMMON_NAME:
        raise SettingError(f"a CA has a name of 1 to {_LONGEST_COMMON_NAME} characters, not {len(name)}")
    key = ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _begun(subject, subject, key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA384())
    )
    return _credential(certificate, key)


def make_server_certificate(authority: Credential, names: Iterable[str], *, now: datetime) -> Credential:
    """Makes a key and a certificate for a server, signed by the CA.

    Args:
        authority: The CA.
        names: Host names and IP addresses by which devices reach it; at least one.
        now: The time, aware.

    Raises:
        SettingError: There is no name, or one is not ASCII.
        CertificateError: The CA cannot be used.
    """
    check_authority(authority, now=now)
    issuer, issuer_key = _read(authority.certificate), _read_key(authority.key)
    alternatives = _alternatives(names)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Handfed server")])
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    life = min(SERVER_LIFE, issuer.not_valid_after_utc - (now - _EARLY))
    certificate = (
        _begun(subject, issuer.subject, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(issuer_key, hashes.SHA384())
    )
    return _credential(certificate, key)


def fingerprint(certificate: bytes) -> bytes:
    """SHA-256 of a certificate's DER, 32 bytes.

    Raises:
        UnreadableCertificateError: It is no PEM of a certificate.
    """
    return hashlib.sha256(_read(certificate).public_bytes(serialization.Encoding.DER)).digest()


def names_of(certificate: bytes) -> tuple[str, ...]:
    """The host names and IP addresses of a certificate, sorted.

    Raises:
        UnreadableCertificateError: It is no PEM of a certificate.
    """
    try:
        extension = _read(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    hosts = extension.value.get_values_for_type(x509.DNSName)
    return tuple(sorted({*hosts, *map(str, extension.value.get_values_for_type(x509.IPAddress))}))


def times_of(certificate: bytes) -> tuple[datetime, datetime]:
    """From when and until when a certificate holds, aware, in UTC.

    Raises:
        UnreadableCertificateError: It is no PEM of a certificate.
    """
    parsed = _read(certificate)
    return parsed.not_valid_before_utc, parsed.not_valid_after_utc


def renewal_is_due(certificate: bytes, *, now: datetime) -> bool:
    """Whether less than a third of a certificate's life is left.

    Raises:
        UnreadableCertificateError: It is no PEM of a certificate.
    """
    start, end = times_of(certificate)
    return (end - now) < (end - start) * RENEWED_BELOW


def check_authority(authority: Credential, *, now: datetime) -> None:
    """Checks that the CA can sign.

    Raises:
        UnreadableCertificateError: A part of it is no PEM, or the certificate is of no CA.
        KeyMismatchError: The key is another certificate's.
        ExpiredCertificateError: Its time is over.
        NotYetValidError: Its time has not come.
    """
    certificate = _read(authority.certificate)
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        constraints = x509.BasicConstraints(ca=False, path_length=None)
    if not constraints.ca:
        raise UnreadableCertificateError("the CA's certificate is of no CA: restore ca.pem from a backup")
    _check_pair(certificate, authority.key, "CA")
    _check_time(certificate, now, "CA")


def check_server(server: Credential, authority: bytes, names: Iterable[str], *, now: datetime) -> None:
    """Checks that devices can trust the server.

    Args:
        server: Its certificate and key.
        authority: The CA's certificate, PEM.
        names: Host names and IP addresses that it must have.
        now: The time, aware.

    Raises:
        UnreadableCertificateError: A part of it is no PEM of what it should be.
        KeyMismatchError: The key is another certificate's.
        ForeignCertificateError: Another CA signed it.
        ExpiredCertificateError: Its time is over.
        NotYetValidError: Its time has not come.
        WrongNamesError: It lacks a name.
    """
    certificate = _read(server.certificate)
    _check_pair(certificate, server.key, "server")
    try:
        certificate.verify_directly_issued_by(_read(authority))
    except (InvalidSignature, ValueError, TypeError):
        raise ForeignCertificateError(
            "the server's certificate was not signed by this federation's CA, so no device would trust it: "
            "move server.pem and server.key away and start the server, which makes new ones"
        ) from None
    _check_time(certificate, now, "server")
    missing = sorted(_canonical(names) - set(names_of(server.certificate)))
    if missing:
        raise WrongNamesError(
            f"the server's certificate lacks the name {', '.join(missing)}, so devices that reach it by that name "
            "would refuse it: start the server with that name, and it renews its certificate"
        )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    start = now.astimezone(UTC).replace(microsecond=0) - _EARLY
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """A CA signs certificates and lists of revoked ones; a server signs handshakes."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(names: Iterable[str]) -> list[x509.GeneralName]:
    canonical = sorted(_canonical(names))
    if not canonical:
        raise SettingError("a server's certificate needs at least one name by which devices reach it")
    try:
        return [x509.IPAddress(ip) if (ip := _ip(name)) else x509.DNSName(name) for name in canonical]
    except ValueError as error:
        raise SettingError(f"a server's name is in ASCII, and one of these is not: {', '.join(canonical)}") from error


def _canonical(names: Iterable[str]) -> set[str]:
    """Names as a certificate gives them back."""
    return {str(_ip(name) or name.lower()) for name in names}


def _ip(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _credential(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Credential:
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Credential(certificate.public_bytes(pem), secret)


def _read(certificate: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate)
    except ValueError:
        raise UnreadableCertificateError("a certificate is damaged: it is no PEM; restore it from a backup") from None


def _read_key(key: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        parsed = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError):  # TypeError: it is encrypted
        parsed = None
    if not isinstance(parsed, ec.EllipticCurvePrivateKey):
        raise UnreadableCertificateError(
            "a private key is damaged: it is no PEM of an elliptic curve's key without a password; restore it"
        )
    return parsed


def _check_pair(certificate: x509.Certificate, key: bytes, whose: str) -> None:
    if _read_key(key).public_key() != certificate.public_key():
        raise KeyMismatchError(
            f"the {whose}'s private key does not belong to its certificate: restore both from the same backup"
        )


def _check_time(certificate: x509.Certificate, now: datetime, whose: str) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise ExpiredCertificateError(
            f"the {whose}'s certificate expired on {end:%Y-%m-%d %H:%M} UTC, and this machine's clock says "
            f"{now.astimezone(UTC):%Y-%m-%d %H:%M}: "
            + ("start the server, which renews it" if whose == "server" else "devices have to join a new federation")
        )
    if now < start:
        raise NotYetValidError(
            f"the {whose}'s certificate holds from {start:%Y-%m-%d %H:%M} UTC, and this machine's clock says "
            f"{now.astimezone(UTC):%Y-%m-%d %H:%M}: set the clock"
        )
