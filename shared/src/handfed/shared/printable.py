"""Text that is safe to show: a file's name or a device's words may hold what a terminal obeys."""

from __future__ import annotations

import re

# Control characters but tab and newline, and lone surrogates, which no encoding holds.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """Replaces each character that a terminal obeys or no encoding holds by U+FFFD."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
