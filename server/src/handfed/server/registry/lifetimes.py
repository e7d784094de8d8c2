"""How long what each role signs is valid.

What expires soonest is what has to be signed anew most often, and so has its key on the server. A timestamp of two days
means that a device which somebody keeps from the server, or shows an old state of it, knows so within two days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Lifetimes:
    """Days from a signature to its expiry, by role; what is renewed by itself is so at half of them.

    Attributes:
        root_days: Of who may sign what.
        targets_days: Of the list of releases.
        channels_days: Of who is to use which.
        snapshot_days: Of which versions of these belong together.
        timestamp_days: Of which of those states is the newest.
    """

    root_days: int = 365
    targets_days: int = 365
    channels_days: int = 90
    snapshot_days: int = 14
    timestamp_days: int = 2

    def __post_init__(self) -> None:
        """Refuses what is no span of time.

        Raises:
            ValueError: Less than a day, or more than ten years.
        """
        for name, days in vars(self).items():
            if not 1 <= days <= 3650:  # noqa: PLR2004 - as the message says
                raise ValueError(f"{name} is from 1 to 3650, not {days}")

    def of(self, role: str) -> timedelta:
        """How long what a role signs is valid."""
        return timedelta(days=getattr(self, f"{role}_days"))


DEFAULT = Lifetimes()
