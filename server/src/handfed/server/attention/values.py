"""What needs a person, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

Kind = Literal[
    "run-failed",
    "release-paused",
    "release-rolled-back",
    "device-away",
    "updates-rejected",
    "certificate-ends",
    "registry-ends",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True)
class Matter:
    """One thing that needs a person.

    Attributes:
        kind: What it is.
        subject: What it is about: `run/3`, `release/2`, `device/7`, `certificate/server`, `registry/root`. With the
            kind it tells one matter from another.
        since: Since when, or of an end: when it comes; in UTC.
        count: How many, where more than one thing is behind it.
        organisation: Number of the organisation that it concerns; None for the federation.
        about: Names that an operator gave, and the task, by what they are: `device`, `organisation`, `task`.
    """

    kind: Kind
    subject: str
    since: datetime
    count: int = 1
    organisation: int | None = None
    about: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Expiry:
    """Something that was signed and ends.

    Attributes:
        kind: What is said when it comes near.
        name: What ends: a certificate (`authority`, `server`) or a role of the registry (`root`, `timestamp`, ...).
        at: When it ends, in UTC.
        near: How long before that it needs a person.
    """

    kind: Literal["certificate-ends", "registry-ends"]
    name: str
    at: datetime
    near: timedelta
