"""What is said of a recogniser: accuracy, its spread over writers, confusions, and paired comparisons."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959964  # the 97.5th percentile of the standard normal


@dataclass(frozen=True)
class Spread:
    """How accuracy differs between writers or devices; all rates are fractions.

    Of texts, accuracy is one less the character error rate, which is below 0 where more was read than written.

    Attributes:
        count: How many writers or devices have at least one sample.
        p10: Tenth percentile, by linear interpolation.
        median: Fiftieth percentile.
        p90: Ninetieth percentile.
        worst_decile: Mean over the worst tenth of them, at least one.
        gini: Gini coefficient of the accuracies: 0 where all are alike, to 1.
    """

    count: int
    p10: float
    median: float
    p90: float
    worst_decile: float
    gini: float

    def as_json(self) -> dict[str, float]:
        """The fields by name."""
        return asdict(self)


def spread(errors: NDArray[np.int64], characters: NDArray[np.int64], groups: NDArray[np.int32]) -> Spread:
    """Accuracy over groups, each counting the same however many samples it has.

    Args:
        errors: int (n,), errors of each sample; n at least 1.
        characters: int (n,), characters of each sample, at least 1; of single characters, 1.
        groups: int (n,), the writer or device of each sample.
    """
    _, position = np.unique(groups, return_inverse=True)
    rates = np.bincount(position, weights=errors) / np.bincount(position, weights=characters)
    return spread_of(1 - rates)


def spread_of(accuracies: NDArray[np.float64]) -> Spread:
    """Accuracy over groups that are read so well.

    Args:
        accuracies: float (n,), that of each group; n at least 1.
    """
    accuracies = np.sort(accuracies)
    p10, median, p90 = (float(value) for value in np.percentile(accuracies, [10, 50, 90]))
    worst = accuracies[: math.ceil(len(accuracies) / 10)]
    return Spread(len(accuracies), p10, median, p90, float(worst.mean()), gini(accuracies))


def gini(values: NDArray[np.float64]) -> float:
    """The Gini coefficient: half the mean difference between any two values, relative to their mean.

    Source: Gini 1912; here by ranks, as in Sen 1973, "On Economic Inequality".

    Args:
        values: float (n,), at least one, ascending; what is negative counts as 0.
    """
    values = np.maximum(values, 0)
    total, count = values.sum(), len(values)
    return float(((2 * np.arange(1, count + 1) - count - 1) * values).sum() / (count * total)) if total else 0.0


@dataclass(frozen=True)
class Difference:
    """A difference of two accuracies on the same samples, with its 95 % interval; fractions."""

    difference: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """The fields by name."""
        return asdict(self)


def paired_difference(only_first: int, only_second: int, samples: int) -> Difference:
    """How much more the first of two recognisers reads right, on the same samples.

    Source: Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data", Journal of Educational and Behavioral Statistics 37(4), equation 4.

    Args:
        only_first: Samples that only the first reads right.
        only_second: Samples that only the second reads right.
        samples: All samples, at least 1.

    Returns:
        The observed difference, with an interval that is centred on the adjusted one.
    """
    first, second = (only_first + 1) / (samples + 2), (only_second + 1) / (samples + 2)
    centre = first - second
    margin = Z_95 * math.sqrt((first + second - centre**2) / (samples + 2))
    return Difference((only_first - only_second) / samples, max(centre - margin, -1.0), min(centre + margin, 1.0))


def worst_confusions(matrix: NDArray[np.int64], most: int) -> list[tuple[int, int, int]]:
    """The most frequent errors as (label, reading, count), most frequent first."""
    errors = matrix.copy()
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:most]
    found = [(int(cell // len(errors)), int(cell % len(errors)), int(errors.flat[cell])) for cell in order]
    return [confusion for confusion in found if confusion[2]]
