"""The classes that a recogniser tells apart, in the order of its outputs.

Each class name is a Unicode text in normalisation form C (Unicode Annex 15), so that an `é` typed in two ways is one
class. A name is usually one character; a script whose characters have no code point may use longer names. Lines have a
class for the space between words; no other name is blank.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from handfed.shared.errors import DatasetError

SPACE: Final = " "  # between words: a class of lines


@dataclass(frozen=True)
class Alphabet:
    """An ordered set of class names.

    Attributes:
        names: The class names; position `i` is the recogniser's output `i`.
    """

    names: tuple[str, ...]

    @classmethod
    def of(cls, names: Sequence[str], *, where: str) -> Self:
        """Builds an alphabet from class names as they were read.

        Args:
            names: Class names in output order.
            where: What is read, for the message of an error.

        Raises:
            DatasetError: There are fewer than two names, one is empty or holds a control character (which a terminal
                would obey), or two are the same after normalisation.
        """
        normalised = [unicodedata.normalize("NFC", name) for name in names]
        if len(normalised) < 2:  # noqa: PLR2004 - with one class there is nothing to tell apart
            raise DatasetError(f"{where}: a recogniser needs at least two classes, and this has {len(normalised)}")
        seen: set[str] = set()
        for position, name in enumerate(normalised):
            if not name.strip() and name != SPACE:
                raise DatasetError(f"{where}: class {position} has an empty name; give every class a name")
            if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
                raise DatasetError(f"{where}: class {position} has a control character in its name {name!a}")
            if name in seen:
                raise DatasetError(f"{where}: class {position} repeats the name {name!r}; names must differ")
            seen.add(name)
        return cls(tuple(normalised))

    @classmethod
    def from_labels(cls, labels: Sequence[str], *, where: str) -> Self:
        """The alphabet of the labels that occur, in code point order."""
        return cls.of(sorted({unicodedata.normalize("NFC", label) for label in labels}), where=where)

    def __len__(self) -> int:
        return len(self.names)

    def index(self, label: str, *, where: str) -> int:
        """The output that stands for `label`.

        Raises:
            DatasetError: The label is not of this alphabet.
        """
        try:
            return self.names.index(unicodedata.normalize("NFC", label))
        except ValueError:
            raise DatasetError(f"{where}: label {label!r} is not in the alphabet {self.summary()}") from None

    def text_of(self, text: Sequence[int]) -> str:
        """The text of some classes."""
        return "".join(self.names[label] for label in text)

    def tokenise(self, text: str) -> list[str]:
        """Cuts a text into class names, the longest that fits first; a character of no class stands for itself."""
        return self._names_or_any.findall(unicodedata.normalize("NFC", text))

    @cached_property
    def _names_or_any(self) -> re.Pattern[str]:
        longest_first = sorted(self.names, key=len, reverse=True)
        return re.compile("|".join([*map(re.escape, longest_first), "."]), re.DOTALL)

    def summary(self) -> str:
        """The alphabet on a line, cut where it is long."""
        shown = " ".join(self.names[:62])
        return shown if len(self.names) <= 62 else f"{shown} … ({len(self.names)} classes)"  # noqa: PLR2004
