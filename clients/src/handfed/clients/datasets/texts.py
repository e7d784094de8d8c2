"""Texts as positions in an alphabet: what those who labelled pictures have typed, cut into characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from handfed.shared.alphabet import Alphabet

_VIRAMA: Final = 9  # Unicode's combining class of the mark that joins two Indic letters into one


def tokenised(texts: Sequence[str], *, where: str) -> tuple[Alphabet, list[list[int]]]:
    """The alphabet of texts in normalisation form C, and each text as positions in it.

    Raises:
        DatasetError: The texts have fewer than two characters, or a control character.
    """
    tokens = [characters(text) for text in texts]
    alphabet = Alphabet.from_labels([each for text in tokens for each in text], where=where)
    position = {name: index for index, name in enumerate(alphabet.names)}
    return alphabet, [[position[each] for each in text] for text in tokens]


def characters(text: str) -> list[str]:
    """The characters of a text in normalisation form C, as a writer sees them.

    A base, then any marks (Unicode categories M*) and joiners; a virama or a joiner takes the next letter in. This is
    the part of Unicode Annex 29's grapheme clusters that alphabets need, without its tables. Space of any kind and
    length is one `SPACE`.
    """
    found: list[str] = []
    joined = False
    for character in " ".join(text.split()):
        is_mark = unicodedata.category(character).startswith("M")
        is_joiner = character in "\u200c\u200d"
        if found and (joined or is_mark or is_joiner):
            found[-1] += character
        else:
            found.append(character)
        joined = is_joiner or unicodedata.combining(character) == _VIRAMA
    return found
