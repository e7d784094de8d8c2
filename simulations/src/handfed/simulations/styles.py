"""How the same handwriting looks by another pen, on another paper, through another scanner, or out of true.

Every function is pure: images in, images out, both uint8 (n, height, width) in which 0 is paper and 255 is ink.

Rules:
1. What is drawn by chance comes from the generator that is passed, in one draw whose first axis is the images: an image
   comes out the same however many follow it.
2. Figures that say how far (`degrees`, `pixels`, …) are one for all images, or float (n,), one for each.
3. Points that pixels are taken from are rounded to 1/64 pixel. Bilinear weights are then exact in float64, and pixels
   the same wherever sine and cosine are, but for points that lie on the edge of a rounding.
4. Ink is never wiped out: an image that showed ink still does, whatever it came through.
5. What comes from outside an image is paper.

Source: for the choice of deformations, Mu and Gilmer 2019, MNIST-C, arXiv:1906.02337; for waves instead of a random
field, so that an amplitude can be told, LeCun et al. 1998 and Simard et al. 2003.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]  # it publishes no types

Images = NDArray[np.uint8]
Figures = float | NDArray[np.float64]

INK: Final = 255
WAVELENGTH: Final = 42.0  # pixels, of a wave: one and a half images, so that strokes bend but seldom ripple
_CROSS: Final = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], bool)  # of one image: neighbours along rows and columns
_FINEST: Final = 64  # parts of a pixel
_AT_ONCE: Final = 512  # images: what is sampled at once stays within tens of megabytes
_THINNEST: Final = -1.7  # pixels: a line of one pixel keeps three twentieths of its ink


def stroke_width(images: Images, pixels: float) -> Images:
    """Strokes wider or thinner, by grey dilation or erosion mixed with what was there.

    Args:
        images: uint8 (n, height, width).
        pixels: How much wider, from -1.7 to 2; negative for thinner.
    """
    share = min(max(pixels, _THINNEST), 2.0) / 2  # a cross adds or takes a pixel on either side
    morphed = ndimage.grey_dilation if share > 0 else ndimage.grey_erosion
    other = morphed(images, footprint=_CROSS, mode="constant", cval=0)
    return _grey(images * (1 - abs(share)) + other * abs(share))


def blurred(images: Images, sigma: float) -> Images:
    """Out of focus: a Gaussian blur of standard deviation `sigma`, in pixels from 0 to about 1.5."""
    return _grey(ndimage.gaussian_filter(images.astype(np.float64), (0, sigma, sigma), mode="constant"))


def faded(images: Images, contrast: float) -> Images:
    """Ink is paler: `contrast` of what it was, above 0 and up to 1."""
    return _grey(images * contrast)


def noisy(images: Images, sigma: float, rng: np.random.Generator) -> Images:
    """Gaussian noise of standard deviation `sigma`, as a fraction of full ink, on every pixel by itself."""
    return _grey(images + rng.standard_normal(images.shape) * (sigma * INK))


def salt_and_pepper(images: Images, fraction: float, rng: np.random.Generator) -> Images:
    """The fraction of the pixels, drawn at random, that is paper or full ink instead, as often one as the other."""
    drawn = rng.random(images.shape)
    result = np.where(drawn < fraction / 2, 0, images)
    return np.where(drawn > 1 - fraction / 2, INK, result).astype(np.uint8)


def on_paper(images: Images, shade: float, grain: float, rng: np.random.Generator) -> Images:
    """On a paper that is neither white nor even; ink covers it.

    Args:
        images: uint8 (n, height, width).
        shade: How dark the paper is on average, in grey levels from 0 to about 100.
        grain: Standard deviation of its shade from place to place, in grey levels.
        rng: Draws the grain.
    """
    rough = 1.0  # pixels, standard deviation of the filter that makes grain of noise
    field = ndimage.gaussian_filter(rng.standard_normal(images.shape), (0, rough, rough), mode="reflect")
    paper = np.clip(shade + field * (grain * 2 * math.sqrt(math.pi) * rough), 0, INK)  # the filter's own gain, undone
    return _grey(paper + images * (1 - paper / INK))


def ruled(images: Images, strength: float, spacing: int, rng: np.random.Generator) -> Images:
    """On ruled paper: a line every `spacing` pixels, of `strength` grey levels, from a place that is drawn."""
    height = images.shape[1]
    first = rng.integers(0, spacing, (len(images), 1))
    lines = np.where((np.arange(height) + first) % spacing == 0, strength, 0)[:, :, None]  # (n, height, 1)
    return _grey(np.maximum(images, lines))


def watermarked(images: Images, strength: float, rng: np.random.Generator) -> Images:
    """With a ring in the paper, a third of the picture in radius, of `strength` grey levels, somewhere near."""
    height, width = images.shape[1:]
    radius, half_width = min(height, width) / 3, 1.0
    middle = rng.random((len(images), 2, 1, 1)) * np.reshape([height, width], (2, 1, 1))  # (n, 2, 1, 1)
    away = np.hypot(np.arange(height)[:, None] - middle[:, 0], np.arange(width) - middle[:, 1])  # (n, height, width)
    return _grey(np.maximum(images, np.where(np.abs(away - radius) <= half_width, strength, 0)))


def negative(images: Images) -> Images:
    """The other polarity: dark ink on light paper, as a camera sees it."""
    return INK - images


def affine(
    images: Images,
    *,
    degrees: Figures = 0.0,
    scale: Figures = 1.0,
    shear: Figures = 0.0,
    down: Figures = 0.0,
    right: Figures = 0.0,
) -> Images:
    """Turned, scaled, slanted and shifted, in this order, about the middle of the picture.

    Args:
        images: uint8 (n, height, width).
        degrees: Clockwise.
        scale: Above 0; above 1 for larger.
        shear: Pixels to the right for each pixel further up, as a slanting hand has it.
        down: Pixels.
        right: Pixels.
    """
    rows, columns = _centred(images)
    rows, columns = rows - _each(down), columns - _each(right)
    columns = columns + _each(shear) * rows
    rows, columns = rows / _each(scale), columns / _each(scale)
    angle = np.deg2rad(_each(degrees))
    rows, columns = rows * np.cos(angle) - columns * np.sin(angle), rows * np.sin(angle) + columns * np.cos(angle)
    return _sampled(images, rows, columns)


def waved(images: Images, pixels: Figures, rng: np.random.Generator) -> Images:
    """Elastic: rows are displaced by a sine wave along columns and columns by one along rows.

    Args:
        images: uint8 (n, height, width).
        pixels: Amplitude: how far the furthest are displaced each way.
        rng: Draws where the two waves begin.
    """
    rows, columns = _centred(images)
    begin = rng.random((len(images), 2, 1, 1)) * 2 * math.pi
    turn = 2 * math.pi / WAVELENGTH
    return _sampled(
        images,
        rows + _each(pixels) * np.sin(columns * turn + begin[:, 0]),
        columns + _each(pixels) * np.sin(rows * turn + begin[:, 1]),
    )


def _centred(images: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows (1, height, 1) and columns (1, 1, width), counted from the middle of the picture."""
    height, width = images.shape[1:]
    return (np.arange(height) - (height - 1) / 2)[None, :, None], (np.arange(width) - (width - 1) / 2)[None, None, :]


def _each(figures: Figures) -> NDArray[np.float64]:
    """As (n, 1, 1) or (1, 1, 1)."""
    return np.asarray(figures, np.float64).reshape(-1, 1, 1)


def _sampled(images: Images, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Images:
    """Images whose pixels are taken from these points, counted from the middle, by bilinear interpolation."""
    count, height, width = images.shape
    result = np.empty_like(images)
    for start in range(0, count, _AT_ONCE):
        part = slice(start, min(start + _AT_ONCE, count))
        shape = (part.stop - start, height, width)
        points = np.empty((3, *shape))
        points[0] = np.arange(shape[0])[:, None, None]
        points[1] = _fine((rows[part] if len(rows) == count else rows) + (height - 1) / 2)
        points[2] = _fine((columns[part] if len(columns) == count else columns) + (width - 1) / 2)
        found = ndimage.map_coordinates(images[part], points, np.float64, order=1, mode="grid-constant", cval=0)
        result[part] = _grey(found)
    return result


def _fine(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.rint(points * _FINEST) / _FINEST


def _grey(levels: NDArray[Any]) -> Images:
    found: Images = np.clip(np.rint(levels), 0, INK).astype(np.uint8)
    return found
