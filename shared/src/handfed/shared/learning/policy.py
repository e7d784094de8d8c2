"""Whether to start a run now: `decide(facts, settings, now)` is all of it, without IO.

A run is started where nothing stands in its way and something calls for it:

| stands in its way | calls for it |
|---|---|
| the policy is disabled | enough new samples over enough devices |
| there is no release in use to go on from | drift, found over enough devices |
| a run goes on, or waits | a schedule, where there is anything new |
| a run ended not long ago | |

Rules:
1. It reads counts and a drift score, and nothing else of anybody's handwriting.
2. No device counts for more than `LearningSettings.most_each` samples, nor decides alone.
3. After runs that failed the cool-down doubles for each, so that nothing is tried for ever in a row.
4. Every decision says each condition with what was found and what it takes, met or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from handfed.shared.learning.settings import LearningSettings

_MOST_DOUBLINGS: Final = 6


class Role(StrEnum):
    """What a condition is for."""

    NEEDED = "needed"  # all of these
    CALLS = "calls"  # and one of these


@dataclass(frozen=True)
class Condition:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        role: What it is for.
        met: Whether it holds.
        found: What was found, in words.
        takes: What it takes, in words.
    """

    name: str
    role: Role
    met: bool
    found: str
    takes: str


@dataclass(frozen=True)
class Decision:
    """Whether to start a run, and why.

    Attributes:
        start: Whether to.
        reason: Why, or why not, in words.
        conditions: All that was looked at.
    """

    start: bool
    reason: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Drift:
    """What a test of drift has come to (`handfed.server.learning.drift`).

    Attributes:
        found: Whether drift was found since the last run.
        devices: How many devices it was looked for on.
        what: What differs most, and by how much, in words; or why it was not looked for.
    """

    found: bool
    devices: int
    what: str


@dataclass(frozen=True)
class Facts:
    """What is known of a federation, of one task.

    Attributes:
        enabled_at: Since when the policy is to decide; None where it is not.
        champion: The release in use; None before the first.
        champion_run: The run that made it; None where that is not on record.
        busy: Number of a run that goes on or waits; None for none.
        last_ended: When the last run ended, of whatever task; None before the first.
        last_started: When the last run of the task was started.
        failures: Runs of the task in a row, the last ones, that failed.
        fresh: New samples of each device, by its number.
        drift: What the test of drift has come to.
    """

    enabled_at: datetime | None = None
    champion: int | None = None
    champion_run: int | None = None
    busy: int | None = None
    last_ended: datetime | None = None
    last_started: datetime | None = None
    failures: int = 0
    fresh: Mapping[int, int] | None = None
    drift: Drift = Drift(found=False, devices=0, what="no device has told anything yet")


def decide(facts: Facts, settings: LearningSettings, now: datetime) -> Decision:
    """Whether to start a run now.

    Args:
        facts: What is known.
        settings: What it is decided by.
        now: Aware.
    """
    needed = (_enabled(facts), _has_champion(facts), _idle(facts), _cooled_down(facts, settings, now))
    calls = (_samples(facts, settings), _drifted(facts, settings), _due(facts, settings, now))
    because = [each for each in calls if each.met]
    hindered = [each for each in needed if not each.met]
    if because and not hindered:
        return Decision(True, "; ".join(f"{each.name}: {each.found}" for each in because), needed + calls)  # noqa: FBT003 - its first field
    if hindered:
        reason = "; ".join(f"{each.name}: {each.found}" for each in hindered)
        wanted = f" ({' and '.join(each.name for each in because)} would call for a run)" if because else ""
        return Decision(False, reason + wanted, needed + calls)  # noqa: FBT003 - likewise
    return Decision(False, "nothing calls for a run: " + "; ".join(each.found for each in calls), needed + calls)  # noqa: FBT003


def _enabled(facts: Facts) -> Condition:
    found = "disabled" if facts.enabled_at is None else f"enabled since {_at(facts.enabled_at)}"
    return Condition("policy", Role.NEEDED, facts.enabled_at is not None, found, "an operator enables it")


