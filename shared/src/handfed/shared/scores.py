"""How well samples were read, in counts that add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rapidfuzz.distance import Levenshtein

from handfed.shared.samples import Samples


@dataclass(frozen=True)
class Score:
    """What was counted on samples; `a + b` is the score of both together.

    Attributes:
        samples: How many were read.
        correct: Of them, how many without any error.
        characters: Characters that were written.
        edits: Characters to insert, delete or replace in what was read to make it what was written (Levenshtein).
        nats: Summed loss.
    """

    samples: int = 0
    correct: int = 0
    characters: int = 0
    edits: int = 0
    nats: float = 0.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.samples + other.samples,
            self.correct + other.correct,
            self.characters + other.characters,
            self.edits + other.edits,
            self.nats + other.nats,
        )

    @classmethod
    def of(cls, samples: Samples, read: Sequence[Sequence[int]], nats: float = 0.0) -> Self:
        """Compares what was read with what was written.

        Args:
            samples: What was written.
            read: Classes of each sample.
            nats: Summed loss.
        """
        edits = [Levenshtein.distance(written, found) for written, found in zip(samples.written(), read, strict=True)]
        characters = sum(map(len, samples.written()))
        return cls(len(samples), edits.count(0), characters, sum(edits), nats)
