"""What a device says of its held-out handwriting beside totals, and from how many writers and samples on.

A total hides who is read badly; a count of few people tells of one. So there are floors, as statistical offices have
them (threshold rule and secondary suppression: Hundepool et al. 2012, "Statistical Disclosure Control", Wiley):

1. Writers are said to be read well or badly by a histogram of their accuracies alone, and from `LEAST_WRITERS` on.
   Whom nobody named is in none.
2. Of a class, samples and right readings are said from `LEAST_SAMPLES` on; of texts, which are of many classes,
   nothing. Where a file is judged, it is also said as which classes such a class was read: that divides the wrong
   readings, whose number is said anyway, among classes.
3. What is left of the totals without the classes that are said is nothing, or `LEAST_SAMPLES` at least: else one class
   more is left out, the rarest, or the totals would tell the one that is below.
4. A device below its floor says totals alone. It could add to a sum over devices into which nobody can look; while a
   server sees each answer by itself, it does not. What is said adds up cell by cell, as such a sum needs it.
5. Of a federation, sums of a class are told where `LEAST_DEVICES` said something of it.

The floors are part of this version of the wire. What is said here is no differential privacy: whoever compares two
answers, of before and after one writer was forgotten, learns of that writer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handfed.shared import wire
from handfed.shared.metrics import Spread, spread_of
from handfed.shared.samples import Samples
from handfed.shared.wire import Reason, RejectedError

if TYPE_CHECKING:
    from handfed.shared.scores import Score  # which loads more than a device that waits needs

LEAST_WRITERS: Final = 10
LEAST_SAMPLES: Final = 10
LEAST_DEVICES: Final = 5
# Where the bins of accuracy begin, in thousandths; they are finer where recognisers are. The last one is of writers
# without an error.
EDGES: Final = (0, 100, 200, 300, 400, 500, 600, 650, 700, 750, 800, 850, 875, 900, 925, 950, 970, 980, 990, 1000)
# How many characters a writer of each bin has at least: an accuracy of 0.99 that is not 1 takes a hundred.
_LEAST_CHARACTERS: Final = tuple(
    next(size for size in range(1, 1001) if any(start * size <= 1000 * right < end * size for right in range(size + 1)))
    for start, end in zip(EDGES, (*EDGES[1:], EDGES[-1] + 1), strict=True)
)
UNKNOWN: Final = -1  # in place of a writer whom nobody named


class ClassCount(NamedTuple):
    """How samples of one class were read.

    Attributes:
        label: The class, in the order of the run's alphabet.
        samples: How many there are.
        correct: Of them, how many were read right.
    """

    label: int
    samples: int
    correct: int


class Confusion(NamedTuple):
    """A cell of the confusion matrix: samples of one class that were read as another.

    Attributes:
        label: The class that was written, in the order of the run's alphabet.
        read: The class that was read, another one.
        samples: How many.
    """

    label: int
    read: int
    samples: int


@dataclass(frozen=True)
class Detail:
    """What is said beside totals.

    Attributes:
        writers: Writers by accuracy, as many as fall between each of `EDGES` and the next; empty where nothing is said.
        classes: Classes, ascending; those of which nothing is said are not there.
        confusions: As which classes those were read that are in `classes`, ascending; said where a file is judged.
    """

    writers: tuple[int, ...] = ()
    classes: tuple[ClassCount, ...] = ()
    confusions: tuple[Confusion, ...] = ()

    def to_metrics(self) -> dict[str, list[int]]:
        """As `wire` names it; nothing is said by leaving it out."""
        names = (wire.CLASSES, wire.CLASS_SAMPLES, wire.CLASS_CORRECT)
        cells = (wire.CONFUSED_WRITTEN, wire.CONFUSED_READ, wire.CONFUSED_SAMPLES)
        columns = zip((*names, *cells), (*_columns(self.classes), *_columns(self.confusions)), strict=True)
        said: dict[str, list[int]] = {wire.WRITERS: list(self.writers), **dict(columns)}
        return {name: values for name, values in said.items() if values}


def confusions_of(read: NDArray[np.int32], samples: Samples) -> Detail:
    """What a device says of classes where a file is judged: how many are read right, and as what the others.

    Args:
        read: int (n,), the class that each sample was read as; of texts anything.
        samples: The n samples.
    """
    if samples.are_texts:
        return Detail()
    classes = _classes(read == samples.labels, samples.labels)
    is_told = np.isin(samples.labels, [one.label for one in classes]) & (read != samples.labels)
    cells, counts = np.unique(np.stack([samples.labels[is_told], read[is_told]]), axis=1, return_counts=True)
    confusions = (Confusion(*map(int, cell)) for cell in zip(*cells, counts, strict=True))
    return Detail(classes=classes, confusions=tuple(confusions))


def detail_of(errors: NDArray[np.int64], samples: Samples, writers: NDArray[np.int32] | None) -> Detail:
    """What a device says of how its held-out samples were read.

    Args:
        errors: int64 (n,), characters of each sample that were read wrong.
        samples: The n samples.
        writers: int (n,), who wrote each, by any number or `UNKNOWN`; None where nobody is known.
    """
    lengths = np.array([len(text) for text in samples.written()], np.int64)
    return Detail(
        () if writers is None else _histogram(errors, lengths, writers),
        () if samples.are_texts else _classes(errors == 0, samples.labels),
    )


def _histogram(errors: NDArray[np.int64], lengths: NDArray[np.int64], writers: NDArray[np.int32]) -> tuple[int, ...]:
    named = writers != UNKNOWN
    known, place = np.unique(writers[named], return_inverse=True)
    if len(known) < LEAST_WRITERS:
        return ()
    written, wrong = np.zeros((2, len(known)), np.int64)
    np.add.at(written, place, lengths[named])
    np.add.at(wrong, place, errors[named])
    right = np.maximum(written - wrong, 0)
    bins = (1000 * right[:, None] >= written[:, None] * np.array(EDGES)).sum(axis=1) - 1
    return tuple(np.bincount(bins, minlength=len(EDGES)).tolist())


def _classes(correct: NDArray[np.bool_], labels: NDArray[np.int32]) -> tuple[ClassCount, ...]:
    samples = np.bincount(labels)
    right = np.bincount(labels[correct], minlength=len(samples))
    shown = np.flatnonzero(samples >= LEAST_SAMPLES)
    if len(shown) and 0 < len(labels) - samples[shown].sum() < LEAST_SAMPLES:
        shown = np.delete(shown, samples[shown].argmin())
    return tuple(ClassCount(label, int(samples[label]), int(right[label])) for label in shown.tolist())


def checked(metrics: Mapping[str, Any], total: Score, classes: int) -> Detail:
    """What a device said beside totals, where it can be so.

    Args:
        metrics: Its answer.
        total: Its totals, which are checked.
        classes: How many the run's alphabet has; 0 of texts.

    Raises:
        RejectedError: It does not fit the totals, or is of fewer writers or samples than a device may tell.
    """
    writers = _numbers(metrics, wire.WRITERS)
    if writers:
        _check_writers(writers, total, right=total.correct if classes else total.characters)
    found = tuple(ClassCount(*row) for row in _rows(metrics, wire.CLASSES, wire.CLASS_SAMPLES, wire.CLASS_CORRECT))
    if found:
        _check_classes(found, total, classes)
    cells = _rows(metrics, wire.CONFUSED_WRITTEN, wire.CONFUSED_READ, wire.CONFUSED_SAMPLES)
    confusions = tuple(Confusion(*cell) for cell in cells)
    if confusions:  # a judgement; an evaluation tells of classes without
        _check_confusions(confusions, found, classes)
    return Detail(writers, found, confusions)


def _rows(metrics: Mapping[str, Any], *names: str) -> list[tuple[int, ...]]:
    columns = [_numbers(metrics, name) for name in names]
    if len({len(column) for column in columns}) > 1:
        raise RejectedError(Reason.CONTENT, "the columns of the classes differ in length")
    return list(zip(*columns, strict=True))


def _numbers(metrics: Mapping[str, Any], name: str) -> tuple[int, ...]:
    values = metrics.get(name, [])
    if not isinstance(values, list):
        raise RejectedError(Reason.CONTENT, f"{name} is no list")
    return tuple(wire.check_count(value, most=2**53, what=name) for value in values)


def _check_writers(writers: tuple[int, ...], total: Score, *, right: int) -> None:
    if len(writers) != len(EDGES) or not LEAST_WRITERS <= sum(writers) <= total.samples:
        raise RejectedError(Reason.COUNT, "the histogram of writers is of other bins, or of too few or too many")
    # Who is not in the last bin made an error, who is not in the first one was read, and some bins take many
    # characters. More does not follow: those whom nobody named are in the totals alone.
    needed = sum(count * least for count, least in zip(writers, _LEAST_CHARACTERS, strict=True))
    if sum(writers[:-1]) > total.edits or sum(writers[1:]) > right or needed > total.characters:
        raise RejectedError(Reason.COUNT, "the histogram of writers does not fit the totals")


def _check_classes(found: tuple[ClassCount, ...], total: Score, classes: int) -> None:
    labels, samples, correct = _columns(found)
    if any(one >= other for one, other in pairwise(labels)) or labels[-1] >= classes:
        raise RejectedError(Reason.CONTENT, "the classes are not ascending ones of the run's alphabet")
    rest, right = total.samples - sum(samples), total.correct - sum(correct)
    if min(samples) < LEAST_SAMPLES or 0 < rest < LEAST_SAMPLES:
        raise RejectedError(Reason.COUNT, "classes of too few samples are told, or can be told from the totals")
    if any(one.correct > one.samples for one in found) or not 0 <= right <= rest:
        raise RejectedError(Reason.COUNT, "the counts of classes do not fit the totals")


def _check_confusions(confusions: tuple[Confusion, ...], found: tuple[ClassCount, ...], classes: int) -> None:
    wrong = Counter[int]()
    for one in confusions:
        wrong[one.label] += one.samples
        if one.label == one.read or one.read >= classes or not one.samples:
            raise RejectedError(
                Reason.CONTENT, "a confusion is of no two classes of the run's alphabet, or of no sample"
            )
    if any(one[:2] >= other[:2] for one, other in pairwise(confusions)):
        raise RejectedError(Reason.CONTENT, "the confusions are not ascending")
    if wrong != Counter({one.label: one.samples - one.correct for one in found if one.samples > one.correct}):
        raise RejectedError(Reason.COUNT, "the confusions are not the wrong readings of the classes that are told")


def combined(details: Iterable[Detail]) -> Detail:
    """What is told of a federation: the sums over its devices, of a class where enough of them said something."""
    writers = np.zeros(len(EDGES), np.int64)
    samples, correct, devices = Counter[int](), Counter[int](), Counter[int]()
    confused = Counter[tuple[int, int]]()
    for detail in details:
        writers += np.array(detail.writers or (0,) * len(EDGES))
        for one in detail.classes:
            samples[one.label] += one.samples
            correct[one.label] += one.correct
            devices[one.label] += 1
        for cell in detail.confusions:
            confused[cell.label, cell.read] += cell.samples
    told = sorted(label for label, count in devices.items() if count >= LEAST_DEVICES)
    return Detail(
        tuple(writers.tolist()) if writers.any() else (),
        tuple(ClassCount(label, samples[label], correct[label]) for label in told),
        tuple(Confusion(*cell, count) for cell, count in sorted(confused.items()) if devices[cell[0]] >= LEAST_DEVICES),
    )


@lru_cache(maxsize=4096)  # of rounds on record, which people look at again and again
def spread(writers: tuple[int, ...], least: int = LEAST_WRITERS) -> Spread | None:
    """How accuracy differs between the writers of a histogram, as if those of a bin lay evenly in it.

    Args:
        writers: As in `Detail`; or devices, in the same bins.
        least: How many there must be, at least 1.

    Returns:
        The spread, each figure at most the width of a bin from what it is; None of fewer than `least`.
    """
    if sum(writers) < least:
        return None
    ends = (*EDGES[1:], EDGES[-1])
    bins = [
        start + (end - start) * (np.arange(count) + 0.5) / max(count, 1)
        for start, end, count in zip(EDGES, ends, writers, strict=True)
    ]
    return spread_of(np.concatenate(bins) / EDGES[-1])


def _columns(rows: tuple[tuple[int, int, int], ...]) -> tuple[list[int], list[int], list[int]]:
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
