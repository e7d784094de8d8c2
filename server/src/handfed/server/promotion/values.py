"""How far a release has come, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from handfed.server.promotion.evidence import Latency
from handfed.shared.metrics import Difference, paired_difference
from handfed.shared.promotion.paired_test import Judgement
from handfed.shared.promotion.rules import Health


@dataclass(frozen=True)
class PromotedRelease:
    """A release on its way.

    Attributes:
        release: Its number.
        task: What it recognises.
        champion: The release that it is compared with; None for the first of its task.
        phase: candidate, rolling-out, stable, paused, rolled-back or superseded.
        percent: How many devices in a hundred are to use it.
        since: When it came to this phase and percentage.
        reason: Why it is there, or what it waits for.
        pinned: Whether a person has decided that it stays.
    """

    release: int
    task: str
    champion: int | None
    phase: str
    percent: int
    since: datetime
    reason: str
    pinned: bool


@dataclass(frozen=True)
class Standing:
    """How a release does against its champion, as devices report.

    Attributes:
        champion: The release that it is compared with.
        verdict: `not-worse`, `worse` or `undecided`, by the anytime-valid test that decides.
        held_up: Whether it is undecided for a few devices alone.
        devices: How many have reported.
        samples: Read by both.
        expected: Samples that all devices together will come to.
        only_candidate: Of the samples, how many only this release read right.
        only_champion: And only the champion.
        difference: How much more this release reads right, with the 95 % interval of these counts, which is for people
            to read: who stops when it pleases does so by the verdict. None before the first sample.
        health: How devices are that are to use it.
        latency: How long it takes to read a picture, over the devices that tried it; None where few told.
    """

    champion: int | None
    verdict: str
    held_up: bool
    devices: int
    samples: int
    expected: int
    only_candidate: int
    only_champion: int
    difference: Difference | None
    health: Health
    latency: Latency | None

    @classmethod
    def of(cls, champion: int | None, judged: Judgement, health: Health, latency: Latency | None) -> Self:
        """What a judgement and the devices' health say."""
        counts = (judged.only_candidate, judged.only_champion, judged.samples)
        return cls(
            champion,
            judged.verdict,
            judged.held_up,
            judged.devices,
            judged.samples,
            judged.expected,
            judged.only_candidate,
            judged.only_champion,
            paired_difference(*counts) if judged.samples else None,
            health,
            latency,
        )


@dataclass(frozen=True)
class UsedRelease:
    """A release on a device, as that reports.

    Attributes:
        release: Its number.
        condition: How the device does with it.
        in_use: Whether the device reads with it now.
    """

    release: int
    condition: str
    in_use: bool


@dataclass(frozen=True)
class DeviceReport:
    """What a device said of releases last.

    Attributes:
        device: Its number.
        received_at: When, in UTC.
        standings: Of the releases that it has or had.
    """

    device: int
    received_at: datetime
    standings: tuple[UsedRelease, ...]
