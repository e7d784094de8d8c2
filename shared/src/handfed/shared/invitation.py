"""The code that invites one device; this is its smallest form, which a fuller one replaces."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Self

from handfed.shared.errors import UsageError

_BYTES = 32  # of a fingerprint, and of a secret


@dataclass(frozen=True)
class Invitation:
    """What a device needs to find its federation, to know it, and to be let in once.

    Attributes:
        address: Host and port of the server.
        fingerprint: SHA-256 of the DER of the federation's CA certificate, 32 bytes.
        secret: 32 random bytes that the server takes once.
    """

    address: str
    fingerprint: bytes
    secret: bytes = field(repr=False)

    def encode(self) -> str:
        """The code, in ASCII on one line."""
        content = self.fingerprint + self.secret + self.address.encode("ascii")
        return "handfed-1-" + base64.b32encode(content).decode("ascii").rstrip("=").lower()

    @classmethod
    def decode(cls, code: str) -> Self:
        """Reads a code.

        Raises:
            UsageError: It is none.
        """
        text = code.removeprefix("handfed-1-").upper()
        try:
            content = base64.b32decode(text + "=" * (-len(text) % 8))
            return cls(content[2 * _BYTES :].decode("ascii"), content[:_BYTES], content[_BYTES : 2 * _BYTES])
        except ValueError as error:
            raise UsageError("this is no invitation") from error
