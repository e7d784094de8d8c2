"""Parting ink from paper on a page, under uneven light and among ruled lines.

Rules:
1. A pixel is ink when it is darker than its neighbourhood's threshold (Sauvola), so light that changes over more than
   `_WINDOW` pixels does no harm. The neighbourhood's mean and deviation are taken of blocks: they change slowly.
2. The paper is what there is more of: light ink on dark paper is found too.
3. Ruled lines and printed boxes are no ink (`handfed.shared.ruling`).

Source: Sauvola and Pietikainen, "Adaptive document image binarization" (Pattern Recognition 33, 2000), equation 5, with
window sums of a summed-area table (Shafait et al. 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from handfed.shared import ruling
from handfed.shared.images import LEAST_CONTRAST

Mask = NDArray[np.bool_]
_Number = TypeVar("_Number", bound=np.generic)

_BLOCK: Final = 4  # pixels
_WINDOW: Final = 17  # blocks; odd
_K: Final = 0.1  # low, as `LEAST_CONTRAST` keeps the grain of the paper out
_LARGEST_DEVIATION: Final = 128.0  # Sauvola's R


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
    erased, ruled = ruling.found(ink | (strength >= LEAST_CONTRAST // 2))  # so that a faint line is seen as a whole
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
