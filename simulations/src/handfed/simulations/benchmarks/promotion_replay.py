"""How a release fares: its promotion replayed on stored readings, by the same rules as a server's.

Time is in polls: each device asks the server once a poll, at a moment of its own. When it first asks it takes the
candidate, reads its held-out samples in shadow and reports. Whenever it asks, it is told whether to use the candidate,
and is well with it. The server reviews 20 times a poll. By the seed: when devices ask, and the roll-out's salt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.promotion.evidence import Evidence
from handfed.shared.promotion.paired_test import Judgement, judge
from handfed.shared.promotion.rules import Action, ByHand, Health, Phase, Promotion, Review, step
from handfed.shared.promotion.settings import PromotionSettings
from handfed.shared.registry import bucket_of

REVIEWS: Final = 20  # a poll
POLL_S: Final = 3600.0
POLLS: Final = 8  # enough for every step
SETTINGS: Final = PromotionSettings(stage_s=2 * POLL_S)
_AT_REST: Final = frozenset({Phase.CANDIDATE, Phase.STABLE})


@dataclass(frozen=True)
class Fate:
    """What became of a release.

    Attributes:
        ended: How far it had come.
        most_percent: Of the devices, that it was ever given to.
        gone: When the last device had stopped using it, in polls since it was published; 0 where none ever used it,
            infinite where some still do.
    """

    ended: Promotion
    most_percent: int
    gone: float

    @property
    def promoted(self) -> bool:
        """Whether all devices came to use it."""
        return self.ended.phase is Phase.STABLE

    @property
    def rolled_back(self) -> bool:
        """Whether it was sent back."""
        return self.ended.phase is Phase.ROLLED_BACK


def replay(counts: NDArray[np.int64], *, seed: int | Sequence[int], by_hand: bool = False, silent: float = 0.0) -> Fate:
    """What becomes of a release of which devices count so.

    Args:
        counts: int (devices, 3): samples, only the candidate right, only the champion right.
        seed: Of what is drawn.
        by_hand: Whether somebody promotes it as soon as it is published, before there is any evidence.
        silent: Fraction of the devices that never report, 0 to 1; they are drawn.
    """
    random = np.random.default_rng(seed)
    devices = len(counts)
    asks = random.integers(1, REVIEWS + 1, devices)  # before which review of each poll
    reports = random.random(devices) >= silent
    salt = random.bytes(8).hex()
    buckets = np.array([bucket_of(str(device), salt) for device in range(devices)])
    promotion = step(Promotion(), ByHand(0.0, Action.PROMOTE), SETTINGS) if by_hand else Promotion()
    judgement = _judged(counts, np.zeros(devices, np.bool_))
    uses, well = np.zeros(devices, np.bool_), np.zeros(devices, np.bool_)
    most, gone = 0, 0.0
    for review in range(1, POLLS * REVIEWS + 1):
        asking = asks == (review - 1) % REVIEWS + 1
        given = buckets < promotion.percent(SETTINGS)
        most = max(most, promotion.percent(SETTINGS))
        if uses.any() and not (given | ~asking)[uses].all():
            gone = review / REVIEWS
        uses = np.where(asking, given, uses)
        well |= asking
        if review <= REVIEWS:
            judgement = _judged(counts, reports & (asks <= review))
        health = Health(asked=int(given.sum()), healthy=int((well & given).sum()))
        after = step(promotion, Review(review / REVIEWS * POLL_S, judgement, health), SETTINGS)
        if after.step != promotion.step:
            well[:] = False
        promotion = after
        if review > REVIEWS and (promotion.phase in _AT_REST or (promotion.step == 0 and not uses.any())):
            break  # nothing more is to come
    return Fate(promotion, most, float("inf") if uses.any() else gone)


def _judged(counts: NDArray[np.int64], heard: NDArray[np.bool_]) -> Judgement:
    return judge(Evidence(counts[heard], int(counts[:, 0].sum())), SETTINGS)
