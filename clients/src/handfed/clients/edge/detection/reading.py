"""Reading all characters of a page: each candidate as a whole, and wide ones through a sliding window as well.

Rules:
1. Characters that touch are one component. A window of several widths slides over every component that is wide for one
   character, and what it holds is read at each place.
2. A window is worth what the best way to part its component with it is worth: the product of the confidences of the
   window and of those beside it, left and right, up to the component's ends. So a stroke that alone looks like a one
   counts for nothing if the rest is no character, and a whole character stays whole: each part costs confidence.
3. Of boxes that overlap the best stays (non-maximum suppression), and of a component only the best way to part it.

Source: the windows are those of segmentation by recognition (Casey and Lecolinet, "A survey of methods and strategies
in character segmentation", IEEE TPAMI 18, 1996); rule 2 gives the max-marginals of its Viterbi search.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress as unless
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from handfed.clients.edge.detection.boxes import Box, lines_of, suppress
from handfed.clients.edge.detection.characters import Found, find
from handfed.clients.edge.recogniser import ALTERNATIVES, Reading, Readings
from handfed.shared.errors import ImageError
from handfed.shared.geometry import SIDE
from handfed.shared.images import normalise

# In heights of the component, or of a usual character if that is lower:
_WIDE: Final = 0.9  # a component from which on it may be two
_NARROWEST: Final = 0.2  # a window
_WIDEST: Final = 1.15
_STEP: Final = 1 / 12  # between the places where a window may start and end
_TALL: Final = 1.3  # usual heights: more is not what a single character is measured by
_TOO_WIDE: Final = 8.0  # a component that is no few characters, but a flourish or a line
_LEAST: Final = 1e-6  # a confidence
_TIED: Final = 0.999  # of the best, what differs from it by rounding alone
_MANY: Final = 20_000  # windows of a page, after which no more components are parted: it is a texture
_BATCH: Final = 2048  # images that are read at once: a page of cursive has many windows


class Reader(Protocol):
    """What is needed of a recogniser: a `handfed.clients.edge.Recogniser` of characters is one."""

    def read(self, picture: NDArray[np.uint8], *, alternatives: int = ...) -> Reading:
        """Reads a picture of one character, uint8 (height, width)."""
        ...

    def read_all(self, images: NDArray[np.uint8]) -> Readings:
        """Reads normalised images, uint8 (n, 28, 28)."""
        ...


@dataclass(frozen=True)
class BoxReading:
    """What a recogniser says of a part of a picture.

    Attributes:
        box: Where it is, in the picture's pixels.
        text: The class it takes it for.
        confidence: Probability of that class, 0 to 1.
        alternatives: The next classes with their probabilities, most probable first.
    """

    box: Box
    text: str
    confidence: float
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class PageReading:
    """What a recogniser says of a page.

    Attributes:
        lines: From top to bottom, each from left to right; none of a blank page.
    """

    lines: tuple[tuple[BoxReading, ...], ...]

    @property
    def text(self) -> str:
        """The lines' texts, joined by newlines."""
        return "\n".join("".join(each.text for each in line) for line in self.lines)

    @property
    def boxes(self) -> list[BoxReading]:
        """All characters, in reading order."""
        return [each for line in self.lines for each in line]


@dataclass(frozen=True)
class _Window:
    """A part of a candidate, from one cut to another; a whole candidate goes from its first cut to its last."""

    candidate: int
    box: Box
    first: int
    last: int


def find_characters(picture: NDArray[np.uint8]) -> list[Box]:
    """Finds what may be characters, by their ink alone: characters that touch are one.

    Args:
        picture: uint8 (height, width), grey, dark on light or light on dark.

    Returns:
        Their boxes in the picture's pixels, in reading order; none of a blank page.

    Raises:
        ImageError: The picture is of another form.
    """
    found = find(picture)
    boxes = [found.in_picture(box, picture.shape) for box in found.boxes]
    return [boxes[each] for line in lines_of(boxes) for each in line]


