"""A data set of handwritten characters: normalised images with their labels and, where known, their writers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from handfed.shared.alphabet import Alphabet


@dataclass(frozen=True)
class Dataset:
    """Handwritten characters, ready to train on or to evaluate with.

    Readers check everything before they build one, so nothing in it needs a second look.

    Attributes:
        name: Short name, as on the command line.
        alphabet: The classes.
        images: uint8 (n, 28, 28), normalised by `handfed.shared.images`: 0 is paper, 255 is ink.
        labels: int32 (n,), positions in the alphabet.
        writers: int32 (n,), one number a writer, counted from 0; None where writers are unknown. The numbers mean
            nothing outside this object: writers' own ids are not kept.
        source: Where the handwriting comes from, in a sentence.
        licence: The licence it may be used under, or "unknown".
    """

    name: str
    alphabet: Alphabet
    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    writers: NDArray[np.int32] | None
    source: str
    licence: str

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def writer_count(self) -> int:
        """How many writers there are; 0 where they are unknown."""
        return 0 if self.writers is None else int(self.writers.max()) + 1

    def class_counts(self) -> NDArray[np.int64]:
        """int64 (classes,): how many samples each class has."""
        return np.bincount(self.labels, minlength=len(self.alphabet))

    def take(self, rows: NDArray[np.int64]) -> Dataset:
        """The samples at `rows`, with the same alphabet and the same writer numbers."""
        writers = None if self.writers is None else self.writers[rows]
        return Dataset(
            self.name, self.alphabet, self.images[rows], self.labels[rows], writers, self.source, self.licence
        )
