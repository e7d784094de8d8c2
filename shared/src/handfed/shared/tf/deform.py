"""Geometry: an affine and an elastic deformation, sampled once with bilinear interpolation.

Source: Simard et al. 2003 (elastic distortions for document analysis), here with a displacement field that is drawn on
a coarse 5 x 5 grid and interpolated, which is as smooth as their Gaussian filter and much cheaper.
"""

from __future__ import annotations

from typing import Any

from handfed.shared import images
from handfed.shared.tf.runtime import tf

_GRID = 5  # nodes of the displacement field along a side


def deform(
    batch: Any,  # noqa: ANN401 - tensors
    seed: Any,  # noqa: ANN401
    *,
    rotation: float,
    scale: float,
    shear: float,
    shift: float,
    elastic: float,
) -> Any:  # noqa: ANN401
    """Deforms each image of a batch by its own random deformation.

    Args:
        batch: float32 (batch, 28, 28), 0 is paper and 1 full ink.
        seed: int32 (2,).
        rotation: Degrees, at most, either way.
        scale: Fraction of the size, at most, along each axis for itself.
        shear: Horizontal shift a pixel of height, at most.
        shift: Pixels, at most, along each axis.
        elastic: Pixels, standard deviation of the displacement at the nodes of the grid.

    Returns:
        float32 (batch, 28, 28); what comes from outside the image is paper.
    """
    count = tf.shape(batch)[0]
    seeds = tf.random.experimental.stateless_split(seed, 7)

    def uniform(stream: int, bound: float) -> Any:  # noqa: ANN401 - a tensor (batch, 1, 1)
        return tf.random.stateless_uniform([count, 1, 1], seeds[stream], -bound, bound)

    centred = tf.range(images.SIDE, dtype=tf.float32) - (images.SIDE - 1) / 2
    y, x = centred[None, :, None], centred[None, None, :]
    angle = uniform(0, rotation * 3.14159265 / 180)
    wide, tall = 1 + uniform(1, scale), 1 + uniform(2, scale)
    cos, sin = tf.cos(angle), tf.sin(angle)
    columns = wide * (cos * x + (uniform(3, shear) - sin) * y) + uniform(4, shift)
    rows = tall * (sin * x + cos * y) + uniform(5, shift)
    if elastic:
        nodes = tf.random.stateless_normal([count, _GRID, _GRID, 2], seeds[6], stddev=elastic)
        field = tf.image.resize(nodes, [images.SIDE, images.SIDE])  # (batch, 28, 28, 2)
        rows, columns = rows + field[..., 0], columns + field[..., 1]
    middle = (images.SIDE - 1) / 2
    return _sample(batch, rows + middle, columns + middle)


def _sample(batch: Any, rows: Any, columns: Any) -> Any:  # noqa: ANN401 - tensors
    """Bilinear interpolation at (rows, columns), over an image with a margin of paper."""
    side = images.SIDE + 3  # one pixel of paper before, two after: the right neighbour of the last point exists
    flat = tf.reshape(tf.pad(batch, [[0, 0], [1, 2], [1, 2]]), [-1])
    rows = tf.clip_by_value(rows + 1, 0.0, images.SIDE + 1.0)
    columns = tf.clip_by_value(columns + 1, 0.0, images.SIDE + 1.0)
    top, left = tf.floor(rows), tf.floor(columns)
    down, right = rows - top, columns - left
    first = tf.range(tf.shape(batch)[0])[:, None, None] * (side * side)
    corner = first + tf.cast(top, tf.int32) * side + tf.cast(left, tf.int32)  # index of the upper left neighbour
    upper = (1 - right) * tf.gather(flat, corner) + right * tf.gather(flat, corner + 1)
    lower = (1 - right) * tf.gather(flat, corner + side) + right * tf.gather(flat, corner + side + 1)
    return (1 - down) * upper + down * lower