def read_page(recogniser: Reader, picture: NDArray[np.uint8], *, alternatives: int = ALTERNATIVES) -> PageReading:
    """Reads all characters of a page.

    Args:
        recogniser: Of characters.
        picture: uint8 (height, width), grey, dark on light or light on dark.
        alternatives: How many alternatives to name of each, at most.

    Raises:
        ImageError: The picture is of another form.
    """
    found = find(picture)
    readings = []
    for window in _chosen(recogniser, found):
        reading = recogniser.read(found.cut(window.candidate, window.box), alternatives=alternatives)
        box = found.in_picture(window.box, picture.shape)
        readings.append(BoxReading(box, reading.text, reading.confidence, reading.alternatives))
    lines = lines_of([each.box for each in readings])
    return PageReading(tuple(tuple(readings[each] for each in line) for line in lines))


def read_boxes(recogniser: Reader, picture: NDArray[np.uint8], *, alternatives: int = ALTERNATIVES) -> list[BoxReading]:
    """As `read_page`, in reading order but without the lines."""
    return read_page(recogniser, picture, alternatives=alternatives).boxes


def _chosen(recogniser: Reader, found: Found) -> list[_Window]:
    """The windows that stay."""
    windows: list[list[_Window]] = []
    count = 0
    for candidate in range(len(found.boxes)):
        windows.append(_windows(found, candidate, parted=count < _MANY))
        count += len(windows[-1])
    confidences = _confidences(recogniser, found, [each for own in windows for each in own])
    ends = np.cumsum([len(own) for own in windows]).tolist()
    worth = [_worth(own, confidences[end - len(own) : end]) for own, end in zip(windows, ends, strict=True)]
    best = [each.max() for each in worth]
    together = [each for own in windows for each in own]
    scores = [score for each in worth for score in each.tolist()]
    kept = suppress([each.box for each in together], scores)
    return [together[each] for each in kept if scores[each] >= _TIED * best[together[each].candidate]]


def _windows(found: Found, candidate: int, *, parted: bool) -> list[_Window]:
    """A candidate as a whole and, if it is wide, what is between any two cuts that a character fits between."""
    box = found.boxes[candidate]
    height = min(box.height, _TALL * found.height)
    steps = round(box.width / height / _STEP)
    if not parted or not _WIDE <= box.width / height <= _TOO_WIDE:
        return [_Window(candidate, box, 0, 1)]
    columns = np.linspace(box.left, box.right, steps + 1).round().astype(np.int64).tolist()
    parts = [_Window(candidate, box, 0, steps)]
    own = found.holds(candidate, box)
    for first in range(steps):
        for last in range(first + 1, steps + (first > 0)):  # the whole is there already
            left, right = columns[first], columns[last]
            rows = np.flatnonzero(own[:, left - box.left : right - box.left].any(axis=1))
            if len(rows) and _NARROWEST * height <= right - left <= _WIDEST * height:
                tight = Box(left, box.top + int(rows[0]), right, box.top + int(rows[-1]) + 1)
                parts.append(_Window(candidate, tight, first, last))
    return parts


def _confidences(recogniser: Reader, found: Found, windows: Sequence[_Window]) -> NDArray[np.float64]:
    """How sure the recogniser is of each window, float64 (n,); 0 where there is no ink that it could read."""
    result = np.zeros(len(windows))
    for start in range(0, len(windows), _BATCH):
        images = np.zeros((min(_BATCH, len(windows) - start), SIDE, SIDE), np.uint8)
        for row, window in enumerate(windows[start : start + _BATCH]):
            with unless(ImageError):
                images[row] = normalise(found.cut(window.candidate, window.box))
        inked = images.any(axis=(1, 2))
        result[start : start + len(images)] = recogniser.read_all(images).confidences * inked
    return result


def _worth(windows: Sequence[_Window], confidences: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each window of a candidate is worth (rule 2), float64 (n,), 0 to 1."""
    own = np.log(np.maximum(confidences, _LEAST))
    before, after = (np.full(max(window.last for window in windows) + 1, -np.inf) for _ in range(2))
    before[0] = after[-1] = 0
    for each in sorted(range(len(windows)), key=lambda each: windows[each].first):
        first, last = windows[each].first, windows[each].last
        before[last] = max(before[last], before[first] + own[each])
    for each in sorted(range(len(windows)), key=lambda each: -windows[each].last):
        first, last = windows[each].first, windows[each].last
        after[first] = max(after[first], own[each] + after[last])
    ends = np.array([(window.first, window.last) for window in windows])
    return np.asarray(np.exp(before[ends[:, 0]] + own + after[ends[:, 1]]), np.float64)
