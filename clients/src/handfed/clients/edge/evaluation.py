"""How well and how fast a release reads a data set, on this machine.

Rules:
1. Classes are matched by name, not by number: a data set may list its classes in another order, or have fewer.
2. Latency is of one normalised image at a time, with one thread; throughput is of batches, with as many as asked for.
3. What is reported counts; it names no writer and no image.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.edge.recogniser import Recogniser
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.metrics import Spread, confusion_matrix, spread, worst_confusions

LATENCY_SAMPLES: Final = 500
_PART: Final = 1024  # images between two reports of progress
_NAMED: Final = 20  # classes that a message names


@dataclass(frozen=True)
class ClassAccuracy:
    """How one class is read."""

    name: str
    samples: int
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """What was measured; rates are fractions.

    Attributes:
        release: The release's number; None of a bare file.
        data: Name of the data set.
        alphabet: The recogniser's classes.
        matrix: int64 (classes, classes), samples by label (row) and reading (column).
        writers: Spread of accuracy over writers; None where they are unknown.
        latency_ms_median: Milliseconds to read one image, the median.
        images_per_second: In batches.
        threads: Threads of the batches.
        size_bytes: Size of the model file.
    """

    release: int | None
    data: str
    alphabet: Alphabet
    matrix: NDArray[np.int64]
    writers: Spread | None
    latency_ms_median: float
    images_per_second: float
    threads: int
    size_bytes: int

    @property
    def samples(self) -> int:
        """How many images were read."""
        return int(self.matrix.sum())

    @property
    def accuracy(self) -> float:
        """Fraction of images that were read right."""
        return float(self.matrix.trace() / self.matrix.sum())

    @cached_property
    def classes(self) -> tuple[ClassAccuracy, ...]:
        """The classes that the data has, in the alphabet's order."""
        counts = self.matrix.sum(axis=1).tolist()
        return tuple(
            ClassAccuracy(name, count, int(self.matrix[label, label]) / count)
            for label, (name, count) in enumerate(zip(self.alphabet.names, counts, strict=True))
            if count
        )

    def confusions(self, most: int) -> list[tuple[str, str, int]]:
        """The most frequent errors as (label, reading, count), most frequent first."""
        names = self.alphabet.names
        return [(names[label], names[reading], count) for label, reading, count in worst_confusions(self.matrix, most)]

    def as_json(self, confusions: int) -> dict[str, Any]:
        """All of it by name, with so many confusions."""
        return {
            "release": self.release,
            "data": self.data,
            "samples": self.samples,
            "accuracy": self.accuracy,
            "writers": None if self.writers is None else self.writers.as_json(),
            "latency_ms_median": self.latency_ms_median,
            "size_bytes": self.size_bytes,
            "images_per_second": self.images_per_second,
            "threads": self.threads,
            "classes": [vars(each) for each in self.classes],
            "confusions": [
                {"label": label, "reading": reading, "count": count}
                for label, reading, count in self.confusions(confusions)
            ],
        }


def evaluate(
    recogniser: Recogniser,
    dataset: Dataset,
    *,
    threads: int = 1,
    alone: Recogniser | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Reads a whole data set.

    Args:
        recogniser: What reads in batches.
        dataset: At least one sample.
        threads: How many threads `recogniser` was opened with.
        alone: The same release with one thread, to measure latency with; needed when `threads` is not 1.
        advance: Told how many images were read since it was last told.

    Raises:
        DatasetError: The data set has classes that the recogniser lacks.
    """
    labels = _labels(dataset, recogniser.alphabet)
    latency_ms = _latency_ms(alone or recogniser, dataset.images[:LATENCY_SAMPLES])
    readings = np.empty(len(dataset), np.int32)
    seconds = 0.0
    for start in range(0, len(dataset), _PART):
        part = dataset.images[start : start + _PART]
        started = time.perf_counter()
        readings[start : start + len(part)] = recogniser.read_all(part).labels
        seconds += time.perf_counter() - started
        advance(len(part))
    return Evaluation(
        release=recogniser.release,
        data=dataset.name,
        alphabet=recogniser.alphabet,
        matrix=confusion_matrix(labels, readings, len(recogniser.alphabet)),
        writers=None if dataset.writers is None else spread(readings == labels, dataset.writers),
        latency_ms_median=latency_ms,
        images_per_second=len(dataset) / seconds,
        threads=threads,
        size_bytes=recogniser.size_bytes,
    )


def _labels(dataset: Dataset, alphabet: Alphabet) -> NDArray[np.int32]:
    """The data set's labels as positions in the recogniser's alphabet, int32 (n,)."""
    positions = {name: position for position, name in enumerate(alphabet.names)}
    mapped = np.array([positions.get(name, -1) for name in dataset.alphabet.names], np.int32)
    labels: NDArray[np.int32] = mapped[dataset.labels]
    lacking = [dataset.alphabet.names[label] for label in np.unique(dataset.labels[labels < 0])]
    if lacking:
        named = ", ".join(repr(name) for name in lacking[:_NAMED]) + (", …" if len(lacking) > _NAMED else "")
        raise DatasetError(
            f"{dataset.name}: the release does not know {len(lacking)} of its classes: {named}; it reads"
            f" {alphabet.summary()}. Leave their samples out, or evaluate a release of that alphabet"
        )
    return labels


def _latency_ms(recogniser: Recogniser, images: NDArray[np.uint8]) -> float:
    recogniser.read_all(images[:1])  # lays the model out for a batch of one
    times = []
    for row in range(len(images)):
        started = time.perf_counter()
        recogniser.read_all(images[row : row + 1])
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000
