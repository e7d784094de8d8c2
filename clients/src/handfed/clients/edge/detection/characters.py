"""The characters of a page, as far as its ink alone shows them: connected components, joined if they are parts of one.

Rules:
1. What is small beside the writing is no character: a speck, a full stop. All sizes are in heights of a usual
   character, the median over components, where a large one counts for more.
2. Parts one above another are joined if one is low or the gap is narrow: an i and its dot, both bars of `=`, both
   dots of `:`, a stroke that a removed line broke. Two characters of neighbouring lines are neither.
3. Parts whose boxes overlap by half of the smaller are joined, and so is a small part to what it nearly touches.
4. Writing that is tall for a picture is looked for anew in the picture at half its size, as rule 1 of
   `handfed.clients.edge.detection.ink` holds of strokes that are thinner than its window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.edge.detection import ink
from handfed.clients.edge.detection.boxes import Box, around, intersection_over_smaller
from handfed.shared import ink_runs
from handfed.shared.images import check

_SMALLEST: Final = 8  # pixels, the longer side of a character
_LARGEST: Final = 100  # pixels, the usual height, above which the picture is halved
_MANY: Final = 5_000  # components; of a texture, which has more, the largest are taken
# In usual heights:
_SPECK: Final = 0.25  # the longer side of a character
_GRAIN: Final = 0.08  # the longer side of the smallest part of a character
_PART: Final = 0.5  # a dot, an accent; the height of a bar
_APART: Final = 0.4  # between a low part and what is below or above it
_BROKEN: Final = 0.12  # between the ends of a broken stroke
_TALLEST: Final = 1.6  # of what is joined
_GIANT: Final = 4.0  # the height from which on it is no writing: a shadow's edge, a frame


@dataclass(frozen=True)
class Found:
    """The candidates of a page, and the page to cut them from.

    Attributes:
        boxes: Of each candidate, in pixels of `strength`.
        parts: The components of each candidate, numbers in `labels`.
        labels: int32 (height, width), the component of each pixel of ink, and 0 of paper.
        strength: uint8 (height, width), how strong the ink is.
        height: Usual height of a character, in pixels of `strength`.
        scale: How many of the picture's pixels are one of `strength`, in each direction.
    """

    boxes: list[Box]
    parts: list[tuple[int, ...]]
    labels: NDArray[np.int32]
    strength: NDArray[np.uint8]
    height: float
    scale: int

    def holds(self, candidate: int, box: Box) -> ink.Mask:
        """Which pixels in a box are of a candidate, bool (height, width)."""
        return np.isin(self.labels[box.top : box.bottom, box.left : box.right], self.parts[candidate])

    def cut(self, candidate: int, box: Box) -> NDArray[np.uint8]:
        """A picture of what a box holds of a candidate, without its neighbours, light on a black margin.

        Returns:
            uint8 (height + 6, width + 6), less where the box is at the page's edge.
        """
        rows = slice(max(box.top - 1, 0), box.bottom + 1)
        columns = slice(max(box.left - 1, 0), box.right + 1)
        own = np.isin(self.labels[rows, columns], self.parts[candidate])
        own[:, : box.left - columns.start] = False
        own[:, box.right - columns.start :] = False
        soft = ink_runs.with_neighbours(ink_runs.with_neighbours(own).T).T  # a stroke's edge is fainter
        return np.pad(np.where(soft, self.strength[rows, columns], np.uint8(0)), 2)

    def in_picture(self, box: Box, shape: tuple[int, ...]) -> Box:
        """A box in the picture's own pixels; `shape` is (height, width) of the picture."""
        left, top, right, bottom = (self.scale * edge for edge in box)
        return Box(left, top, min(right, shape[1]), min(bottom, shape[0]))


def find(picture: NDArray[np.uint8]) -> Found:
    """Finds what may be characters.

    Args:
        picture: uint8 (height, width), grey, dark on light or light on dark, of any size that normalisation takes.

    Raises:
        ImageError: The picture is of another form.
    """
    check(picture)
    scale = 1
    found = _find(picture, scale)
    while found.height > _LARGEST:
        picture, scale = _halved(picture), 2 * scale
        found = _find(picture, scale)
    return found


