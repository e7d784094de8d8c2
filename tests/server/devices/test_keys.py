"""Public keys of devices."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from handfed.server.devices.keys import PublicKey
from handfed.shared.errors import SettingError


def _pem(key: Any) -> str:
    return str(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


@pytest.fixture(scope="module")
def private() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def test_a_key_has_one_form_however_it_is_written(private: ec.EllipticCurvePrivateKey) -> None:
    public = private.public_key()
    pem = _pem(public)
    ssh = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    written = [pem, f"\n{pem}\n\n", pem.replace("\n", "\r\n"), ssh, f"{ssh} device@school"]
    assert {PublicKey.parse(text) for text in written} == {PublicKey.parse(pem)}
    assert PublicKey.parse(pem).pem == pem


def test_the_one_form_is_what_flower_compares(private: ec.EllipticCurvePrivateKey) -> None:
    """SuperNodes send PEM as `cryptography` writes it, and SuperLink looks for those bytes."""
    pem = PublicKey.parse(_pem(private.public_key())).pem
    again = load_pem_public_key(pem.encode()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert again == pem.encode()


@pytest.mark.parametrize(
    "key",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: ec.generate_private_key(ec.BrainpoolP384R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
    ],
)
def test_a_key_of_another_kind_is_refused(key: Any) -> None:
    with pytest.raises(SettingError, match="P-384"):
        PublicKey.parse(_pem(key().public_key()))


def test_what_is_no_key_is_refused(private: ec.EllipticCurvePrivateKey) -> None:
    pem = _pem(private.public_key())
    for text in ("", "x", "é", pem[:100], pem.replace("A", "B"), "ecdsa-sha2-nistp384 AAAA", pem + "x" * 2000):
        with pytest.raises(SettingError):
            PublicKey.parse(text)


def test_a_signature_is_of_one_message_and_one_key(private: ec.EllipticCurvePrivateKey) -> None:
    key = PublicKey.parse(_pem(private.public_key()))
    signature = private.sign(b"message", ec.ECDSA(hashes.SHA384()))
    other = PublicKey.parse(_pem(ec.generate_private_key(ec.SECP384R1()).public_key()))
    assert key.has_signed(b"message", signature)
    assert not key.has_signed(b"another", signature)
    assert not other.has_signed(b"message", signature)
    assert not key.has_signed(b"message", private.sign(b"message", ec.ECDSA(hashes.SHA256())))
    assert not key.has_signed(b"message", b"")
