"""When an alert begins, when it is over, and when a message is sent again: pure functions.

Rules:
1. An alert begins when its matter is seen, and is over when that was not seen for `SETTLED`. A device that comes and
   goes within that time is one alert, however often it does.
2. What was not taken is sent again after a minute, and each time after twice as long, up to an hour. Without failures,
   too, a channel gets one message a minute at most, which tells of everything since.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

SETTLED: Final = timedelta(minutes=10)
SPACING: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)

Key = tuple[str, str]  # kind and subject of a matter


@dataclass(frozen=True)
class Changes:
    """What becomes of alerts.

    Attributes:
        begun: Matters that have no alert yet.
        back: Alerts whose matter is there again.
        gone: Alerts whose matter is not there for the first time.
        over: Alerts whose matter stays away.
    """

    begun: frozenset[Key]
    back: frozenset[Key]
    gone: frozenset[Key]
    over: frozenset[Key]

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.begun or self.back or self.gone or self.over)


def changes(absent_since: Mapping[Key, datetime | None], present: Collection[Key], at: datetime) -> Changes:
    """What becomes of open alerts.

    Args:
        absent_since: By open alert, since when its matter is not there; None where it is.
        present: The matters that are there.
        at: The time.
    """
    seen = frozenset(present)
    away = {key: since for key, since in absent_since.items() if key not in seen}
    return Changes(
        begun=seen - absent_since.keys(),
        back=frozenset(key for key in seen & absent_since.keys() if absent_since[key] is not None),
        gone=frozenset(key for key, since in away.items() if since is None),
        over=frozenset(key for key, since in away.items() if since is not None and at - since >= SETTLED),
    )


def is_due(tried_at: datetime | None, failures: int, at: datetime) -> bool:
    """Whether a channel may be tried.

    Args:
        tried_at: When it was tried last; None for never.
        failures: Attempts in a row that failed since something was taken.
        at: The time; where a clock was set back behind `tried_at`, the channel may be tried.
    """
    pause = min(SPACING * 2 ** min(max(failures - 1, 0), 16), LONGEST_PAUSE)
    return tried_at is None or not timedelta() <= at - tried_at < pause
