"""How well samples were read, in counts that add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from handfed.shared.transcripts import Transcripts


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

    @property
    def accuracy(self) -> float:
        """Of characters read right: 1 less the character error rate, at least 0."""
        return max(1 - self.edits / max(self.characters, 1), 0.0)

    def __add__(self, other: Score) -> Score:
        return Score(
            self.samples + other.samples,
            self.correct + other.correct,
            self.characters + other.characters,
            self.edits + other.edits,
            self.nats + other.nats,
        )

    @classmethod
    def of(cls, transcripts: Transcripts, nats: float = 0.0) -> Self:
        """Counts.

        Args:
            transcripts: What was written and read.
            nats: Summed loss.
        """
        errors = transcripts.errors
        correct = int((errors == 0).sum())
        return cls(len(transcripts), correct, int(transcripts.characters.sum()), int(errors.sum()), nats)
