"""Private keys of the registry: Ed25519 (RFC 8032), one file each, and how they are written for elsewhere.

A private key is PKCS#8 in PEM (RFC 5958), encrypted by a passphrase where it leaves this machine; a public key is
SubjectPublicKeyInfo in PEM (RFC 8410). A key's id is a SHA-256 of its public half, as securesystemslib computes it, so
that the file of a key is enough to know which one it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, Key, SSlibKey

from handfed.shared.errors import CertificateError, SettingError, StorageError
from handfed.shared.files import make_private, sync_directory, write_atomically

SHOWN: Final = 12  # digits of an id that a person is shown, and may say
_FEWEST_DIGITS: Final = 6


class Keyring:
    """The private keys that are on this machine.

    Args:
        directory: Where they are; each in a file `<id>.pem` of mode 0600.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, keyid: str) -> Path:
        """The file of a key, whether or not it is here."""
        return self._directory / f"{keyid}.pem"

    def has(self, keyid: str) -> bool:
        """Whether a key is here."""
        return self.path(keyid).is_file()

    def signer(self, keyid: str) -> CryptoSigner:
        """What signs with a key that is here.

        Raises:
            StorageError: It cannot be read.
            CertificateError: It is damaged, or another key.
        """
        path = self.path(keyid)
        try:
            signer = decode(path.read_bytes(), None)
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}; run this as the server's user") from error
        if signer.public_key.keyid != keyid:
            raise CertificateError(f"{path} holds another key than its name says: restore it from a backup")
        return signer

    def add(self, signer: CryptoSigner) -> Key:
        """Keeps a key here; its public half.

        Raises:
            StorageError: The directory cannot be written.
        """
        make_private(self._directory)
        write_atomically(self.path(signer.public_key.keyid), encode(signer, None))
        return signer.public_key

    def remove(self, keyid: str) -> None:
        """Forgets a key that was here.

        Raises:
            StorageError: The directory cannot be written.
        """
        try:
            self.path(keyid).unlink(missing_ok=True)
            sync_directory(self._directory)
        except OSError as error:
            raise StorageError(f"cannot remove {self.path(keyid)}: {error.strerror}; remove it by hand") from error


def make() -> CryptoSigner:
    """A new key."""
    return CryptoSigner.generate_ed25519()


def encode(signer: CryptoSigner, passphrase: str | None) -> bytes:
    """A private key as a file.

    Args:
        signer: The key.
        passphrase: What opens the file; None for a file that needs none.
    """
    if passphrase is None:
        return signer.private_bytes
    key = load_pem_private_key(signer.private_bytes, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode()))


def is_encrypted(content: bytes) -> bool:
    """Whether a private key's file takes a passphrase."""
    return b"BEGIN ENCRYPTED PRIVATE KEY" in content


def is_private(content: bytes) -> bool:
    """Whether a file is that of a private key, as far as its first line tells."""
    return b"PRIVATE KEY-----" in content[:100]


def decode(content: bytes, passphrase: str | None) -> CryptoSigner:
    """Reads a private key.

    Raises:
        CertificateError: It is none, of another kind, or the passphrase is wrong.
    """
    try:
        key = load_pem_private_key(content, None if passphrase is None else passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        wrong = "the passphrase is wrong" if is_encrypted(content) else "this is no private key in PEM"
        raise CertificateError(f"the key cannot be read: {wrong}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CertificateError("this is a key of another kind: the registry's are Ed25519 (handfed keys make)")
    return CryptoSigner(key)


def encode_public(key: Key) -> bytes:
    """A public key as a file."""
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"]))
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def decode_public(content: bytes) -> Key:
    """Reads a public key.

    Raises:
        CertificateError: It is none, or of another kind.
    """
    if is_private(content):
        raise CertificateError("this is a private key: give the public one, which handfed keys make left beside it")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError("this is no public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise CertificateError("this is a key of another kind: the registry's are Ed25519 (handfed keys make)")
    return SSlibKey.from_crypto(key)


def chosen(said: str, among: tuple[str, ...]) -> str:
    """The key that a person means, who says its id or the beginning of that.

    Raises:
        SettingError: It is none of them, or may be several.
    """
    found = [keyid for keyid in among if keyid.startswith(said)] if len(said) >= _FEWEST_DIGITS else []
    if len(found) != 1:
        shown = ", ".join(keyid[:SHOWN] for keyid in among) or "none"
        raise SettingError(f"{said} is no key here: name one of {shown}; handfed keys list tells more")
    return found[0]
