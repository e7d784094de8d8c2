"""Character and word error rates of texts, in counts that add up.

A character is a class of the alphabet, so that a letter with its accent is one, and the character error rate is that of
`handfed.shared.scores.Score`. A word is what stands between spaces. Both are counted by jiwer, whose rates are those of
the literature: edits (Levenshtein) of what was read, to make it what was written, over what was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import jiwer

from handfed.shared.alphabet import Alphabet


@dataclass(frozen=True)
class TextErrors:
    """What was counted on texts; `a + b` is that of both together.

    Attributes:
        characters: Characters that were written.
        character_edits: Characters to insert, delete or replace.
        words: Words that were written.
        word_edits: Words to insert, delete or replace.
    """

    characters: int = 0
    character_edits: int = 0
    words: int = 0
    word_edits: int = 0

    def __add__(self, other: TextErrors) -> TextErrors:
        return TextErrors(
            self.characters + other.characters,
            self.character_edits + other.character_edits,
            self.words + other.words,
            self.word_edits + other.word_edits,
        )

    @classmethod
    def of(cls, written: Sequence[str], read: Sequence[str], alphabet: Alphabet) -> Self:
        """Compares texts, each with the one at its place.

        Args:
            written: What was written.
            read: What was read.
            alphabet: Whose classes count as characters; a character of no class counts as one too.

        Raises:
            ValueError: They are not equally many.
        """
        spelled = _Spelled(alphabet)
        by_character = jiwer.process_words(list(written), list(read), spelled, spelled)
        by_word = jiwer.process_words(list(written), list(read))
        return cls(*_written_and_edits(by_character), *_written_and_edits(by_word))

    @property
    def character_error_rate(self) -> float:
        """Edits a character that was written (CER); may exceed 1. 0 of no text."""
        return self.character_edits / max(self.characters, 1)

    @property
    def word_error_rate(self) -> float:
        """Edits a word that was written (WER); may exceed 1. 0 of no text."""
        return self.word_edits / max(self.words, 1)


class _Spelled(jiwer.AbstractTransform):
    """jiwer's `ReduceToListOfListOfChars`, of classes."""

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet = alphabet

    def process_list(self, inp: list[str]) -> list[list[str]]:
        return [self._alphabet.spell(text) for text in inp]


def _written_and_edits(found: jiwer.WordOutput) -> tuple[int, int]:
    edits = found.substitutions + found.deletions + found.insertions
    return found.hits + found.substitutions + found.deletions, edits
