"""Ruled lines and printed boxes: where they are, and what of them may be erased without hurting the writing.

Rules:
1. A straight run of ink `_SLENDER` times longer than thick is a ruled line. A level one is none of handwriting; an
   upright one may be a one, and is ruled only between level lines (a printed box) or if it is `_UPRIGHT_SLENDER` times
   longer than thick.
2. Of a ruled line those pixels go where the ink is as thick as the line; strokes that cross it are thicker there, and
   stay. That is how staff lines are removed from scores.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handfed.shared import ink_runs
from handfed.shared.ink_runs import Mask

_SLENDER: Final = 20
_UPRIGHT_SLENDER: Final = 60
_SHORTEST: Final = 30  # pixels, of a ruled line on a page
_REACH: Final = 3  # pixels between the end of an upright line and the level line it meets


class _Lines(NamedTuple):
    """Straight slender runs of pixels in rows: of run i, the columns from start[i] to end[i] of row[i]."""

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    thickness: NDArray[np.float64]

    def take(self, kept: NDArray[np.bool_]) -> _Lines:
        return _Lines(self.row[kept], self.start[kept], self.end[kept], self.thickness[kept])


def found(ink: Mask) -> tuple[Mask, Mask]:
    """What is to be erased of ruled lines and printed boxes, and where they are; both bool (height, width).

    Args:
        ink: bool (height, width).
    """
    level_erased, level = level_lines(ink, _SHORTEST)
    upright_thickness = _thickness(ink.T)
    lines = _lines(ink.T, upright_thickness, _SHORTEST)
    long = lines.end - lines.start >= _UPRIGHT_SLENDER * lines.thickness
    printed = [bool(each) or _meets(level, line) for each, line in zip(long, zip(*lines[:3], strict=True), strict=True)]
    upright_erased, upright = _erase(ink.T, upright_thickness, lines.take(np.array(printed, np.bool_)))
    return level_erased | upright_erased.T, level | upright.T


def level_lines(ink: Mask, shortest: int) -> tuple[Mask, Mask]:
    """What is to be erased of level ruled lines, and where they are; both bool (height, width).

    Args:
        ink: bool (height, width).
        shortest: Pixels, of a ruled line.
    """
    thickness = _thickness(ink)
    return _erase(ink, thickness, _lines(ink, thickness, shortest))


def _meets(level: Mask, line: tuple[int, int, int]) -> bool:
    """Whether both ends of an upright run, (column, first row, last row + 1), are at level lines."""
    column, start, end = line
    near = slice(max(column - _REACH, 0), column + _REACH + 1)
    ends = (slice(max(row - _REACH, 0), row + _REACH + 1) for row in (start, end - 1))
    return all(bool(level[rows, near].any()) for rows in ends)


def _thickness(ink: Mask) -> NDArray[np.uint16]:
    """How many pixels of ink are in one piece above and below each pixel of ink and with it, uint16 (height, width)."""
    turned = np.zeros(ink.shape[::-1], np.uint16)
    pieces = ink_runs.of(ink.T)
    turned[ink.T] = np.repeat(pieces.end - pieces.start, pieces.end - pieces.start)
    return np.ascontiguousarray(turned.T)


def _lines(ink: Mask, thickness: NDArray[np.uint16], shortest: int) -> _Lines:
    """The runs of ruled lines. A run may move a pixel up or down on its way: few lines are quite level."""
    pieces = ink_runs.of(ink_runs.with_neighbours(ink))
    row, start, end = (each[pieces.end - pieces.start >= shortest] for each in pieces)
    if not len(row):
        return _Lines(row, start, end, np.zeros(0))
    length = end - start
    rows, columns = ink_runs.pixels(row, start, end)
    near = (np.clip(rows + shift, 0, len(ink) - 1) for shift in (-1, 0, 1))
    values = np.max([thickness[each, columns] for each in near], axis=0)
    slender = values <= np.repeat(length / _SLENDER, length)
    first = np.cumsum(length) - length
    count = np.add.reduceat(slender, first, dtype=np.int64)
    mean = np.add.reduceat(values * slender, first) / np.maximum(count, 1)
    kept = 2 * count >= length
    return _Lines(row, start, end, mean).take(kept)


def _erase(ink: Mask, thickness: NDArray[np.uint16], lines: _Lines) -> tuple[Mask, Mask]:
    """What is to be erased of lines, and where they are."""
    erased, ruled = np.zeros_like(ink), np.zeros_like(ink)
    places = ink_runs.pixels(lines.row, lines.start, lines.end)
    ruled[places] = True
    most = np.repeat(1.5 * lines.thickness + 1, lines.end - lines.start)
    erased[places] = thickness[places] <= most
    return erased & ink, ruled
