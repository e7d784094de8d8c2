"""Image normalisation: the one way from any picture of a character to what a recogniser sees.

Training and every edge device call the same code, so a model never meets an image that was prepared otherwise. The
result follows the MNIST convention (LeCun et al. 1998, section III.A): ink is bright on black, the ink's bounding box
is scaled to fit 20 x 20 with its aspect ratio kept, and its centre of mass lies on pixel (14, 14) of 28 x 28.
MNIST's own images are in this form already and come out as they went in.

Rules:
1. A picture and its negative give the same result: the paper is what the picture's frame shows.
2. The arithmetic is exact. Resampling weights are integers out of 65,536 and every sum stays below 2**53, where
   float64 is exact, so any order of summation, any BLAS, and JavaScript give the same pixels. Rounding (half up)
   comes last.
3. The darkest ink is 255, also after scaling: a thin pen in a large picture is no fainter than a thick one.
4. An image without ink is an error, never a guess.

`VERSION` travels in every manifest: a change of any pixel is a new version.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import ImageError
from handfed.shared.geometry import SIDE

VERSION = 1
LARGEST_SIDE = 16_384  # pixels, of the picture: the weights below keep their precision, and memory its bounds
BOX = 20  # pixels, the longer side of the ink within it
INK_FLOOR = 32  # of 255: fainter ink does not stretch the bounding box (JPEG ringing stays below it)
LEAST_CONTRAST = 24  # of 255: less than this between paper and ink is a blank page
_CACHED_SIDE = 256  # pixels: the weights of larger pictures are worked out anew, as they take megabytes
_BLOCK = 64  # new pixels whose weights are worked out at once
_ONE = 1 << 16  # fixed point of the resampling weights

Image = NDArray[np.uint8]


def normalise(image: Image) -> Image:
    """Normalises one picture of one character.

    Args:
        image: uint8 (height, width), grey, dark on light or light on dark, from 2 x 2 to 16384 x 16384.

    Returns:
        uint8 (28, 28), 0 is paper and 255 the darkest ink.

    Raises:
        ImageError: The image is of another shape or dtype, or holds no ink.
    """
    check(image)
    ink = ink_of(image)
    top, bottom, left, right = bounding_box(ink)
    ink = ink[top:bottom, left:right]
    height, width = ink.shape
    longer = max(height, width)
    new_height = max(1, (height * BOX * 2 + longer) // (longer * 2))  # rounded half up
    new_width = max(1, (width * BOX * 2 + longer) // (longer * 2))
    small = resample(ink, new_height, new_width)
    return _centre(small)


def check(image: Image) -> None:
    """Refuses what is no picture.

    Raises:
        ImageError: The image is not uint8 (height, width), or too small or too large.
    """
    if image.ndim != 2 or image.dtype != np.uint8 or min(image.shape) < 2:  # noqa: PLR2004
        raise ImageError(f"an image must be uint8 (height, width) of at least 2 x 2, not {image.dtype} {image.shape}")
    if max(image.shape) > LARGEST_SIDE:
        raise ImageError(
            f"an image of {image.shape[1]} x {image.shape[0]} is too large: crop it to the ink or"
            f" scale it to at most {LARGEST_SIDE} pixels a side"
        )


def normalise_all(images: Image) -> Image:
    """Normalises a stack, uint8 (n, height, width) to uint8 (n, 28, 28).

    Raises:
        ImageError: As `normalise`; the message names the row.
    """
    result = np.empty((len(images), SIDE, SIDE), np.uint8)
    for row, image in enumerate(images):
        try:
            result[row] = normalise(image)
        except ImageError as error:
            raise ImageError(f"row {row}: {error}") from None
    return result


def ink_of(image: Image) -> Image:
    """How much ink each pixel holds, 0 to 255, whatever the polarity, paper shade or ink strength.

    Args:
        image: uint8 (height, width), of at least 2 x 2.

    Raises:
        ImageError: There is none.
    """
    frame = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
    frame.sort()
    middle = len(frame) // 2  # a frame has an even number of pixels
    paper_twice = int(frame[middle - 1]) + int(frame[middle])  # the median, in half grey levels
    darker = paper_twice - 2 * int(image.min())
    lighter = 2 * int(image.max()) - paper_twice
    # Dark ink on light paper? Of equal contrasts the shade decides, and on mid-grey paper any pixel that differs.
    if (darker, paper_twice, int(image[0, 0])) > (lighter, 255, 127):
        image, frame, paper_twice = 255 - image, 255 - frame[::-1], 510 - paper_twice
    paper = (paper_twice + 1) // 2
    uneven = int(frame[(len(frame) * 9) // 10])
    if uneven - paper < LEAST_CONTRAST:  # grain of the paper; more than that is ink that touches the frame
        paper = max(paper, uneven)
    strength = int(image.max()) - paper
    if strength < LEAST_CONTRAST:
        raise ImageError("the image shows no ink: it is blank or has too little contrast")
    ink = np.maximum(image.astype(np.int32) - paper, 0)
    return ((ink * 255 + strength // 2) // strength).astype(np.uint8)


def bounding_box(ink: Image) -> tuple[int, int, int, int]:
    """First and last-plus-one row and column that hold clear ink."""
    clear = ink >= INK_FLOOR
    rows = np.flatnonzero(clear.any(axis=1))
    columns = np.flatnonzero(clear.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _scaled(values: NDArray[np.float64], new_size: int) -> NDArray[np.float64]:
    """Scales the columns of `values` (n, size) to (n, new_size), in units of 1 / 65,536; sums must stay below 2**53."""
    size = values.shape[1]
    if size <= _CACHED_SIDE:
        return np.asarray(values @ _weights(size, new_size).T)
    parts = []
    for start in range(0, new_size, _BLOCK):  # of a long line, most weights are 0: only a window of it counts
        end = min(start + _BLOCK, new_size)
        reach = max(size, new_size) // new_size + 1
        first, last = max(start * size // new_size - reach, 0), min(-(-end * size // new_size) + reach, size)
        parts.append(values[:, first:last] @ _triangles(size, new_size, (start, end), (first, last)).T)
    return np.concatenate(parts, axis=1)


@lru_cache(maxsize=1024)
def _weights(size: int, new_size: int) -> NDArray[np.float64]:
    """All weights, (new_size, size), which small images share: a data set's have few sizes."""
    return _triangles(size, new_size, (0, new_size), (0, size))


