"""Normalisation of words and lines: from a picture of one to a strip of a fixed height and any width.

Training and every device that reads call the same code. Ink is bright on black, as with single characters, and all
arithmetic is exact (`handfed.shared.images`, rules 1 to 4).

Rules:
1. A ruled line that goes through at least half of the picture is taken out (`handfed.shared.ruling`).
2. A text that rises or falls is laid level, and then slanted strokes are set upright: of a fixed set of shears the one
   is taken after which rows (for the slope) or columns (for the slant) hold the most ink together, by the sum of
   squares of their ink, as Postl 1986 has it for the skew of pages ("Detection of linear oblique structures and skew
   scan in digitized documents", ICPR).
3. The ink's height fits the strip's but for a margin above and below, with the aspect ratio kept.
4. Ink that takes less than half of the picture's height keeps its proportion to it: a dash does not grow into a beam.
5. There is a margin of paper on the left and on the right, so that deformations in training lose nothing.

`VERSION` travels in every manifest: a change of any pixel is a new version.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared import images, ruling
from handfed.shared.errors import ImageError
from handfed.shared.images import Image

VERSION: Final = 1
MARGIN: Final = 2  # pixels above and below
SIDE_MARGIN: Final = 4  # pixels left and right
WIDEST: Final = 8192  # pixels
_SLOPES: Final = tuple(each / 64 for each in range(-20, 21))  # rise a column; each is exact in binary
_SLANTS: Final = tuple(each / 8 for each in range(-3, 9))  # columns a row; writing leans to the right more often
_LEAST_SLOPED: Final = 2  # times as wide as high: of shorter texts, rows do not tell a slope from a shape
_SOLID: Final = 96  # of 255: what counts as a stroke when shears are compared
_FRACTIONS: Final = 64  # of a pixel, in which shifts are counted


def normalise(image: Image, height: int) -> Image:
    """Normalises a picture of one word or line.

    Args:
        image: uint8 (height, width), grey, dark on light or light on dark, from 2 x 2 to 16384 x 16384.
        height: Of the strip.

    Returns:
        uint8 (height, width), 0 is paper and 255 the darkest ink.

    Raises:
        ImageError: The image is of another shape or dtype, holds no ink, or is too long for its height.
    """
    images.check(image)
    whole = image.shape[0]
    ink = _cropped(images.ink_of(image))
    ink, scale = _workable(ink, 2 * height)
    ink = _upright(_level(_without_rule(ink)))
    reference = max(ink.shape[0], int(whole * scale) // 2)
    inner = height - 2 * MARGIN
    new_height, new_width = (max(1, (side * inner * 2 + reference) // (reference * 2)) for side in ink.shape)
    if new_width > WIDEST:
        raise ImageError(f"the ink is {ink.shape[1]} x {ink.shape[0]}: too long for a line; crop the picture to one")
    strip = np.zeros((height, new_width + 2 * SIDE_MARGIN), np.uint8)
    above = (height - new_height) // 2
    strip[above : above + new_height, SIDE_MARGIN:-SIDE_MARGIN] = images.resample(ink, new_height, new_width)
    return strip


def _cropped(ink: Image) -> Image:
    top, bottom, left, right = images.bounding_box(ink)
    return ink[top:bottom, left:right]


def _workable(ink: Image, most: int) -> tuple[Image, float]:
    """Ink at most so many pixels high, as more tell nothing of a slope or a slant, and by what it was scaled."""
    height, width = ink.shape
    if height <= most:
        return ink, 1.0
    return images.resample(ink, most, max(1, (2 * width * most + height) // (2 * height))), most / height


def _without_rule(ink: Image) -> Image:
    """The text without a line that it is written on, or above, or that crosses it out."""
    height, width = ink.shape
    shortest = max(width // 2, 2 * height)  # longer than any stroke
    erased, _ = ruling.level_lines(ink >= images.INK_FLOOR, shortest)
    left = np.where(erased, np.uint8(0), ink)
    return _cropped(left) if (left >= _SOLID).any() else ink


def _level(ink: Image) -> Image:
    """The text with its slope taken out."""
    if ink.shape[1] < _LEAST_SLOPED * ink.shape[0]:
        return ink
    return _sheared(ink.T, _best(ink.T, _SLOPES)).T


def _upright(ink: Image) -> Image:
    """The text with its slant taken out."""
    return _sheared(ink, _best(ink, _SLANTS))


def _best(ink: Image, shears: tuple[float, ...]) -> float:
    """The shear of the rows after which columns hold the most ink together: the greatest sum of their squares."""
    rows, columns = np.nonzero(ink >= _SOLID)
    scores = {}
    for shear in shears:
        counts = np.bincount(columns + _shifts(ink.shape[0], shear)[rows] // _FRACTIONS)
        scores[shear] = int(counts @ counts)
    return max(shears, key=lambda shear: (scores[shear], -abs(shear)))


def _shifts(height: int, shear: float) -> NDArray[np.int64]:
    """int64 (height,): how far each row moves to the right, in 64ths of a pixel, none of them negative."""
    shifts: NDArray[np.int64] = np.arange(height) * round(shear * _FRACTIONS)
    return shifts - int(shifts.min())


def _sheared(ink: Image, shear: float) -> Image:
    """Ink whose rows are moved sideways in proportion to their number, cropped again; between pixels by proportion."""
    if not shear:
        return ink
    whole, part = np.divmod(_shifts(ink.shape[0], shear), _FRACTIONS)
    result = np.zeros((ink.shape[0], ink.shape[1] + int(whole.max()) + 1), np.int64)
    columns = np.arange(ink.shape[1]) + whole[:, None]
    rows = np.arange(ink.shape[0])[:, None]
    result[rows, columns] = ink * (_FRACTIONS - part[:, None])
    result[rows, columns + 1] += ink * part[:, None]
    return _cropped(((result + _FRACTIONS // 2) // _FRACTIONS).astype(np.uint8))
