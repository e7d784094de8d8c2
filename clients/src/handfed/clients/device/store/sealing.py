"""What a store's secrets do: seal columns, and make hashes that only this store can make.

Sealing is AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits, so one key is good for 2^32 seals. A sealed
value is the nonce and then the ciphertext with its tag of 128 bits. Bound to it, as associated data, are table, column
and row: a value that was moved to another place does not open.

Hashes are HMAC-SHA-256 (RFC 2104), whether or not the store is encrypted. Each purpose has hashes of its own.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self

from handfed.shared.errors import DamagedStoreError, MissingExtraError

if TYPE_CHECKING:  # the library may be absent where no store is encrypted
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


def seal(key: bytes, content: bytes, bound_to: bytes) -> bytes:
    """Encrypts and authenticates.

    Args:
        key: 32 bytes.
        content: What is sealed.
        bound_to: Where it belongs; it must be the same to open it.

    Raises:
        MissingExtraError: The library `cryptography` is not installed.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _aes(key).encrypt(nonce, content, bound_to)


def unseal(key: bytes, sealed: bytes, bound_to: bytes) -> bytes | None:
    """What was sealed; None where the key is another, or the value is damaged or belongs elsewhere.

    Raises:
        MissingExtraError: The library `cryptography` is not installed.
    """
    cipher = _aes(key)
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError):  # ValueError: too short for a nonce
        return None


@dataclass(frozen=True)
class Secrets:
    """The secrets of one store.

    Attributes:
        hashing: 32 bytes; for as long as there is the store.
        sealing: 32 bytes; None where the store is not encrypted.
    """

    hashing: bytes = field(repr=False)
    sealing: bytes | None = field(default=None, repr=False)

    @classmethod
    def new(cls) -> Self:
        """Those of a new store, which is not encrypted."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def encrypting(self) -> Self:
        """The same with a new key that seals."""
        return type(self)(self.hashing, secrets.token_bytes(KEY_BYTES))

    def hash(self, purpose: str, *parts: bytes) -> bytes:
        """The keyed hash of some parts: 32 bytes.

        Args:
            purpose: What it is for.
            parts: Whatever is hashed; where one ends and the next begins counts.
        """
        lengths = b"".join(len(part).to_bytes(8, "big") for part in parts)
        return hmac.digest(self.hashing, b"".join((purpose.encode(), b"\0", lengths, *parts)), "sha256")

    def seal(self, table: str, column: str, row: int, content: bytes) -> bytes:
        """What goes into a sealed column; `content` itself where the store is not encrypted."""
        return content if self.sealing is None else seal(self.sealing, content, _place(table, column, row))

    def unseal(self, table: str, column: str, row: int, value: bytes) -> bytes:
        """What is in a sealed column.

        Raises:
            DamagedStoreError: The value is damaged, or was moved here from elsewhere.
        """
        if self.sealing is None:
            return value
        content = unseal(self.sealing, value, _place(table, column, row))
        if content is None:
            raise DamagedStoreError(
                f"the store is damaged: {column} of row {row} of {table} does not open with the store's key;"
                " put a backup in its place"
            )
        return content


def _place(table: str, column: str, row: int) -> bytes:
    return f"{table}.{column}.{row}".encode()


@lru_cache(maxsize=2)  # a store's column is sealed value by value
def _aes(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise MissingExtraError("cryptography", "handfed-clients[device]") from None
    return AESGCM(key)
