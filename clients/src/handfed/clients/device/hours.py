"""The hours in which a device takes part: `22:00-06:00`, by its own clock and in its own time zone.

They go past midnight where they end before they begin. The first minute counts, the last does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from typing import Final, Self

from handfed.shared.errors import SettingError

_FORM: Final = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True)
class Hours:
    """A part of the day.

    Attributes:
        begin: From when on.
        end: Until when; before `begin`, it is the next day's.
    """

    begin: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `22:00-06:00`.

        Raises:
            SettingError: It is not of that form, or no time at all.
        """
        written = _FORM.fullmatch(text.replace(" ", ""))
        try:
            hours = cls(*map(time.fromisoformat, written.groups())) if written else None
        except ValueError:
            hours = None
        if hours is None or hours.begin == hours.end:
            raise SettingError(f"hours are written like 22:00-06:00, not {text!r}")
        return hours

    def includes(self, moment: time) -> bool:
        """Whether a device takes part at that time of the day."""
        if self.begin < self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"