def _has_champion(facts: Facts) -> Condition:
    takes = "a release in use, whose run a new one goes on from"
    if facts.champion is None:
        found = "no release is in use yet; the first run is started by hand"
    elif facts.champion_run is None:
        found = f"release {facts.champion} is in use, and its run is not on record here; start one by hand"
    else:
        found = f"release {facts.champion} of run {facts.champion_run}"
    return Condition("release in use", Role.NEEDED, facts.champion_run is not None, found, takes)


def _idle(facts: Facts) -> Condition:
    found = "none" if facts.busy is None else f"run {facts.busy} goes on or waits"
    return Condition("other run", Role.NEEDED, facts.busy is None, found, "none goes on or waits")


def _cooled_down(facts: Facts, settings: LearningSettings, now: datetime) -> Condition:
    span = timedelta(seconds=settings.cool_down_s * 2 ** min(facts.failures, _MOST_DOUBLINGS))
    takes = f"{_span(span)} since a run ended"
    if facts.failures:
        takes += f", doubled for each of {facts.failures} in a row that failed"
    if facts.last_ended is None:
        return Condition("cool-down", Role.NEEDED, met=True, found="no run has ended yet", takes=takes)
    since = now - facts.last_ended
    return Condition(
        "cool-down", Role.NEEDED, since >= span, f"{_span(since)} since the last run ended, of {_span(span)}", takes
    )


def _samples(facts: Facts, settings: LearningSettings) -> Condition:
    fresh = facts.fresh or {}
    counted = [min(count, settings.most_each) for count in fresh.values() if count >= settings.least_each]
    total = sum(counted)
    found = f"{total:,} on {len(counted):,} devices that have {settings.least_each:,} or more"
    if not settings.least_samples:
        return Condition("new samples", Role.CALLS, met=False, found=found, takes="switched off: least_samples is 0")
    met = total >= settings.least_samples and len(counted) >= settings.least_devices
    takes = f"{settings.least_samples:,} on {settings.least_devices:,} devices, each for {settings.most_each:,} at most"
    return Condition("new samples", Role.CALLS, met, found, takes)


def _drifted(facts: Facts, settings: LearningSettings) -> Condition:
    drift = facts.drift
    if not settings.drift_error_rate:
        takes = "switched off: drift_error_rate is 0"
        return Condition("drift", Role.CALLS, met=False, found=drift.what, takes=takes)
    takes = f"found on {settings.least_devices:,} devices, wrongly {settings.drift_error_rate:.1%} of the time at most"
    met = drift.found and drift.devices >= settings.least_devices
    return Condition("drift", Role.CALLS, met, drift.what, takes)


def _due(facts: Facts, settings: LearningSettings, now: datetime) -> Condition:
    since = facts.last_started or facts.enabled_at
    if not settings.every_days or since is None:
        return Condition("schedule", Role.CALLS, met=False, found="no schedule", takes="every_days above 0")
    due = next_due(since, settings)
    anything = sum((facts.fresh or {}).values())
    found = f"due {_at(due)}, with {anything:,} new samples"
    takes = f"{settings.every_days} days after the last run, from {settings.at_hour}:00 UTC on, and anything new"
    return Condition("schedule", Role.CALLS, now >= due and anything > 0, found, takes)


def next_due(since: datetime, settings: LearningSettings) -> datetime:
    """When the schedule next asks for a run: so many days later by the calendar, at that hour.

    Args:
        since: When the last one was started, or the policy enabled; aware.
        settings: With `every_days` above 0.
    """
    day = since.astimezone(UTC) + timedelta(days=settings.every_days)
    return day.replace(hour=settings.at_hour, minute=0, second=0, microsecond=0)


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _span(span: timedelta) -> str:
    """A span of time, as people say it."""
    hours = span.total_seconds() / 3600
    if hours < 1:
        return f"{span.total_seconds() / 60:.0f} minutes"
    return f"{hours:.0f} hours" if hours <= 48 else f"{hours / 24:.1f} days"  # noqa: PLR2004 - two days
