"""What goes on, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from handfed.server.learning.waiting import WaitingInAll


@dataclass(frozen=True)
class DeviceCounts:
    """How many devices there are.

    Attributes:
        enrolled: That take part.
        online: Of these, heard of within a minute.
        away: Not heard of for a week.
        revoked: That no longer take part.
    """

    enrolled: int
    online: int
    away: int
    revoked: int


@dataclass(frozen=True)
class RunInBrief:
    """A run.

    Attributes:
        id: Its number.
        status: How it stands.
        task: What is recognised.
        rounds: How many are on record.
        planned: How many there will be at most.
        accuracy: Of the last round that was evaluated.
        started_at: When it started, in UTC.
        ended_at: When it ended, in UTC.
    """

    id: int
    status: str
    task: str
    rounds: int
    planned: int | None
    accuracy: float | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class LatestRelease:
    """The newest release.

    Attributes:
        number: Its number.
        task: What it recognises.
        phase: How far it has come; None where it has not begun.
        accuracy_int8: Held-out accuracy.
        size_bytes: Of the model file.
        created_at: When it was published, in UTC.
    """

    number: int
    task: str
    phase: str | None
    accuracy_int8: float | None
    size_bytes: int
    created_at: datetime


@dataclass(frozen=True)
class Attention:
    """What needs a person.

    Attributes:
        kind: `devices-away` for all devices together, or a kind of `handfed.server.attention.values` but `device-away`.
        count: How many.
        subject: What it is about: `run/3`, `release/2`, `devices`, `certificate/server`, `registry/root`.
    """

    kind: str
    count: int
    subject: str


@dataclass(frozen=True)
class Overview:
    """What goes on.

    Attributes:
        at: The server's time, in UTC.
        devices: Who is there.
        run: The run that goes on, or else the newest.
        queued: Runs that wait.
        waiting: Handwriting that no run has had.
        release: The newest release.
        attention: What needs a person.
    """

    at: datetime
    devices: DeviceCounts
    run: RunInBrief | None
    queued: int
    waiting: WaitingInAll
    release: LatestRelease | None
    attention: tuple[Attention, ...]