def _triangles(size: int, new_size: int, rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.float64]:
    """Weights of a triangle filter that widens when it shrinks the image, each row of them summing to 65,536.

    The same filter as Pillow's BILINEAR; computed in integers: coordinates are in units of 1 / (2 * new_size) pixel.

    Args:
        size: Of the old side.
        new_size: Of the new side.
        rows: First and last-plus-one new pixel.
        columns: First and last-plus-one old pixel; weights beyond are 0.
    """
    support = max(size, new_size) * 2  # half-width of the triangle
    old = (2 * np.arange(*columns) + 1) * new_size  # centres of the old pixels
    centres = (2 * np.arange(*rows) + 1) * size
    triangles = np.maximum(support - np.abs(old - centres[:, None]), 0)
    weights: NDArray[np.int64] = triangles * _ONE // triangles.sum(axis=1, keepdims=True)
    nearest = np.argmax(triangles, axis=1)
    weights[np.arange(len(weights)), nearest] += _ONE - weights.sum(axis=1)  # what rounding lost goes to the nearest
    return weights.astype(np.float64)


def resample(ink: Image, new_height: int, new_width: int) -> Image:
    """Scales `ink` to uint8 (new_height, new_width) and stretches it, so that the darkest pixel is 255 again."""
    if ink.shape == (new_height, new_width):
        return ink
    tall = _scaled(ink.T.astype(np.float64), new_height).T  # (new_height, width), below 2**24
    sums = _scaled(tall, new_width).astype(np.int64)  # (new_height, new_width), below 2**40
    darkest = int(sums.max())  # above 0: up to LARGEST_SIDE every pixel has weight
    return ((sums * 510 + darkest) // (2 * darkest)).astype(np.uint8)


def _centre(small: Image) -> Image:
    """Places the ink so that its centre of mass is at the centre of the square, as far as it fits."""
    mass = small.astype(np.int64)
    total = int(mass.sum())
    result = np.zeros((SIDE, SIDE), np.uint8)
    top = _offset(int((mass.sum(axis=1) * (2 * np.arange(small.shape[0]) + 1)).sum()), total, small.shape[0])
    left = _offset(int((mass.sum(axis=0) * (2 * np.arange(small.shape[1]) + 1)).sum()), total, small.shape[1])
    result[top : top + small.shape[0], left : left + small.shape[1]] = small
    return result


def _offset(moment: int, total: int, size: int) -> int:
    """Offset that brings a centre of mass of `moment / (2 * total)` to the middle of pixel 14, rounded half up."""
    offset = ((SIDE + 1) * total - moment + total) // (2 * total)
    return min(max(offset, 0), SIDE - size)


def with_channels(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (n, height, width, channels) of pictures whose axis of channels may be left out where there is one."""
    return pictures if pictures.ndim == 4 else pictures[..., None]  # noqa: PLR2004
