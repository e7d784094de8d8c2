"""What is set of learning, and what came of it, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handfed.shared.learning.policy import Decision


@dataclass(frozen=True)
class Policy:
    """What an operator has set.

    Attributes:
        task: What is recognised.
        enabled_at: Since when the server starts runs by itself; None where it does not.
        settings: All settings of `handfed.shared.learning.LearningSettings`.
        run_settings: Settings of a run, by name, that take the place of those of the run that it goes on from.
        last_run: The last run that the server started by itself; None before the first.
    """

    task: str
    enabled_at: datetime | None
    settings: Mapping[str, Any]
    run_settings: Mapping[str, Any]
    last_run: int | None


@dataclass(frozen=True)
class DriftFinding:
    """What one figure shows.

    Attributes:
        name: The figure, as `handfed.shared.handwriting_reports` names it; all classes together are `classes`.
        p: Probability of as much by chance, over all figures.
        difference: Of recent writers from known ones, over the deviation between writers, on average.
        devices: How many devices were heard of it.
    """

    name: str
    p: float
    difference: float
    devices: int


@dataclass(frozen=True)
class DriftFound:
    """What looking for drift has come to since the last run.

    Attributes:
        found: Whether there is any.
        looks: How often was looked.
        level: P value that the last look took.
        what: What differs most, or why it was not looked, in words.
        findings: Of each figure at the last look, those that differ most first.
    """

    found: bool
    looks: int
    level: float | None
    what: str
    findings: tuple[DriftFinding, ...]


@dataclass(frozen=True)
class Explanation:
    """Why a run would be started now, or not.

    Attributes:
        policy: What is set.
        now: What would be decided now.
        last: What the server decided last; None before the first look.
        last_at: When.
        drift: What looking for drift has come to.
    """

    policy: Policy
    now: Decision
    last: Decision | None
    last_at: datetime | None
    drift: DriftFound
