"""Secrets that let somebody in: tokens and invitations.

Rules:
1. A secret has 256 random bits and is shown once. At rest there is its SHA-256 only: a slow hash makes guessing a
   password slow, and nobody guesses 256 random bits.
2. Hashes are compared in constant time, also after an index has found one.
3. A token is written `hf_` and base32 (RFC 4648, lower case, no padding), so that it can be told when it leaks into
   a text, and marked with a double click.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from handfed.shared.errors import SettingError

RandomBytes = Callable[[int], bytes]
SECRET_BYTES: Final = 32
LONGEST_LIFE: Final = timedelta(days=3650)
TOKEN_PREFIX: Final = "hf_"  # noqa: S105 - what secrets begin with
_TOKEN: Final = re.compile(rf"{TOKEN_PREFIX}[a-z2-7]{{52}}")


def expiry(made_at: datetime, lives: timedelta) -> datetime:
    """When a secret expires.

    Raises:
        SettingError: It would live for less than a second, or for more than ten years.
    """
    if not timedelta(seconds=1) <= lives <= LONGEST_LIFE:
        raise SettingError(f"a secret lives for a second to {LONGEST_LIFE.days} days, not for {lives}")
    return made_at + lives


def digest(secret: bytes) -> str:
    """What is kept of a secret: its SHA-256 in lower-case hex."""
    return hashlib.sha256(secret).hexdigest()


def is_same(known: str, told: str) -> bool:
    """Whether two digests are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(known.encode(), told.encode())


def token_text(secret: bytes) -> str:
    """A secret of 32 bytes as the text of a token."""
    return TOKEN_PREFIX + base64.b32encode(secret).decode("ascii").rstrip("=").lower()


def token_secret(text: str) -> bytes | None:
    """The secret of a token's text; None where the text is no token."""
    if _TOKEN.fullmatch(text) is None:
        return None
    try:
        secret = base64.b32decode(text.removeprefix(TOKEN_PREFIX).upper() + "====")
    except binascii.Error:
        return None
    return secret if token_text(secret) == text else None
