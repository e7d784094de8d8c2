"""A data set of handwriting: normalised images with their labels and, where known, their writers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from handfed.shared.alphabet import Alphabet
from handfed.shared.samples import END, Samples


@dataclass(frozen=True)
class Dataset:
    """Handwriting of one kind, ready to train on or to evaluate with.

    Readers check everything before they build one, so nothing in it needs a second look.

    Attributes:
        name: Short name, as on the command line.
        alphabet: The classes.
        samples: Images with their labels, which are positions in the alphabet.
        writers: int32 (n,), one number a writer, counted from 0; None where writers are unknown. The numbers mean
            nothing outside this object.
        source: Where the handwriting comes from, in a sentence.
        licence: The licence it may be used under, or "unknown".
        writer_ids: What the writer of each number is called where they were read; None, as nearly always, where that is
            not kept. It is for a device's private store alone: nothing prints, sends or passes it on.
        groups: Text (n,), of what group each sample is by its source, such as pupils or staff, or a script; None where
            it does not say.
    """

    name: str
    alphabet: Alphabet
    samples: Samples
    writers: NDArray[np.int32] | None
    source: str
    licence: str
    writer_ids: tuple[str, ...] | None = field(default=None, repr=False)
    groups: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def images(self) -> NDArray[np.uint8]:
        """The images of `samples`."""
        return self.samples.images

    @property
    def labels(self) -> NDArray[np.int32]:
        """The labels of `samples`."""
        return self.samples.labels

    @property
    def strata(self) -> NDArray[np.int32]:
        """int32 (n,): what is dealt out evenly, or unevenly, by class: the class, and of a text its first."""
        return self.labels if self.labels.ndim == 1 else self.labels[:, 0]

    @cached_property
    def writer_count(self) -> int:
        """How many writers there are; 0 where they are unknown."""
        return 0 if self.writers is None else int(self.writers.max()) + 1

    def class_counts(self) -> NDArray[np.int64]:
        """int64 (classes,): how often each class was written."""
        labels = self.labels
        return np.bincount(labels[labels != END], minlength=len(self.alphabet))

    def take(self, rows: NDArray[np.int64]) -> Dataset:
        """The samples at `rows`, with the same alphabet and the same writer numbers."""
        writers = None if self.writers is None else self.writers[rows]
        groups = None if self.groups is None else self.groups[rows]
        samples = self.samples.take(rows)
        return Dataset(self.name, self.alphabet, samples, writers, self.source, self.licence, groups=groups)
