"""Parting ink from paper on a page, under uneven light and among ruled lines.

Rules:
1. A pixel is ink when it is darker than its neighbourhood's threshold (Sauvola), so light that changes over more than
   `_WINDOW` pixels does no harm. The neighbourhood's mean and deviation are taken of blocks: they change slowly.
2. The paper is what there is more of: light ink on dark paper is found too.
3. A straight run of ink `_SLENDER` times longer than thick is a ruled line. A level one is none of handwriting; an
   upright one may be a one, and is ruled only between level lines (a printed box) or if it is `_UPRIGHT_SLENDER` times
   longer than thick.
4. Of a ruled line those pixels go where the ink is as thick as the line; strokes that cross it are thicker there, and
   stay.

Source: Sauvola and Pietikainen, "Adaptive document image binarization" (Pattern Recognition 33, 2000), equation 5, with
window sums of a summed-area table (Shafait et al. 2008). Rule 4 is how staff lines are removed from scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from handfed.clients.edge.detection import runs
from handfed.shared.images import LEAST_CONTRAST

Mask = NDArray[np.bool_]
_Number = TypeVar("_Number", bound=np.generic)

_BLOCK: Final = 4  # pixels
_WINDOW: Final = 17  # blocks; odd
_K: Final = 0.1  # low, as `LEAST_CONTRAST` keeps the grain of the paper out
_LARGEST_DEVIATION: Final = 128.0  # Sauvola's R
_SLENDER: Final = 20
_UPRIGHT_SLENDER: Final = 60
_SHORTEST: Final = 30  # pixels, of a ruled line
_REACH: Final = 3  # pixels between the end of an upright line and the level line it meets


@dataclass(frozen=True)
class Page:
    """A page whose ink is parted from its paper.

    Attributes:
        ink: bool (height, width), without ruled lines.
        strength: uint8 (height, width), how much darker than the paper around it a pixel is, or lighter of light ink.
        ruled: bool (height, width), where ruled lines are, or were.
    """

    ink: Mask
    strength: NDArray[np.uint8]
    ruled: Mask


def part(picture: NDArray[np.uint8]) -> Page:
    """Parts the ink of a page from its paper.

    Args:
        picture: uint8 (height, width), grey, dark on light or light on dark.
    """
    height, width = picture.shape
    padded = np.pad(picture, ((0, -height % _BLOCK), (0, -width % _BLOCK)), mode="edge")
    if _ink_is_light(padded):
        padded = 255 - padded
    ink = padded < _threshold(padded)
    strength = np.maximum(_paper(padded, ink), padded) - padded
    ink &= strength >= LEAST_CONTRAST
    ink, strength = ink[:height, :width], strength[:height, :width]
    erased, ruled = _ruled(ink | (strength >= LEAST_CONTRAST // 2))  # so that a faint line is seen as a whole
    return Page(ink & ~erased, strength, ruled)


def _ink_is_light(picture: NDArray[np.uint8]) -> bool:
    """Whether few pixels are much lighter than what is around them: the deviation from the mean is skewed upwards."""
    sample = picture[::2, ::2]
    mean = _spread(_mean(picture), picture.shape)[::2, ::2]
    deviation = sample - mean
    return float((deviation * deviation * deviation).sum(dtype=np.float64)) > 0


def _threshold(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Darker than this is ink, float32 (height, width)."""
    wide = picture.astype(np.uint16)
    mean = _mean(picture)
    deviation = np.sqrt(np.maximum(_mean(wide * wide) - mean * mean, 0))
    threshold = mean * (1 + _K * (deviation / _LARGEST_DEVIATION - 1))
    return _spread(threshold.astype(np.float32), picture.shape)


def _paper(picture: NDArray[np.uint8], ink: Mask) -> NDArray[np.uint8]:
    """The shade of the paper around each pixel, uint8 (height, width): the mean of what is no ink."""
    count = _window_sums(_block_sums(~ink))
    total = _window_sums(_block_sums(np.where(ink, np.uint8(0), picture)))
    shade = np.where(count > 0, total / np.maximum(count, 1), 255).round()
    return _spread(shade.astype(np.uint8), picture.shape)


