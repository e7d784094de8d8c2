"""Whether paired counts show that a candidate is not worse than the champion, or that it is: by betting against it.

Each sample scores d = 1 where only the candidate is right, -1 where only the champion is, otherwise 0; m is the margin.
Two null hypotheses are bet against, each with a stake of 1:

    E[d] <= -m   the candidate is worse by the margin or more; its fall lets the candidate be promoted
    E[d] >= -m   the candidate is not; its fall sends the candidate back

Betting the fraction b of the wealth on each sample multiplies it by 1 + b (d + m), or 1 - b (d + m) for the second.
Under its null the wealth is a nonnegative supermartingale from 1, so that by Ville's inequality it ever comes to
1 / alpha with probability alpha at most: one may look whenever one likes and stop when it suits. The wealth of a fixed
b depends on counts alone, and that of a stake parted among a few fixed b is such a wealth again. Hence reports may come
in any order and in any portions.

What is assumed: given what came before, a sample's expected score is at most -m on average over the samples so far. So
devices, writers and samples may differ as they like, and whoever reports first may do so: what is shown then holds for
the handwriting of those who reported. For devices that have not reported it holds as far as those are like them;
`PromotionSettings.least_coverage` sees to their number.

No device decides alone. From the log wealth of each bet, the most that `distrusted_devices` devices have brought in is
taken away. What remains is at most the wealth without them, whichever they are and whatever they report. They may still
hold a candidate up, since nobody can tell a lie from a device whose writers it serves ill: `Judgement.held_up` says so,
for a person to look.

Sources: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 86 (1), 2024
(arXiv:2010.09686), section 4: the capital process. The mixture of bets is Robbins' (1970, "Statistical methods related
to the law of the iterated logarithm"), the inequality Ville's (1939). That the average over samples suffices is ours: a
geometric mean is at most the arithmetic one, so the product of the bets' means is at most 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.promotion.evidence import Evidence
from handfed.shared.promotion.settings import PromotionSettings

# Each bet with its part of the stake. The best bet is about the margin by the rate of readings on which the models
# differ: 0.003 / 0.006 of digits, 0.02 / 0.2 of words. No bet may be near 1, where one reading could cost all.
STAKES: Final = {0.1: 0.1, 0.2: 0.2, 0.4: 0.4, 0.8: 0.3}


class Verdict(StrEnum):
    """What the evidence shows."""

    NOT_WORSE = "not-worse"
    WORSE = "worse"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Judgement:
    """What the evidence shows, and what it is.

    Attributes:
        verdict: What it shows.
        devices: How many have reported.
        samples: Read by both models.
        only_candidate: Of these, how many only the candidate read right.
        only_champion: Likewise only the champion.
        expected: Samples that all devices together will come to.
        log_wealth_for: Natural logarithm of what betting on the candidate has made of 1.
        log_wealth_against: Likewise of betting against it.
        held_up: Whether it is undecided for the distrusted number of devices alone, those that speak most against it.
    """

    verdict: Verdict
    devices: int
    samples: int
    only_candidate: int
    only_champion: int
    expected: int
    log_wealth_for: float
    log_wealth_against: float
    held_up: bool = False

    def __str__(self) -> str:
        return (
            f"{self.only_candidate:,} readings right by it alone and {self.only_champion:,} by the champion alone,"
            f" of {self.samples:,} on {self.devices:,} devices"
        )


def judge(evidence: Evidence, settings: PromotionSettings) -> Judgement:
    """What the evidence shows; where it should show both, that the candidate is worse."""
    log_for = float(log_wealth(evidence.counts, settings, against=False))
    log_against = float(log_wealth(evidence.counts, settings, against=True))
    samples, only_candidate, only_champion = (int(total) for total in evidence.counts.sum(axis=0))
    verdict = _verdict(log_for, log_against, samples, evidence.expected, settings)
    return Judgement(
        verdict,
        len(evidence.counts),
        samples,
        only_candidate,
        only_champion,
        evidence.expected,
        log_for,
        log_against,
        verdict is Verdict.UNDECIDED and _held_up(evidence, settings),
    )


def _held_up(evidence: Evidence, settings: PromotionSettings) -> bool:
    """Whether the candidate would be promoted but for the few devices that speak most against it."""
    speaks_for = evidence.counts[:, 1] - evidence.counts[:, 2]
    others = evidence.counts[np.argsort(speaks_for, kind="stable")[settings.distrusted_devices :]]
    log_for = float(log_wealth(others, settings, against=False))
    return _verdict(log_for, 0.0, int(others[:, 0].sum()), evidence.expected, settings) is Verdict.NOT_WORSE


def _verdict(log_for: float, log_against: float, samples: int, expected: int, settings: PromotionSettings) -> Verdict:
    enough = -math.log(settings.error_rate)
    if log_against >= enough:
        return Verdict.WORSE
    if log_for >= enough and samples >= settings.least_coverage * expected:
        return Verdict.NOT_WORSE
    return Verdict.UNDECIDED


def log_wealth(counts: NDArray[np.int64], settings: PromotionSettings, *, against: bool) -> NDArray[np.float64]:
    """What the bets have made of 1, without what the best of the distrusted devices have brought in.

    Args:
        counts: int (..., devices, 3): samples, only the candidate right, only the champion right.
        settings: Of promotion.
        against: Whether the bets are that the candidate is worse.

    Returns:
        float64 (...,), natural logarithms.
    """
    bets = np.array(list(STAKES)) * (-1 if against else 1)
    samples, only_candidate, only_champion = np.moveaxis(counts, -1, 0)[..., np.newaxis]  # each (..., devices, 1)
    gains = (
        only_candidate * np.log1p(bets * (1 + settings.margin))
        + only_champion * np.log1p(bets * (settings.margin - 1))
        + (samples - only_candidate - only_champion) * np.log1p(bets * settings.margin)
    )  # (..., devices, bets)
    most = np.sort(gains, axis=-2)[..., gains.shape[-2] - min(settings.distrusted_devices, gains.shape[-2]) :, :]
    kept = gains.sum(axis=-2) - np.maximum(most, 0).sum(axis=-2)
    return np.asarray(np.logaddexp.reduce(kept + np.log(list(STAKES.values())), axis=-1))
