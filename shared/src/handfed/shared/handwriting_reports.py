"""What a device tells of the handwriting that came since a run had it: how much, and how it looks, in figures.

It is the field `handwriting` of a report of releases (`handfed.shared.release_reports`); who does not know it passes it
over. It is for the policy that decides when to learn anew (`handfed.shared.learning`).

    {"release": 3, "fresh": 120,
     "known":  {"ink": [20, 0.131, 0.0212], "slant": [20, -0.235, 0.139], "class-4": [20, 0.101, 0.05], ...},
     "recent": {"ink": [10, 0.118, 0.0225], ...},
     "held_out": 640, "right": 633, "feedback": 30, "feedback_used": 210}

A figure is of writers, each counted by the mean over their samples: how many, the mean over them, and their standard
deviation. `known` is what finished runs trained on or held out, `recent` what came later. Of what is held
out, `right` is what the release reads without an error; both are 0 below `disclosure.LEAST_SAMPLES` samples. `feedback`
is what of the fresh samples people corrected or confirmed, `feedback_used` what of such finished runs could train on;
both came later than the rest, and may be absent.

Rules, beside those of `handfed.shared.disclosure`:
1. Counts of samples are rounded down to tens.
2. A figure is of whole groups of ten writers, in the order in which they came: two reports in a row differ by ten
   people or none. Who has no name is in none.
3. Figures have three significant digits, of at most `MOST_WRITERS` writers and `EACH` samples of each.
4. A class is told where `disclosure.LEAST_SAMPLES` samples were read as it, by its place in the release's alphabet, and
   only if what is not told is nothing or as many.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from handfed.shared.disclosure import LEAST_SAMPLES, LEAST_WRITERS

INK: Final = "ink"
STROKE_WIDTH: Final = "stroke-width"
SLANT: Final = "slant"
CONFIDENCE: Final = "confidence"
APPEARANCE: Final = (INK, STROKE_WIDTH, SLANT)
STEP: Final = 10  # samples, to which counts are rounded down
EACH: Final = 20  # samples of a writer that a figure takes
LEAST_OF_WRITER: Final = 5  # samples without which a writer is in no figure
MOST_WRITERS: Final = 100  # of a figure, the last to come
MOST_CLASSES: Final = 100  # that are told of
MOST_FRESH: Final = 10**7
_CLASS: Final = re.compile(r"class-(0|[1-9][0-9]{0,4})")
_DIGITS: Final = 3
_LARGEST: Final = 1e6


class Figure(NamedTuple):
    """A figure over writers.

    Attributes:
        writers: How many.
        mean: Over them.
        deviation: Their standard deviation, of a sample (n - 1).
    """

    writers: int
    mean: float
    deviation: float


@dataclass(frozen=True)
class HandwritingReport:
    """What a device tells of its handwriting.

    Attributes:
        release: That the device uses, which read it.
        fresh: Usable samples that no finished run had, rounded down to tens.
        known: Figures of what finished runs had, by name.
        recent: Of what came later.
        held_out: Samples that are held out and that the release has read.
        right: Of these, how many it read without an error.
        feedback: Of the fresh samples, those of which a person said what they are, rounded down to tens.
        feedback_used: Of such, those that finished runs could train on, rounded down to tens.
    """

    release: int
    fresh: int
    known: Mapping[str, Figure] = field(default_factory=dict)
    recent: Mapping[str, Figure] = field(default_factory=dict)
    held_out: int = 0
    right: int = 0
    feedback: int = 0
    feedback_used: int = 0

    def to_json(self) -> dict[str, Any]:
        """As it travels."""
        known, recent = ({name: list(each) for name, each in side.items()} for side in (self.known, self.recent))
        counts = {name: getattr(self, name) for name in ("held_out", "right", "feedback", "feedback_used")}
        return {"release": self.release, "fresh": self.fresh, "known": known, "recent": recent, **counts}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Reads one.

        Raises:
            ValueError: It is none, or tells what a device may not.
        """
        if not isinstance(value, Mapping):
            raise ValueError("it is no JSON object")  # noqa: TRY004 - of a document, a wrong type is a wrong value
        release = value.get("release")
        if type(release) is not int or not 0 < release < 2**31:
            raise ValueError("its release is no number of one")
        fresh = _told(value.get("fresh"))
        feedback, used = (_told(value.get(name, 0)) for name in ("feedback", "feedback_used"))
        if feedback > fresh:
            raise ValueError("its feedback is more than all that is new")
        known, recent = (_figures(value.get(side)) for side in ("known", "recent"))
        held_out, right = (value.get(name, 0) for name in ("held_out", "right"))
        if type(held_out) is not int or type(right) is not int or not 0 <= right <= held_out <= MOST_FRESH:
            raise ValueError("its counts of what is held out cannot be")
        if 0 < held_out < LEAST_SAMPLES:
            raise ValueError("it tells of too few samples that are held out")
        return cls(release, fresh, known, recent, held_out, right, feedback, used)


def class_name(place: int) -> str:
    """The name of a class's figure: the share of readings that were of it."""
    return f"class-{place}"


def is_class(name: str) -> bool:
    """Whether a figure is of a class."""
    return _CLASS.fullmatch(name) is not None


def rounded(value: float) -> float:
    """A value to as many digits as are told."""
    return float(f"{value:.{_DIGITS}g}")


def in_tens(count: int) -> int:
    """A count of samples as it is told: rounded down to tens."""
    return min(count, MOST_FRESH) // STEP * STEP


def _told(count: object) -> int:
    if type(count) is not int or not 0 <= count <= MOST_FRESH or count % STEP:
        raise ValueError(f"a count of samples is no whole number of tens up to {MOST_FRESH}")
    return count


def _figures(value: object) -> dict[str, Figure]:
    if not isinstance(value, Mapping) or len(value) > len(APPEARANCE) + 1 + MOST_CLASSES:
        raise ValueError("its figures are no JSON object, or too many")
    return {_name(name): _figure(each) for name, each in value.items()}


def _name(name: object) -> str:
    if not isinstance(name, str) or not (name in {*APPEARANCE, CONFIDENCE} or is_class(name)):
        raise ValueError("it has a figure of an unknown name")
    return name


def _figure(value: object) -> Figure:
    if not isinstance(value, list) or len(value) != len(Figure._fields):
        raise ValueError("a figure is three numbers")
    writers, *others = value
    if type(writers) is not int or not LEAST_WRITERS <= writers <= MOST_WRITERS or writers % LEAST_WRITERS:
        raise ValueError(f"a figure is of whole groups of {LEAST_WRITERS} writers")
    if any(type(each) not in {int, float} or not math.isfinite(each) or abs(each) > _LARGEST for each in others):
        raise ValueError("a figure's mean and deviation are numbers")
    mean, deviation = map(float, others)
    if deviation < 0:
        raise ValueError("a deviation is negative")
    return Figure(writers, mean, deviation)
