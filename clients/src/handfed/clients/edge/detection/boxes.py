"""Boxes on a picture: how far two overlap, which of many that overlap stay, and in what order they are read.

Source of the suppression: Neubeck and Van Gool, "Efficient Non-Maximum Suppression" (ICPR 2006), the greedy method, on
boxes of any size; besides the intersection over the union, that over the smaller box counts, so that a part of a
character does not stay beside the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

OVERLAP: Final = 0.3  # of the union
INSIDE: Final = 0.45  # of the smaller box
_SAME_LINE: Final = 0.4  # of the lower box: that much of it is beside the one to its left


class Box(NamedTuple):
    """A rectangle of a picture's pixels, its left and top within it, its right and bottom just outside.

    Attributes:
        left: Column of the first pixel, from 0.
        top: Row of the first pixel, from 0.
        right: Column after the last pixel.
        bottom: Row after the last pixel.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """In pixels."""
        return self.width * self.height


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of at least one."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


def intersection(one: Box, other: Box) -> int:
    """How many pixels two boxes share."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    return max(width, 0) * max(height, 0)


def intersection_over_union(one: Box, other: Box) -> float:
    """0 of boxes apart to 1 of equal boxes."""
    shared = intersection(one, other)
    return shared / (one.area + other.area - shared)


def intersection_over_smaller(one: Box, other: Box) -> float:
    """0 of boxes apart to 1 of a box within the other."""
    return intersection(one, other) / min(one.area, other.area)


def suppress(
    boxes: Sequence[Box], scores: Sequence[float], *, overlap: float = OVERLAP, inside: float = INSIDE
) -> list[int]:
    """Non-maximum suppression: keeps a box unless a better one that is kept overlaps it.

    Args:
        boxes: Each of at least a pixel.
        scores: Of each box, the higher the better; of equal scores the first is better.
        overlap: Most that two kept boxes may share, of their union, 0 to 1.
        inside: Most that two kept boxes may share, of the smaller, 0 to 1.

    Returns:
        Positions of the boxes that are kept, best first.
    """
    kept: list[int] = []
    edges = np.array(boxes, np.int64).reshape(-1, 4)
    left: NDArray[np.int64] = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    while len(left):
        best, left = int(left[0]), left[1:]
        kept.append(best)
        left = left[~_clash(edges[best], edges[left], overlap, inside)]
    return kept


def _clash(box: NDArray[np.int64], others: NDArray[np.int64], overlap: float, inside: float) -> NDArray[np.bool_]:
    """Which of the others, (n, 4), overlap a box too far."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    area = int((box[2:] - box[:2]).prod())
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
    clash: NDArray[np.bool_] = (shared > overlap * (area + areas - shared)) | (
        shared > inside * np.minimum(area, areas)
    )
    return clash


def lines_of(boxes: Sequence[Box]) -> list[list[int]]:
    """Reading order: lines from top to bottom, and boxes from left to right in each.

    A line is followed from box to box, so it may slope, as on a page that was photographed at a slant.

    Args:
        boxes: Of characters, in any order.

    Returns:
        Positions of the boxes, line by line.
    """
    lines: list[list[int]] = []
    for position in sorted(range(len(boxes)), key=lambda each: (boxes[each].left, boxes[each].top)):
        shares = [_beside(boxes[line[-1]], boxes[position]) for line in lines]
        if shares and max(shares) >= _SAME_LINE:
            lines[shares.index(max(shares))].append(position)
        else:
            lines.append([position])
    return sorted(lines, key=lambda line: sum(boxes[each].top + boxes[each].bottom for each in line) / len(line))


def _beside(one: Box, other: Box) -> float:
    """How much of the lower of two boxes is beside the other, at most 1; negative if all is above or below."""
    return (min(one.bottom, other.bottom) - max(one.top, other.top)) / min(one.height, other.height)
