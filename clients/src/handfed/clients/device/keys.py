"""The device's key: P-384, made here, and never sent anywhere.

Source: RFC 5958 (PKCS#8), RFC 5480 (public keys), FIPS 186-5 (ECDSA); `handfed.shared.enrolment` says what is signed.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from handfed.shared.errors import CertificateError


def make_key() -> bytes:
    """A new private key: PKCS#8 PEM, not encrypted."""
    return ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_key_of(key: bytes) -> str:
    """The public key of a private one: SubjectPublicKeyInfo PEM.

    Raises:
        CertificateError: The key is damaged.
    """
    pem = (
        private_key(key)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return pem.decode("ascii")


def sign(key: bytes, statement: bytes) -> str:
    """A signature over a statement: ECDSA with SHA-384, DER, base64.

    Raises:
        CertificateError: The key is damaged.
    """
    return base64.b64encode(private_key(key).sign(statement, ec.ECDSA(hashes.SHA384()))).decode("ascii")


def key_fingerprint(key: bytes) -> str:
    """SHA-256 of the DER of the public key, hex: what people compare.

    Raises:
        CertificateError: The key is damaged.
    """
    der = (
        private_key(key)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return hashlib.sha256(der).hexdigest()


def private_key(key: bytes) -> ec.EllipticCurvePrivateKey:
    """Reads a private key, PEM.

    Raises:
        CertificateError: The key is damaged.
    """
    try:
        parsed = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError):  # TypeError: it is encrypted
        parsed = None
    if not isinstance(parsed, ec.EllipticCurvePrivateKey) or not isinstance(parsed.curve, ec.SECP384R1):
        raise CertificateError(
            "the device's key is damaged: restore device.key, or ask for an invitation and join anew"
        )
    return parsed
