"""The code that invites one device: what `handfed invite` prints and `handfed join` takes.

A code is `handfed-1-`, then base32 (RFC 4648, lower case, no padding) in groups of five, of these bytes:

    32      SHA-256 of the DER of the federation's CA certificate
    32      the secret that the server takes once
    1..255  the server's address in ASCII, in the one form of `handfed.shared.address`
    4       CRC-32 (zlib's) of `handfed-1-` and all bytes before, big-endian

Rules:
1. The case of letters, blanks, line breaks, invisible characters and dashes of any kind do not count: mail programs
   and people change them. Everything else does.
2. A mistyped code is told apart from a wrong one: the checksum finds every change of one character, and of all other
   changes all but one in four thousand million. What it finds is never sent anywhere.
3. Who has the code can join in place of its device, until it is used or expires. It is shown to one person, and is in
   no log: the `repr` of an invitation hides the secret.
4. A later version changes the digit; it is then refused with the advice to update.
"""

from __future__ import annotations

import base64
import binascii
import unicodedata
import zlib
from dataclasses import dataclass, field
from typing import Final, Self

from handfed.shared.address import Address
from handfed.shared.errors import InvitationError, SettingError

VERSION: Final = "1"
SECRET_BYTES: Final = 32
FINGERPRINT_BYTES: Final = 32
_NAME: Final = "handfed"
_PREFIX: Final = f"{_NAME}-{VERSION}-"
_CHECKSUM_BYTES: Final = 4
_LONGEST_ADDRESS: Final = 255
_GROUP: Final = 5  # characters between hyphens
_BLOCK: Final = 8  # characters that base32 makes of five bytes
_IGNORED: Final = frozenset("CZ") | {"Pd"}  # Unicode categories: control and format, separators, dashes
_AGAIN: Final = "copy the whole code once more, as handfed invite printed it"


@dataclass(frozen=True)
class Invitation:
    """What a device needs to find its federation, to know it, and to be let in once.

    Attributes:
        address: Host and port of the server; kept in its one form.
        fingerprint: SHA-256 of the DER of the federation's CA certificate, 32 bytes.
        secret: 32 random bytes that the server takes once.

    Raises:
        SettingError: The address is none, or the bytes are not as many.
    """

    address: str
    fingerprint: bytes
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        address = str(Address.parse(self.address))
        if len(self.fingerprint) != FINGERPRINT_BYTES or len(self.secret) != SECRET_BYTES:
            raise SettingError(
                f"an invitation has a fingerprint of {FINGERPRINT_BYTES} bytes and a secret of {SECRET_BYTES}, "
                f"not {len(self.fingerprint)} and {len(self.secret)}"
            )
        object.__setattr__(self, "address", address)

    def encode(self) -> str:
        """The code, in ASCII on one line."""
        content = self.fingerprint + self.secret + self.address.encode("ascii")
        text = base64.b32encode(content + _checksum(content)).decode("ascii").rstrip("=").lower()
        return _PREFIX + "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))

    @classmethod
    def decode(cls, code: str) -> Self:
        """Reads a code, however it was wrapped, spaced or capitalised.

        Raises:
            InvitationError: It is no code, of another version, incomplete or mistyped.
        """
        text = _bare(code)
        if not text.startswith(_NAME) or len(text) == len(_NAME):
            raise InvitationError(f"this is no invitation: a code begins with {_PREFIX}; {_AGAIN}")
        version, data = text[len(_NAME)], text[len(_NAME) + 1 :]
        if version != VERSION:
            raise InvitationError(
                f"this invitation is of version {version!r}, and this software knows version {VERSION}: "
                f"{_AGAIN}, or update handfed"
            )
        content = _checked(data)
        fingerprint, rest = content[:FINGERPRINT_BYTES], content[FINGERPRINT_BYTES:]
        try:
            address = rest[SECRET_BYTES:].decode("ascii")
            return cls(address, fingerprint, rest[:SECRET_BYTES])
        except (UnicodeDecodeError, SettingError) as error:
            raise InvitationError("this invitation names no server: ask for a new one") from error


def _bare(code: str) -> str:
    """The characters that count, in lower case."""
    categories = ((character, unicodedata.category(character)) for character in code)
    kept = "".join(c for c, category in categories if category not in _IGNORED and category[0] not in _IGNORED)
    return kept.lower() if kept.isascii() else kept


def _checked(data: str) -> bytes:
    """The bytes that base32 holds, without their checksum.

    Raises:
        InvitationError: It is no base32, has lost characters, or the checksum is another.
    """
    wrong = InvitationError(f"this invitation was not copied rightly, or a part of it is missing: {_AGAIN}")
    try:
        whole = base64.b32decode(data.upper() + "=" * (-len(data) % _BLOCK))
    except (binascii.Error, ValueError):
        raise wrong from None
    content, checksum = whole[:-_CHECKSUM_BYTES], whole[-_CHECKSUM_BYTES:]
    length = len(content) - FINGERPRINT_BYTES - SECRET_BYTES
    # Bits that pad the last character are zero in a code, and b32decode lets others pass.
    is_canonical = base64.b32encode(whole).decode("ascii").rstrip("=") == data.upper()
    if not (is_canonical and 0 < length <= _LONGEST_ADDRESS and checksum == _checksum(content)):
        raise wrong
    return content


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(_PREFIX.encode("ascii") + content).to_bytes(_CHECKSUM_BYTES, "big")
