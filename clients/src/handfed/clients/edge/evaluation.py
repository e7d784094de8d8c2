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
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.edge.recogniser import Recogniser
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.lookalikes import accuracies
from handfed.shared.metrics import Spread, spread, worst_confusions
from handfed.shared.samples import END, Samples
from handfed.shared.transcripts import Transcripts

LATENCY_SAMPLES: Final = 500
_PART: Final = 1024  # images between two reports of progress
_NAMED: Final = 20  # classes that a message names
_FOREIGN: Final = END - 1  # in place of a label that the recogniser has no class for


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
        transcripts: What was written and read.
        writers: Spread of accuracy over writers; None where they are unknown.
        latency_ms_median: Milliseconds to read one image, the median.
        images_per_second: In batches.
        threads: Threads of the batches.
        size_bytes: Size of the model file.
        of_texts: Whether samples are words or lines.
    """

    release: int | None
    data: str
    alphabet: Alphabet
    transcripts: Transcripts
    writers: Spread | None
    latency_ms_median: float
    images_per_second: float
    threads: int
    size_bytes: int
    of_texts: bool

    @property
    def samples(self) -> int:
        """How many images were read."""
        return len(self.transcripts)

    @property
    def accuracy(self) -> float:
        """Fraction of characters that were read right: 1 less the character error rate, at least 0."""
        return self.transcripts.accuracy

    @cached_property
    def matrix(self) -> NDArray[np.int64]:
        """int64 (classes + 1, classes + 1): characters by what was written (row) and read (column), or nothing."""
        return self.transcripts.confusions(len(self.alphabet))

    @cached_property
    def classes(self) -> tuple[ClassAccuracy, ...]:
        """The classes that the data has, in the alphabet's order."""
        counts = self.matrix.sum(axis=1).tolist()
        return tuple(
            ClassAccuracy(name, count, int(self.matrix[label, label]) / count)
            for label, (name, count) in enumerate(zip(self.alphabet.names, counts[:-1], strict=True))
            if count
        )

    def confusions(self, most: int) -> list[tuple[str, str, int]]:
        """The most frequent errors as (label, reading, count), most frequent first; empty for nothing."""
        names = (*self.alphabet.names, "")
        return [(names[label], names[reading], count) for label, reading, count in worst_confusions(self.matrix, most)]

    def error_rates(self) -> dict[str, float]:
        """Error rates of words or lines, by name; empty of characters."""
        if not self.of_texts:
            return {}
        return {"cer": self.transcripts.cer, "wer": self.transcripts.wer(self.alphabet)}

    def tolerant(self) -> dict[str, float]:
        """Accuracy where classes that may stand for one another are one, by name (`handfed.shared.lookalikes`)."""
        return accuracies(self.transcripts, self.alphabet)

    def as_json(self, confusions: int) -> dict[str, Any]:
        """All of it by name, with so many confusions."""
        return {
            "release": self.release,
            "data": self.data,
            "samples": self.samples,
            "accuracy": self.accuracy,
            **self.error_rates(),
            **{f"accuracy_{name}": rate for name, rate in self.tolerant().items()},
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
    samples = replace(dataset.samples, labels=_labels(dataset, recogniser.alphabet))
    latency_ms = _latency_ms(alone or recogniser, samples)
    read: list[list[int]] = []
    seconds = 0.0
    for start in range(0, len(samples), _PART):
        part = samples.take(np.arange(start, min(start + _PART, len(samples))))
        started = time.perf_counter()
        read += recogniser.transcribe(part)
        seconds += time.perf_counter() - started
        advance(len(part))
    found = Transcripts(samples.written(), read)
    writers = None if dataset.writers is None else spread(found.errors, found.characters, dataset.writers)
    return Evaluation(
        release=recogniser.release,
        data=dataset.name,
        alphabet=recogniser.alphabet,
        transcripts=found,
        writers=writers,
        latency_ms_median=latency_ms,
        images_per_second=len(dataset) / seconds,
        threads=threads,
        size_bytes=recogniser.size_bytes,
        of_texts=samples.are_texts,
    )


def _labels(dataset: Dataset, alphabet: Alphabet) -> NDArray[np.int32]:
    """The data set's labels as positions in the recogniser's alphabet, of the same shape."""
    positions = {name: position for position, name in enumerate(alphabet.names)}
    mapped = np.array([*(positions.get(name, _FOREIGN) for name in dataset.alphabet.names), END], np.int32)
    labels: NDArray[np.int32] = mapped[dataset.labels]  # of END, -1, the last
    lacking = [dataset.alphabet.names[label] for label in np.unique(dataset.labels[labels == _FOREIGN])]
    if lacking:
        named = ", ".join(repr(name) for name in lacking[:_NAMED]) + (", …" if len(lacking) > _NAMED else "")
        raise DatasetError(
            f"{dataset.name}: the release does not know {len(lacking)} of its classes: {named}; it reads"
            f" {alphabet.summary()}. Leave their samples out, or evaluate a release of that alphabet"
        )
    return labels


def _latency_ms(recogniser: Recogniser, samples: Samples) -> float:
    """Of a sample whose width the model is laid out for: a device that reads many of one width does that once."""
    times = []
    for row in range(min(LATENCY_SAMPLES, len(samples))):
        one = samples.take(np.array([row]))
        if not row or samples.are_texts:
            recogniser.transcribe(one)
        started = time.perf_counter()
        recogniser.transcribe(one)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000
