"""Paired counts that devices return from shadow, and what of them counts.

A device reads randomly chosen, confirmed held-out handwriting with both models (never corrections: people correct what
the champion misread, which is biased against it) and counts. Counts are totals since the candidate was published, each
sample once, so that a report may come twice, late or out of order: the newest takes the place of the one before.

Rules:
1. Only devices count of which it is known how much handwriting they hold out, as they said in their last run, before
   they had seen the candidate.
2. Nobody weighs more than that, nor more than `PromotionSettings.most_pairs`. What goes beyond is scaled down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import UsageError
from handfed.shared.promotion.settings import PromotionSettings


@dataclass(frozen=True)
class PairedCounts:
    """What a device counted; `a + b` is what two counted together.

    Attributes:
        samples: Read by both models.
        only_candidate: Of these, how many only the candidate read right.
        only_champion: Likewise only the champion.

    Raises:
        UsageError: That cannot be a count.
    """

    samples: int
    only_candidate: int
    only_champion: int

    def __post_init__(self) -> None:
        counts = (self.samples, self.only_candidate, self.only_champion)
        if min(counts) < 0 or self.only_candidate + self.only_champion > self.samples:
            raise UsageError(
                f"paired counts {counts}: of so many samples, no so many can be read right by one model only"
            )

    def __add__(self, other: Self) -> PairedCounts:
        return PairedCounts(
            self.samples + other.samples,
            self.only_candidate + other.only_candidate,
            self.only_champion + other.only_champion,
        )

    def at_most(self, samples: int) -> PairedCounts:
        """The same rates of no more than `samples` samples; fractions of a count go against the candidate."""
        if self.samples <= samples:
            return self
        against = -(-self.only_champion * samples // self.samples)
        return PairedCounts(samples, min(self.only_candidate * samples // self.samples, samples - against), against)


@dataclass(frozen=True)
class Evidence:
    """What counts of the devices' reports.

    Attributes:
        counts: int64 (devices, 3): samples, only the candidate right, only the champion right; of each device that has
            reported.
        expected: Samples that all known devices together will come to.
    """

    counts: NDArray[np.int64]
    expected: int


def evidence(reports: Mapping[str, PairedCounts], held_out: Mapping[str, int], settings: PromotionSettings) -> Evidence:
    """What counts of what devices reported.

    Args:
        reports: The newest of each device, by its key id.
        held_out: How many samples each holds out, by its key id, as known from its last run.
        settings: Of promotion.
    """
    weights = {device: min(samples, settings.most_pairs) for device, samples in held_out.items()}
    heard = [counts.at_most(weights[device]) for device, counts in reports.items() if device in weights]
    rows = [(each.samples, each.only_candidate, each.only_champion) for each in heard if each.samples]
    return Evidence(np.array(rows, np.int64).reshape(-1, 3), sum(weights.values()))
