"""What is recognised: a kind of handwriting, its classes, and what a recogniser sees of it.

A task is named, or a TOML file:

    summary = "House numbers, one a picture"
    kind = "words"              # characters, words or lines
    alphabet = "digits"         # a name of `handfed.shared.alphabets`, or a file beside this one
    recogniser = "tcn"          # the family that a run trains unless it names another
    height = 32                 # pixels, of words and lines

Unknown keys are errors.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Self

from handfed.shared import alphabets
from handfed.shared.errors import SettingError
from handfed.shared.geometry import SIDE
from handfed.shared.recognisers import family

KINDS: Final = ("characters", "words", "lines")
_HEIGHTS: Final = (16, 64)  # pixels, least and most, of words and lines


@dataclass(frozen=True)
class Task:
    """What is recognised.

    Attributes:
        summary: In a few words.
        kind: One of `KINDS`.
        alphabet: A name or file of `handfed.shared.alphabets`.
        recogniser: The family that a run trains unless it names another.
        height: Of the normalised pictures, in pixels; a multiple of 8. Characters are always 28 x 28.
    """

    summary: str
    kind: str = "characters"
    alphabet: str = alphabets.LABELS
    recogniser: str = "cnn"
    height: int = SIDE

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SettingError(f"a task's kind is one of {', '.join(KINDS)}, not {self.kind!r}")
        self.check(self.recogniser)
        least, most = _HEIGHTS
        if self.of_texts and not (least <= self.height <= most and self.height % 8 == 0):
            raise SettingError(f"a task's height is a multiple of 8 from {least} to {most} pixels, not {self.height}")
        if not self.of_texts and self.height != SIDE:
            raise SettingError(f"characters are {SIDE} pixels high, not {self.height}; leave height out")

    @property
    def of_texts(self) -> bool:
        """Whether its samples are words or lines."""
        return self.kind != "characters"

    def check(self, recogniser: str) -> None:
        """Makes sure that a recogniser reads this kind of handwriting.

        Raises:
            SettingError: It does not.
        """
        reads_texts = family(recogniser).columns > 0
        if reads_texts != self.of_texts:
            reads = "words and lines" if reads_texts else "single characters"
            raise SettingError(f"recogniser {recogniser} reads {reads}, and the task is of {self.kind}")

    @classmethod
    def from_toml(cls, text: str, source: str) -> Self:
        """Reads a task file.

        Raises:
            SettingError: It is no TOML, has an unknown key, or a value of another type or out of bounds.
        """
        try:
            return cls._from_mapping(tomllib.loads(text))
        except (tomllib.TOMLDecodeError, SettingError) as error:
            raise SettingError(f"{source}: {error}") from error

    @classmethod
    def _from_mapping(cls, values: Mapping[str, Any]) -> Self:
        known = {field.name: field for field in fields(cls)}
        for key, value in values.items():
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise SettingError(f"a task has no key {key!r}{hint}")
            if type(value).__name__ != known[key].type:
                raise SettingError(f"{key} is {known[key].type}, not {type(value).__name__}")
        if "summary" not in values:
            raise SettingError("a task needs a summary")
        return cls(**values)


TASKS: Final[dict[str, Task]] = {
    "characters": Task("One character a picture; the classes are those of the labels"),
    "digits": Task("One digit a picture", alphabet="digits"),
    "words": Task("A word a picture", "words", recogniser="tcn", height=32),
    "lines": Task("A line a picture", "lines", recogniser="tcn", height=40),
}


def name_of(reference: str) -> str:
    """What a task is called where others see it: its name, or that of its file without the folder."""
    return reference if reference in TASKS else Path(reference).stem


def find(reference: str) -> Task:
    """The task of that name, or in that file.

    Raises:
        SettingError: There is none, or the file is wrong.
    """
    if reference in TASKS:
        return TASKS[reference]
    path = Path(reference)
    if path.suffix != ".toml":
        close = get_close_matches(reference, TASKS, n=1)
        hint = f"did you mean {close[0]}? Choose" if close else "choose"
        raise SettingError(f"there is no task {reference!r}; {hint} of {', '.join(TASKS)}, or name a .toml file")
    try:
        return Task.from_toml(path.read_text(encoding="utf-8"), reference)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingError(f"{reference}: cannot be read ({reason})") from error
