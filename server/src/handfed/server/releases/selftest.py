"""Synthetic pictures for self-tests: pen strokes that nobody wrote, so that they may travel with a model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handfed.shared import images, strips
from handfed.shared.geometry import SIDE
from handfed.shared.samples import stepped

_CANVAS = 56  # pixels, before normalisation
_POINTS = 60
_IN_A_ROW = 3  # drawings of a text


def texts(count: int, height: int, *, seed: int) -> NDArray[np.uint8]:
    """Rows of such drawings, as words or lines: uint8 (count, height, width, 1)."""
    random = np.random.default_rng(seed)
    drawn = [np.concatenate([_drawing(random) for _ in range(_IN_A_ROW)], axis=1) for _ in range(count)]
    normalised = [strips.normalise(row, height) for row in drawn]
    together = np.zeros((count, height, stepped(max(row.shape[1] for row in normalised))), np.uint8)
    for place, row in enumerate(normalised):
        together[place, :, : row.shape[1]] = row
    return together[..., None]


def pictures(count: int, channels: int, *, seed: int) -> NDArray[np.uint8]:
    """Draws random curves with a round pen and normalises them as any picture.

    Args:
        count: How many.
        channels: Planes of each; those beside the ink hold other drawings.
        seed: The same seed gives the same pictures.

    Returns:
        uint8 (count, 28, 28, channels).
    """
    random = np.random.default_rng(seed)
    drawn = np.stack([images.normalise(_drawing(random)) for _ in range(count * channels)])
    return np.moveaxis(drawn.reshape(channels, count, SIDE, SIDE), 0, 3)


def _drawing(random: np.random.Generator) -> NDArray[np.uint8]:
    """One to three smooth curves, dark to light from the middle of the pen outwards."""
    rows, columns = np.mgrid[0:_CANVAS, 0:_CANVAS]
    ink = np.zeros((_CANVAS, _CANVAS))
    for _ in range(random.integers(1, 4)):
        steps = np.linspace(0, 1, _POINTS)[:, None]  # a cubic Bezier curve over four random points
        a, b, c, d = random.uniform(8, _CANVAS - 8, (4, 2))
        curve = (1 - steps) ** 3 * a + 3 * steps * (1 - steps) ** 2 * b + 3 * steps**2 * (1 - steps) * c + steps**3 * d
        width = random.uniform(1.5, 3.0)
        for row, column in curve:
            distance = np.hypot(rows - row, columns - column)
            ink = np.maximum(ink, np.clip(width + 0.5 - distance, 0, 1))
    return np.round(ink * 255).astype(np.uint8)
