"""Public keys of devices: P-384 (FIPS 186-5), in the one form that Flower's SuperLink compares byte by byte.

That form is PEM of SubjectPublicKeyInfo (RFC 5280, RFC 7468) as the library `cryptography` writes it. An OpenSSH public
key is taken too, as people have those in files.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

from handfed.shared.errors import SettingError

MAX_CHARACTERS: Final = 1000  # of a key as it is sent; one of P-384 takes 215 in PEM
_WANTED: Final = "send a P-384 public key as PEM (BEGIN PUBLIC KEY) or in OpenSSH's form (ecdsa-sha2-nistp384)"


@dataclass(frozen=True)
class PublicKey:
    """A device's public key.

    Attributes:
        pem: PEM of its SubjectPublicKeyInfo.
        fingerprint: SHA-256 of its SubjectPublicKeyInfo in DER, 64 lower-case hex digits.
    """

    pem: str
    fingerprint: str

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Reads a key in PEM or in OpenSSH's form.

        Raises:
            SettingError: It is none, or not of P-384.
        """
        key = _loaded(text.strip())
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return cls(pem.decode("ascii"), hashlib.sha256(der).hexdigest())

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this is the key's signature of a message: ECDSA over SHA-384, DER."""
        try:
            _loaded(self.pem).verify(signature, message, ec.ECDSA(hashes.SHA384()))
        except InvalidSignature:
            return False
        return True


def _loaded(text: str) -> ec.EllipticCurvePublicKey:
    try:
        data = text.encode("ascii") if len(text) <= MAX_CHARACTERS else b""
        key = load_ssh_public_key(data) if text.startswith("ecdsa-") else load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:  # UnicodeEncodeError is a ValueError
        raise SettingError(f"the public key cannot be read: {_WANTED}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise SettingError(f"the public key is of another kind: {_WANTED}")
    return key
