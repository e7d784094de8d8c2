"""The difference of two rates between two groups of devices, with a confidence interval clustered by device.

A rate is a ratio of sums over devices: corrections by readings, or right readings by samples. Readings of one device
are alike (the same people, pens and scanner), and it is devices that were drawn to a group, so the device is the unit.
With y_i events of x_i on device i of n, R = sum y / sum x, its variance is estimated by linearisation as

    v = n / (n - 1)  sum (y_i - R x_i)^2 / (sum x)^2

and the interval of the difference is t times the root of the sum of both variances, with the degrees of freedom of
Welch and Satterthwaite. Sources: Cochran 1977, "Sampling Techniques", chapter 6 (ratio estimates; clusters as units);
Deng, Knoblich and Lu 2018, "Applying the Delta Method in Metric Analytics", KDD, arXiv:1803.06336 (the same for
experiments that are randomised by a unit coarser than what is counted).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

CONFIDENCE: Final = 0.95
_LEAST: Final = 2  # devices of a group, without which nothing is known of how they vary


@dataclass(frozen=True)
class Rate:
    """A rate in a group of devices.

    Attributes:
        devices: How many told of it.
        events: Such as corrections.
        of: Such as readings.
        rate: Of events, as a fraction; None where there is nothing to divide by.
    """

    devices: int
    events: int
    of: int
    rate: float | None


@dataclass(frozen=True)
class Interval:
    """A difference of rates, as fractions.

    Attributes:
        difference: The second group's rate less the first's.
        low: Lower end of the 95 % confidence interval.
        high: And the upper end.
    """

    difference: float
    low: float
    high: float


Counts = NDArray[np.int64]  # (devices, 2): events, and of how many


def rate_of(counts: Counts) -> Rate:
    """The rate in a group.

    Args:
        counts: int64 (devices, 2).
    """
    events, of = (int(total) for total in counts.sum(axis=0))
    return Rate(len(counts), events, of, events / of if of else None)


def difference(first: Counts, second: Counts) -> Interval | None:
    """The difference of two groups' rates; None where too few devices told of anything.

    Args:
        first: int64 (devices, 2), of the first group.
        second: Likewise of the second.
    """
    from scipy import stats  # type: ignore[import-untyped]  # it publishes no types, and is heavy

    groups = [counts[counts[:, 1] > 0] for counts in (first, second)]
    if min(map(len, groups)) < _LEAST:
        return None
    (rate_a, variance_a), (rate_b, variance_b) = map(_linearised, groups)
    found, variance = rate_b - rate_a, variance_a + variance_b
    if not variance:
        return Interval(found, found, found)
    freedom = variance**2 / sum(
        each**2 / (len(counts) - 1) for each, counts in zip((variance_a, variance_b), groups, strict=True)
    )
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(variance)
    return Interval(found, found - half, found + half)


def _linearised(counts: Counts) -> tuple[float, float]:
    """A ratio and its variance, clustered by device."""
    events, of = counts.astype(np.float64).T
    rate = float(events.sum() / of.sum())
    count = len(counts)
    return rate, float(count / (count - 1) * np.square(events - rate * of).sum() / of.sum() ** 2)
