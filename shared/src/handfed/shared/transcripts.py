"""What was written beside what was read, sample by sample, and what is counted of it.

A single character is a text of one class, so that one arithmetic serves characters, words and lines: an error is a
character to insert, delete or replace (Levenshtein 1966, counted by RapidFuzz), errors a character are the character
error rate (CER), and of single characters one less the CER is accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import MissingExtraError

try:
    from rapidfuzz.distance import Levenshtein
except ModuleNotFoundError:  # a device that only reads has no need of it
    raise MissingExtraError("RapidFuzz", "handfed-clients[evaluate]") from None

Text = Sequence[int]  # classes, in reading order


@dataclass(frozen=True)
class Transcripts:
    """Samples as they were written and as they were read.

    Attributes:
        written: The classes of each sample.
        read: What was read of each.
    """

    written: Sequence[Text]
    read: Sequence[Text]

    @classmethod
    def of_characters(cls, written: NDArray[np.int32], read: NDArray[np.int32]) -> Self:
        """Of single characters, int (n,) classes."""
        return cls(written[:, None].tolist(), read[:, None].tolist())

    def __len__(self) -> int:
        return len(self.written)

    @cached_property
    def characters(self) -> NDArray[np.int64]:
        """int64 (n,): how many characters each sample shows."""
        return np.array([len(text) for text in self.written], np.int64)

    @cached_property
    def errors(self) -> NDArray[np.int64]:
        """int64 (n,): how many characters of what was read must change to make it what was written."""
        pairs = zip(self.written, self.read, strict=True)
        return np.array([Levenshtein.distance(written, read) for written, read in pairs], np.int64)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Bool (n,): whether each was read without an error."""
        return np.equal(self.errors, 0)

    @property
    def cer(self) -> float:
        """Character error rate: errors a character, over all samples; at least one."""
        return float(self.errors.sum() / self.characters.sum())

    @property
    def accuracy(self) -> float:
        """One less the CER, at least 0: of single characters the fraction that is right."""
        return max(1 - self.cer, 0.0)

    def merged(self, classes: NDArray[np.int32]) -> Transcripts:
        """The same, with each class taken for another.

        Args:
            classes: int32 (classes,), what each class counts as.
        """
        taken = classes.tolist()
        return Transcripts(
            *([[taken[label] for label in text] for text in texts] for texts in (self.written, self.read))
        )

    def wer(self, alphabet: Alphabet) -> float:
        """Word error rate: words to insert, delete or replace, a word that was written.

        Args:
            alphabet: The classes; words are what a space parts.
        """
        import jiwer  # not on the way to reading a picture

        written, read = ([alphabet.text_of(text) for text in texts] for texts in (self.written, self.read))
        return float(jiwer.wer(written, read))

    def confusions(self, classes: int) -> NDArray[np.int64]:
        """int64 (classes + 1, classes + 1): characters by what was written (row) and read (column), as aligned.

        The last row holds what was read where nothing was written, and the last column what was not read.
        """
        cells: list[int] = []
        for written, read in zip(self.written, self.read, strict=True):
            for aligned in Levenshtein.opcodes(written, read):
                one, other = written[aligned.src_start : aligned.src_end], read[aligned.dest_start : aligned.dest_end]
                nothing = [classes] * max(len(one), len(other))
                one, other = one or nothing, other or nothing
                cells += [row * (classes + 1) + column for row, column in zip(one, other, strict=True)]
        return np.bincount(cells, minlength=(classes + 1) ** 2).reshape(classes + 1, classes + 1)
