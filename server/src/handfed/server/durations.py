"""Spans of time as people write them: 90m, 24h, 7d."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from handfed.shared.errors import SettingError

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WRITTEN: Final = re.compile(r"(\d{1,6})([smhdw])")


def duration(text: str) -> timedelta:
    """Reads a whole number and its unit: s, m, h, d or w.

    Raises:
        SettingError: It is written in another way.
    """
    found = _WRITTEN.fullmatch(text.strip().lower())
    if found is None:
        raise SettingError(f"{text!r} is no span of time: write it as 90m, 24h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
