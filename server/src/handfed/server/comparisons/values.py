"""A comparison of two releases, and what came of it, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from handfed.server.comparisons.statistics import Interval, Rate


@dataclass(frozen=True)
class Comparison:
    """Two releases on two groups of devices.

    Attributes:
        number: Its number.
        task: What they recognise.
        release_a: What devices use that are in the first group.
        release_b: And in the second.
        percent: How many devices in a hundred are in the second.
        started_at: When it began.
        ended_at: When it ended; None while it goes on.
    """

    number: int
    task: str
    release_a: int
    release_b: int
    percent: int
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Figure:
    """What one kind of evidence shows.

    Attributes:
        a: The rate in the first group; None where too few devices told of it.
        b: And in the second.
        difference: Of the second from the first, with its interval; None where either is.
    """

    a: Rate | None
    b: Rate | None
    difference: Interval | None

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """As it is on record."""
        a, b = (None if value[side] is None else Rate(**value[side]) for side in ("a", "b"))
        return cls(a, b, None if value["difference"] is None else Interval(**value["difference"]))


@dataclass(frozen=True)
class Evidence:
    """What devices of both groups told.

    Attributes:
        devices_a: Enrolled devices in the first group.
        devices_b: And in the second.
        corrections: Corrections by readings, of readings since the comparison began.
        accuracy: Held-out samples read without an error, by samples.
    """

    devices_a: int
    devices_b: int
    corrections: Figure
    accuracy: Figure

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """As it is on record."""
        figures = {name: Figure.of(value[name]) for name in ("corrections", "accuracy")}
        return cls(value["devices_a"], value["devices_b"], **figures)


@dataclass(frozen=True)
class Outcome:
    """What came of a comparison: until now, or until it ended.

    Attributes:
        comparison: What is compared.
        evidence: What devices told.
    """

    comparison: Comparison
    evidence: Evidence