def _mean(values: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.float32]:
    """Means of windows, a block each, float32."""
    sums = _window_sums(_block_sums(values))
    rows, columns = (_window_sums(np.ones((1, side), np.int64)) for side in sums.shape)
    return np.asarray(sums / (rows.T * columns * _BLOCK * _BLOCK), np.float32)


def _block_sums(values: NDArray[np.uint8] | NDArray[np.uint16] | Mask) -> NDArray[np.int64]:
    """Sums of blocks, int64 (height / _BLOCK, width / _BLOCK)."""
    result = np.zeros((values.shape[0] // _BLOCK, values.shape[1] // _BLOCK), np.int64)
    for row in range(_BLOCK):
        for column in range(_BLOCK):
            result += values[row::_BLOCK, column::_BLOCK]
    return result


def _window_sums(blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of the window around each block, cut off at the edges."""
    for axis, size in enumerate(blocks.shape):
        table = np.cumsum(np.insert(blocks, 0, 0, axis=axis), axis=axis)
        places = np.arange(size)
        ends = np.minimum(places + _WINDOW // 2 + 1, size)
        blocks = table.take(ends, axis) - table.take(np.maximum(places - _WINDOW // 2, 0), axis)
    return blocks


def _spread(blocks: NDArray[_Number], shape: tuple[int, ...]) -> NDArray[_Number]:
    """Each block's value at each of its pixels."""
    return blocks.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)[: shape[0], : shape[1]]


class _Lines(NamedTuple):
    """Straight slender runs of pixels in rows: of run i, the columns from start[i] to end[i] of row[i]."""

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    thickness: NDArray[np.float64]

    def take(self, kept: NDArray[np.bool_]) -> _Lines:
        return _Lines(self.row[kept], self.start[kept], self.end[kept], self.thickness[kept])


def _ruled(ink: Mask) -> tuple[Mask, Mask]:
    """What is to be erased of ruled lines, and where they are; both bool (height, width)."""
    level_thickness, upright_thickness = _thickness(ink), _thickness(ink.T)
    level_erased, level = _erase(ink, level_thickness, _lines(ink, level_thickness))
    lines = _lines(ink.T, upright_thickness)
    long = lines.end - lines.start >= _UPRIGHT_SLENDER * lines.thickness
    printed = [bool(each) or _meets(level, line) for each, line in zip(long, zip(*lines[:3], strict=True), strict=True)]
    upright_erased, upright = _erase(ink.T, upright_thickness, lines.take(np.array(printed, np.bool_)))
    return level_erased | upright_erased.T, level | upright.T


def _meets(level: Mask, line: tuple[int, int, int]) -> bool:
    """Whether both ends of an upright run, (column, first row, last row + 1), are at level lines."""
    column, start, end = line
    near = slice(max(column - _REACH, 0), column + _REACH + 1)
    ends = (slice(max(row - _REACH, 0), row + _REACH + 1) for row in (start, end - 1))
    return all(bool(level[rows, near].any()) for rows in ends)


def _thickness(ink: Mask) -> NDArray[np.uint16]:
    """How many pixels of ink are in one piece above and below each pixel of ink and with it, uint16 (height, width)."""
    turned = np.zeros(ink.shape[::-1], np.uint16)
    found = runs.of(ink.T)
    turned[ink.T] = np.repeat(found.end - found.start, found.end - found.start)
    return np.ascontiguousarray(turned.T)


def _lines(ink: Mask, thickness: NDArray[np.uint16]) -> _Lines:
    """The runs of ruled lines. A run may move a pixel up or down on its way: few lines are quite level."""
    found = runs.of(runs.with_neighbours(ink))
    row, start, end = (each[found.end - found.start >= _SHORTEST] for each in found)
    if not len(row):
        return _Lines(row, start, end, np.zeros(0))
    length = end - start
    rows, columns = runs.pixels(row, start, end)
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
    places = runs.pixels(lines.row, lines.start, lines.end)
    ruled[places] = True
    most = np.repeat(1.5 * lines.thickness + 1, lines.end - lines.start)
    erased[places] = thickness[places] <= most
    return erased & ink, ruled
