"""What follows from a run's figures: pairs of right and wrong, groups from worst to best, skew, what became of updates.

An update is used, or is not, for a reason. Where a device never answered or failed, there is none: that is told apart,
as it says nothing of the rules that updates are held to.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.server.runs.schemas import Rejection, RoundResult
from handfed.shared.metrics import Z_95, Difference, paired_difference
from handfed.shared.wire import Reason
from handfed.simulations.faults import LIES, Lie
from handfed.simulations.readings import Readings

WITHOUT_UPDATE: Final = frozenset({Reason.SILENT, Reason.ERROR})  # reasons that nothing came that could be checked


@dataclass(frozen=True)
class Pairs:
    """How INT8 and float read the same images.

    Attributes:
        both: Images that both read right.
        only_int8: Images that only INT8 reads right.
        only_float: Images that only float reads right.
        neither: Images that both misread.
    """

    both: int
    only_int8: int
    only_float: int
    neither: int

    @classmethod
    def of(cls, readings: Readings) -> Pairs:
        """Counts the held-out images."""
        int8, float_ = readings.int8.correct, readings.floating.correct
        counts = ((int8 & float_), (int8 & ~float_), (~int8 & float_), (~int8 & ~float_))
        return cls(*(int(np.count_nonzero(count)) for count in counts))

    @property
    def samples(self) -> int:
        """All images."""
        return self.both + self.only_int8 + self.only_float + self.neither

    @property
    def difference(self) -> Difference | None:
        """Accuracy of INT8 less that of float, with its 95 % interval; None without images."""
        return paired_difference(self.only_int8, self.only_float, self.samples) if self.samples else None


@dataclass(frozen=True)
class Group:
    """The held-out images of one device or writer.

    Attributes:
        number: Which one, counted from 0.
        samples: How many images, at least 1.
        characters: How many characters they show; of single characters as many.
        errors: How many of them were read wrong.
    """

    number: int
    samples: int
    characters: int
    errors: int

    @property
    def accuracy(self) -> float:
        """The fraction that was read right; below 0 where more was read than is there."""
        return 1 - self.errors / self.characters


def worst_first(readings: Readings, numbers: NDArray[np.int32]) -> list[Group]:
    """Groups that have held-out images, the least accurate first; of equals the lower number first."""
    found, position = np.unique(numbers, return_inverse=True)
    counts = [np.bincount(position, weights) for weights in (None, readings.int8.characters, readings.int8.errors)]
    groups = [Group(*(int(figure) for figure in row)) for row in zip(found, *counts, strict=True)]
    return sorted(groups, key=lambda group: (group.accuracy, group.number))


def worst_decile(groups: Sequence[Group]) -> Sequence[Group]:
    """The worst tenth, at least one, of groups that come worst first; as `handfed.shared.metrics.spread` has it."""
    return groups[: math.ceil(len(groups) / 10)]


def mean_accuracy(groups: Sequence[Group]) -> float:
    """The mean over groups, at least one, each of which counts the same."""
    return sum(group.accuracy for group in groups) / len(groups)


@dataclass(frozen=True)
class Fate:
    """What became of the updates of devices of one kind.

    Attributes:
        kind: How they lie; None for honest devices.
        devices: How many devices are of this kind.
        used: How many of their updates were combined, over all rounds.
        unused: How many were not, by reason.
    """

    kind: Lie | None
    devices: int
    used: int
    unused: Mapping[str, int]

    @property
    def rejected(self) -> int:
        """How many were not used, for whatever reason."""
        return sum(self.unused.values())


def fates(rounds: Sequence[RoundResult], liars: Mapping[int, Lie], devices: int) -> list[Fate]:
    """What became of all updates, by kind of device: each kind of liar there is, and the honest last.

    Args:
        rounds: The rounds of a run whose server saw single updates.
        liars: Which devices lie, and how, counted from 0.
        devices: How many devices there are.
    """
    used = Counter(_kind(each.device, liars) for one in rounds for each in one.devices if each.examples)
    unused = Counter(
        (_kind(each.device, liars), each.reason) for each in _rejections(rounds) if each.reason not in WITHOUT_UPDATE
    )
    of_kind = Counter(liars.values())
    kinds: list[Lie | None] = [*(lie for lie in LIES if of_kind[lie]), None]
    return [
        Fate(
            kind,
            devices - len(liars) if kind is None else of_kind[kind],
            used[kind],
            {reason: count for (whose, reason), count in unused.most_common() if whose == kind},
        )
        for kind in kinds
    ]


def without_update(rounds: Sequence[RoundResult]) -> Mapping[str, int]:
    """How many times a device that was asked sent no update, by reason."""
    return Counter(each.reason for each in _rejections(rounds) if each.reason in WITHOUT_UPDATE)


def unused_by_round(
    rounds: Sequence[RoundResult], liars: Mapping[int, Lie]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """How many updates were not used in each round.

    Returns:
        int64 (rounds,): those of devices that lie, those of the others, and those that never came.
    """
    counts = np.zeros((len(rounds), 3), np.int64)
    for row, one in enumerate(rounds):
        for each in one.rejections:
            honest = _kind(each.device, liars) is None
            counts[row, 2 if each.reason in WITHOUT_UPDATE else int(honest)] += 1
    lying, others, absent = counts.T
    return lying, others, absent


def _kind(device: int, liars: Mapping[int, Lie]) -> Lie | None:
    """How a device lies, by the number that it has in a round, which counts from 1."""
    return liars.get(device - 1)


def _rejections(rounds: Sequence[RoundResult]) -> Iterable[Rejection]:
    return (rejection for one in rounds for rejection in one.rejections)


def wilson(correct: int, samples: int) -> tuple[float, float]:
    """The 95 % score interval of a fraction.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22(158).

    Args:
        correct: How many were read right.
        samples: Out of how many, at least 1.
    """
    share, z2 = correct / samples, Z_95**2 / samples
    centre = (share + z2 / 2) / (1 + z2)
    margin = math.sqrt(share * (1 - share) * z2 + z2**2 / 4) / (1 + z2)
    return max(centre - margin, 0.0), min(centre + margin, 1.0)


def label_shares(label_counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64 (devices, classes): each class's share of a device's training samples; 0 where it has none."""
    totals = np.maximum(label_counts.sum(axis=1, keepdims=True), 1).astype(np.float64)
    return np.asarray(label_counts / totals, np.float64)


