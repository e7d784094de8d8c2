"""Geometry: an affine and an elastic deformation, sampled once with bilinear interpolation.

Source: Simard et al. 2003 (elastic distortions for document analysis), here with a displacement field that is drawn on
a coarse grid, a node every 7 pixels, and interpolated, which is as smooth as their Gaussian filter and much cheaper.
"""

from __future__ import annotations

from typing import Any

from handfed.shared.samples import stepped
from handfed.shared.tf.runtime import tf

_NODE = 7  # pixels from one node of the displacement field to the next
_LIFT = 2.0  # pixels


def deform(
    batch: Any,  # noqa: ANN401 - tensors
    seed: Any,  # noqa: ANN401
    widths: Any = None,  # noqa: ANN401
    *,
    rotation: float,
    scale: float,
    shear: float,
    shift: float,
    elastic: float,
) -> tuple[Any, Any]:
    """Deforms each image of a batch by its own random deformation.

    Args:
        batch: float32 (batch, height, width, channels), 0 is paper and 1 full ink.
        seed: int32 (2,).
        widths: Of texts int32 (batch,), columns of each before the paper on its right. A text is deformed about its own
            middle, and what becomes longer finds room, so that no letter is lost at an end. None for single characters,
            whose images keep their size.
        rotation: Degrees, at most, either way; no end of a text goes up or down by more than `_LIFT` pixels.
        scale: Fraction of the size, at most, along each axis for itself.
        shear: Horizontal shift a pixel of height, at most.
        shift: Pixels, at most, along each axis.
        elastic: Pixels, standard deviation of the displacement at the nodes of the grid.

    Returns:
        float32 (batch, height, width, channels), of texts as wide as the longest now needs; what comes from outside the
        image is paper. And the widths, int32 (batch,): none is less than before, as there are as many letters; or None.
    """
    count, height, width = tf.shape(batch)[0], *sides(batch)
    seeds = tf.random.experimental.stateless_split(seed, 7)

    def uniform(stream: int, bound: float) -> Any:  # noqa: ANN401 - a tensor (batch, 1, 1)
        return tf.random.stateless_uniform([count, 1, 1], seeds[stream], -bound, bound)

    angle = uniform(0, rotation * 3.14159265 / 180)
    wide, tall = 1 + uniform(1, scale), 1 + uniform(2, scale)
    middle_y, middle_x = (tf.cast(side - 1, tf.float32) / 2 for side in (height, width))
    new_middle_x = middle_x
    if widths is not None:
        before = tf.cast(widths, tf.float32)[:, None, None]
        after = before / wide
        middle_x, new_middle_x = (before - 1) / 2, (after - 1) / 2
        angle = tf.clip_by_value(angle, -2 * _LIFT / before, 2 * _LIFT / before)
        widths = tf.maximum(widths, tf.cast(tf.math.ceil(after[:, 0, 0]), tf.int32))
        width = stepped(tf.reduce_max(widths))
    y = tf.range(height, dtype=tf.float32)[None, :, None] - middle_y
    x = tf.range(width, dtype=tf.float32)[None, None, :] - new_middle_x
    cos, sin = tf.cos(angle), tf.sin(angle)
    columns = wide * (cos * x + (uniform(3, shear) - sin) * y) + uniform(4, shift)
    rows = tall * (sin * x + cos * y) + uniform(5, shift)
    if elastic:
        nodes = tf.random.stateless_normal(
            [count, height // _NODE + 1, width // _NODE + 1, 2], seeds[6], stddev=elastic
        )
        field = tf.image.resize(nodes, [height, width])  # (batch, height, width, 2)
        rows, columns = rows + field[..., 0], columns + field[..., 1]
    return _sample(batch, rows + middle_y, columns + middle_x), widths


def sides(batch: Any) -> tuple[Any, Any]:  # noqa: ANN401 - a tensor
    """Height and width of a batch of pictures (batch, height, width, …): numbers where they are known, else tensors."""
    dynamic = tf.unstack(tf.shape(batch)[1:3])
    height, width = (known or found for known, found in zip(batch.shape[1:3], dynamic, strict=True))
    return height, width


def _sample(batch: Any, rows: Any, columns: Any) -> Any:  # noqa: ANN401 - tensors
    """Bilinear interpolation of all channels at (rows, columns), over an image with a margin of paper."""
    height, width = sides(batch)
    wide = width + 3  # one pixel of paper before, two after: the right neighbour of the last point exists
    flat = tf.reshape(tf.pad(batch, [[0, 0], [1, 2], [1, 2], [0, 0]]), [-1, batch.shape[3]])  # (pixels, channels)
    rows = tf.clip_by_value(rows + 1, 0.0, tf.cast(height + 1, tf.float32))
    columns = tf.clip_by_value(columns + 1, 0.0, tf.cast(width + 1, tf.float32))
    top, left = tf.floor(rows), tf.floor(columns)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    first = tf.range(tf.shape(batch)[0])[:, None, None] * ((height + 3) * wide)
    corner = first + tf.cast(top, tf.int32) * wide + tf.cast(left, tf.int32)  # index of the upper left neighbour
    upper = (1 - right) * tf.gather(flat, corner) + right * tf.gather(flat, corner + 1)
    lower = (1 - right) * tf.gather(flat, corner + wide) + right * tf.gather(flat, corner + wide + 1)
    return (1 - down) * upper + down * lower