def _find(picture: NDArray[np.uint8], scale: int) -> Found:
    page = ink.part(picture)
    found = ink_runs.of(page.ink)
    component = ink_runs.components(found)
    boxes, area = _measure(found, component)
    ruled = np.bincount(component, _length_within(found, page.ruled), minlength=len(area))
    height = _usual_height(boxes, area)
    kept = [
        each
        for each in np.argsort(-area, kind="stable")[:_MANY].tolist()
        if boxes[each].height <= _GIANT * height
        and max(boxes[each].width, boxes[each].height) >= max(2, _GRAIN * height)
        and 2 * ruled[each] < area[each]
    ]
    labels = np.zeros(picture.shape, np.int32)
    labels[ink_runs.pixels(*found)] = np.repeat(component + 1, found.end - found.start)
    joined = _joined([boxes[each] for each in kept], height)
    least = max(_SMALLEST, _SPECK * height)
    whole, parts = [], []
    for members in joined:
        box = around([boxes[kept[each]] for each in members])
        if max(box.width, box.height) >= least:
            whole.append(box)
            parts.append(tuple(kept[each] + 1 for each in members))
    return Found(whole, parts, labels, page.strength, height, scale)


def _measure(found: ink_runs.Runs, component: NDArray[np.int64]) -> tuple[list[Box], NDArray[np.int64]]:
    """The box and the pixels of each component."""
    count = int(component.max(initial=-1)) + 1
    order = np.argsort(component, kind="stable")
    first = np.searchsorted(component[order], np.arange(count))
    if not count:
        return [], np.zeros(0, np.int64)
    row, start, end = (each[order] for each in found)
    edges = (
        np.minimum.reduceat(start, first),
        np.minimum.reduceat(row, first),
        np.maximum.reduceat(end, first),
        np.maximum.reduceat(row, first) + 1,
    )
    boxes = [Box(*each) for each in np.stack(edges, axis=1).tolist()]
    return boxes, np.add.reduceat(end - start, first)


def _length_within(found: ink_runs.Runs, mask: ink.Mask) -> NDArray[np.int64]:
    """How many pixels of each run are in a mask."""
    within = np.concatenate([[0], np.cumsum(mask[ink_runs.pixels(*found)])])
    ends = np.cumsum(found.end - found.start)
    return np.asarray(within[ends] - within[ends - (found.end - found.start)], np.int64)


def _usual_height(boxes: Sequence[Box], area: NDArray[np.int64]) -> float:
    """The median height, weighted by the root of the area; 0 of nothing."""
    heights = np.array([box.height for box in boxes])
    weights = np.sqrt(area) * np.array([max(box.width, box.height) >= _SMALLEST for box in boxes])
    if not weights.any():
        return 0.0
    order = np.argsort(heights)
    total = np.cumsum(weights[order])
    return float(heights[order][np.searchsorted(total, total[-1] / 2)])


def _joined(boxes: Sequence[Box], height: float) -> list[list[int]]:
    """Positions of the boxes that belong together (rules 2 and 3), group by group."""
    order = sorted(range(len(boxes)), key=lambda each: boxes[each].left)
    edges = np.array([boxes[each] for each in order], np.int64).reshape(-1, 4)
    group = {each: [each] for each in order}
    hull = dict(enumerate(boxes))  # of each group, by its first member
    for place, one in enumerate(order):
        for other in _near(order, edges, place, height):
            first, second = group[one], group[other]
            if first is second or not _belong(boxes[one], boxes[other], height):
                continue
            whole = around([hull[first[0]], hull[second[0]]])
            if whole.height > _TALLEST * height:
                continue
            hull[first[0]] = whole
            first.extend(second)
            group.update(dict.fromkeys(second, first))
    return [members for each, members in group.items() if members[0] == each]


def _near(order: Sequence[int], edges: NDArray[np.int64], place: int, height: float) -> list[int]:
    """Those further on in the order, by their left edges, that are near enough to the one at a place to be joined."""
    _, top, right, bottom = edges[place].tolist()
    end = int(np.searchsorted(edges[:, 0], right + _BROKEN * height, side="right"))
    others = edges[place + 1 : end]
    gap = np.maximum(others[:, 1], top) - np.minimum(others[:, 3], bottom)
    return [order[place + 1 + each] for each in np.flatnonzero(gap <= _APART * height).tolist()]


def _belong(one: Box, other: Box, height: float) -> bool:
    """Whether two components are parts of one character."""
    across = max(one.left, other.left) - min(one.right, other.right)  # the gap; negative if they overlap
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    if across < 0 and down < 0 and intersection_over_smaller(one, other) >= 0.5:  # noqa: PLR2004 - half
        return True
    low = min(one.height, other.height) < _PART * height
    if -2 * across >= min(one.width, other.width) and down <= (_APART if low else _BROKEN) * height:
        return True
    small = min(max(one.width, one.height), max(other.width, other.height)) < _PART * height
    return small and max(across, down) <= _BROKEN * height


def _halved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture of half the size, each pixel the mean of four."""
    padded = np.pad(picture, ((0, picture.shape[0] % 2), (0, picture.shape[1] % 2)), mode="edge").astype(np.uint16)
    total = padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)