def label_skew(label_counts: NDArray[np.int64]) -> float | None:
    """How far devices are from the federation as a whole: 0 where all are alike.

    The mean, over devices with training samples, of the total variation distance between the device's label
    distribution and that of all samples: the fraction of its samples that would have to be of another class.
    """
    counts = label_counts[label_counts.sum(axis=1) > 0]
    if not len(counts):
        return None
    whole = counts.sum(axis=0) / counts.sum()
    return float(np.abs(label_shares(counts) - whole).sum(axis=1).mean() / 2)


def half_of_all(samples: NDArray[np.int64]) -> int:
    """The fewest devices that together hold at least half of all samples; 0 where there are none."""
    largest = np.cumsum(np.sort(samples)[::-1])
    return int(np.searchsorted(largest, largest[-1] / 2)) + 1 if samples.any() else 0


def finite(figure: float | None) -> float | None:
    """The figure, or None where it is no number: rounds call that unknown."""
    return figure if figure is not None and math.isfinite(figure) else None


def held_out_loss(result: RoundResult) -> float | None:
    """Mean loss over the held-out images of a round's devices; None where none was evaluated or none may be seen."""
    known = [
        (device.held_out, loss)
        for device in result.devices
        if device.held_out and (loss := finite(device.held_out_loss)) is not None
    ]
    images = sum(count for count, _ in known)
    return sum(count * loss for count, loss in known) / images if images else None
