"""From candidate to every device, or back: a state machine without IO. `step(promotion, event, settings)` is all of it.

    candidate ── evidence ──> rolling out: 5 % ── time, health ──> 25 % ── time, health ──> stable: 100 %
        └────────────┴── evidence against it, or ill health, at any step ──> rolled back

| in | a review may lead to | by hand |
|---|---|---|
| candidate | rolling out, rolled back | promote (a step further), pause, rollback, pin |
| rolling out | its next step, stable, rolled back | promote (a step further), pause, rollback, pin |
| stable | rolled back | rollback, pin; promote where it is pinned (the rules hold again) |
| paused | rolled back | promote (goes on where it was), rollback, pin |
| rolled back, superseded | nothing | pin |

Rules:
1. A review looks at everything at once, harm first. It never leads out of a pause forward, nor changes what is pinned,
   nor brings anything forward while a person has pinned another release.
2. From step to step a release goes forward only once evidence has shown that it is not worse. A person's `promote` is
   for one step; the next is by evidence again, or by hand.
3. So many unhealthy devices as are distrusted (`PromotionSettings.distrusted_devices`) neither send a release back nor
   hold it up.
4. What was sent back stays so, unless a person pins it: a better model is a new release.
5. Every answer has its reason, also where nothing changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from handfed.shared.errors import ConflictError, UsageError
from handfed.shared.promotion.paired_test import Judgement, Verdict
from handfed.shared.promotion.settings import PromotionSettings


class Phase(StrEnum):
    """What a release is."""

    CANDIDATE = "candidate"
    ROLLING_OUT = "rolling-out"
    STABLE = "stable"
    PAUSED = "paused"
    ROLLED_BACK = "rolled-back"
    SUPERSEDED = "superseded"


class Action(StrEnum):
    """What a person may do by hand."""

    PROMOTE = "promote"
    PAUSE = "pause"
    ROLLBACK = "rollback"
    PIN = "pin"


_OVER = frozenset({Phase.ROLLED_BACK, Phase.SUPERSEDED})


@dataclass(frozen=True)
class Promotion:
    """How far a release has come.

    Attributes:
        phase: What it is.
        step: 0 for nobody, otherwise which of `PromotionSettings.percents`, counted from 1.
        since_s: When it came to this phase and step, in seconds of the caller's clock.
        reason: Why it is there, or what it waits for.
        shown: Whether evidence has shown that it is not worse than its champion.
        pinned: Whether a person has decided that it stays, whatever is reported.
    """

    phase: Phase = Phase.CANDIDATE
    step: int = 0
    since_s: float = 0.0
    reason: str = "published"
    shown: bool = False
    pinned: bool = False

    def percent(self, settings: PromotionSettings) -> int:
        """How many per cent of the devices use it."""
        return (0, *settings.percents)[self.step]


@dataclass(frozen=True)
class Health:
    """What devices that are to use a release say of it; each counts once.

    Attributes:
        asked: How many are to use it at this step.
        healthy: Loaded it, passed its self-test and have used it since.
        failed_self_test: Did not take it.
        crashed: Took it and went back by themselves.
        slow: Use it, and take too long over a reading.

    Raises:
        UsageError: That cannot be.
    """

    asked: int = 0
    healthy: int = 0
    failed_self_test: int = 0
    crashed: int = 0
    slow: int = 0

    def __post_init__(self) -> None:
        counts = (self.healthy, self.failed_self_test, self.crashed, self.slow)
        if min(self.asked, *counts) < 0 or sum(counts) > self.asked:
            raise UsageError(f"health: {counts} cannot be reports of {self.asked} devices")

    @property
    def unhealthy(self) -> int:
        """How many are not well."""
        return self.failed_self_test + self.crashed + self.slow


@dataclass(frozen=True)
class Review:
    """The rules look at a release.

    Attributes:
        now_s: Seconds of the caller's clock.
        judgement: Of all evidence so far, from the canaries as from everybody else.
        health: Of this step.
        other_is_pinned: Whether a person has pinned another release.
    """

    now_s: float
    judgement: Judgement
    health: Health = Health()
    other_is_pinned: bool = False


@dataclass(frozen=True)
class ByHand:
    """A person decides.

    Attributes:
        now_s: Seconds of the caller's clock.
        action: What they do.
        why: In their words; may be empty.
    """

    now_s: float
    action: Action
    why: str = ""


@dataclass(frozen=True)
class Superseded:
    """Another release has taken its place.

    Attributes:
        now_s: Seconds of the caller's clock.
        by: Number of that release.
    """

    now_s: float
    by: int


Event = Review | ByHand | Superseded


def step(promotion: Promotion, event: Event, settings: PromotionSettings) -> Promotion:
    """What becomes of a release.

    Args:
        promotion: How far it has come.
        event: What happens.
        settings: Of promotion.

    Raises:
        ConflictError: What a person wants contradicts how things are.
    """
    match event:
        case Review():
            return _reviewed(promotion, event, settings)
        case ByHand():
            return _by_hand(promotion, event, settings)
        case Superseded():
            if promotion.phase in _OVER:
                return promotion
            return _over(promotion, Phase.SUPERSEDED, event.now_s, f"release {event.by} has taken its place")


def _reviewed(promotion: Promotion, review: Review, settings: PromotionSettings) -> Promotion:
    if promotion.phase in _OVER or promotion.pinned:
        return promotion
    if harm := _harm(review, settings):
        return _over(promotion, Phase.ROLLED_BACK, review.now_s, harm)
    shown = promotion.shown or review.judgement.verdict is Verdict.NOT_WORSE
    promotion = replace(promotion, shown=shown)
    if promotion.phase not in {Phase.CANDIDATE, Phase.ROLLING_OUT}:
        return promotion
    if waits := _waits_for(promotion, review, settings):
        return replace(promotion, reason=waits)
    reason = f"not worse by {_points(settings)}: {review.judgement}" if promotion.step == 0 else _well(review.health)
    return _forward(promotion, review.now_s, reason, settings)


def _harm(review: Review, settings: PromotionSettings) -> str:
    """Why a release must go back; empty where it need not."""
    if review.judgement.verdict is Verdict.WORSE:
        return f"worse by {_points(settings)} or more: {review.judgement}"
    health = review.health
    heard = health.healthy + health.unhealthy
    if health.unhealthy > max(settings.distrusted_devices, settings.most_unhealthy_share * heard):
        return (
            f"of {heard:,} devices {health.failed_self_test:,} failed its self-test, {health.crashed:,} crashed and"
            f" {health.slow:,} were slow"
        )
    return ""


def _waits_for(promotion: Promotion, review: Review, settings: PromotionSettings) -> str:
    """What a release that is on its way needs for its next step; empty where nothing is missing."""
    if not promotion.shown:
        return _undecided(review.judgement, settings)
    if review.other_is_pinned:
        return "another release is pinned"
    if promotion.step == 0:
        return ""
    health = review.health
    needed = min(health.asked, max(settings.least_healthy, math.ceil(settings.least_healthy_share * health.asked)))
    if health.healthy + min(health.unhealthy, settings.distrusted_devices) < needed:
        return f"{health.healthy:,} of {health.asked:,} devices say that they are well; {needed:,} are needed"
    if review.now_s - promotion.since_s < settings.stage_s:
        return f"well so far; at {promotion.percent(settings)} % for {settings.stage_s:,.0f} s at least"
    return ""


def _undecided(found: Judgement, settings: PromotionSettings) -> str:
    """What is to be said of evidence that does not decide."""
    if not found.expected:
        return "no device can compare it, as none is known to hold handwriting out for it: a person decides"
    if found.held_up:
        few = settings.distrusted_devices
        return f"would go on but for the {few} device(s) that speak most against it, for a person to look at: {found}"
    so_far = "all readings are in, and are" if found.samples >= found.expected else "readings so far are"
    return f"{so_far} not enough evidence: {found}"


def _by_hand(promotion: Promotion, event: ByHand, settings: PromotionSettings) -> Promotion:
    done = f"{event.action} by hand" + (f": {event.why}" if event.why else "")
    phase = promotion.phase
    match event.action:
        case Action.PIN:
            last = len(settings.percents)
            return replace(promotion, phase=Phase.STABLE, step=last, since_s=event.now_s, reason=done, pinned=True)
        case Action.ROLLBACK if phase not in _OVER:
            return _over(promotion, Phase.ROLLED_BACK, event.now_s, done)
        case Action.PAUSE if phase in {Phase.CANDIDATE, Phase.ROLLING_OUT}:
            return replace(promotion, phase=Phase.PAUSED, since_s=event.now_s, reason=done)
        case Action.PROMOTE if phase in {Phase.CANDIDATE, Phase.ROLLING_OUT}:
            return _forward(promotion, event.now_s, done, settings)
        case Action.PROMOTE if phase is Phase.PAUSED:
            resumed = Phase.ROLLING_OUT if promotion.step else Phase.CANDIDATE
            return replace(promotion, phase=resumed, since_s=event.now_s, reason=done)
        case Action.PROMOTE if promotion.pinned:
            return replace(promotion, pinned=False, since_s=event.now_s, reason=done)
    raise ConflictError(
        f"a release that is {phase} cannot take {event.action}; see what it can take in docs/promotion.md"
    )


def _forward(promotion: Promotion, now_s: float, reason: str, settings: PromotionSettings) -> Promotion:
    """A step further."""
    further = promotion.step + 1
    phase = Phase.STABLE if further == len(settings.percents) else Phase.ROLLING_OUT
    return replace(promotion, phase=phase, step=further, since_s=now_s, reason=reason)


def _over(promotion: Promotion, phase: Phase, now_s: float, reason: str) -> Promotion:
    """Used by nobody from now on."""
    return replace(promotion, phase=phase, step=0, since_s=now_s, reason=reason, pinned=False)


def _well(health: Health) -> str:
    return f"{health.healthy:,} of {health.asked:,} devices say that they are well"


def _points(settings: PromotionSettings) -> str:
    return f"{settings.margin * 100:.2f} points"
