"""Normalisation of words and lines: from a picture of one to a strip of a fixed height and any width.

Training and every device that reads call the same code. Ink is bright on black, as with single characters, and all
arithmetic is exact (`handfed.shared.images`, rules 1 to 4).

Rules:
1. The ink's height fits the strip's but for a margin above and below, with the aspect ratio kept.
2. Ink that takes less than half of the picture's height keeps its proportion to it: a dash does not grow into a beam.
3. There is a margin of paper on the left and on the right, so that nothing is lost when a strip is slanted in training.

`VERSION` travels in every manifest: a change of any pixel is a new version.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from handfed.shared import images
from handfed.shared.errors import ImageError
from handfed.shared.images import Image

VERSION: Final = 1
MARGIN: Final = 2  # pixels above and below
SIDE_MARGIN: Final = 4  # pixels left and right
WIDEST: Final = 8192  # pixels


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
    ink = images.ink_of(image)
    top, bottom, left, right = images.bounding_box(ink)
    ink = ink[top:bottom, left:right]
    reference = max(bottom - top, image.shape[0] // 2)
    inner = height - 2 * MARGIN
    new_height = max(1, ((bottom - top) * inner * 2 + reference) // (reference * 2))  # rounded half up
    new_width = max(1, ((right - left) * inner * 2 + reference) // (reference * 2))
    if new_width > WIDEST:
        raise ImageError(f"the ink is {right - left} x {bottom - top}: too long for a line; crop the picture to one")
    strip = np.zeros((height, new_width + 2 * SIDE_MARGIN), np.uint8)
    above = (height - new_height) // 2
    strip[above : above + new_height, SIDE_MARGIN:-SIDE_MARGIN] = images.resample(ink, new_height, new_width)
    return strip
