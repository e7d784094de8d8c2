"""Augmentation in one batched pass: an affine and an elastic deformation, sampled once with bilinear interpolation.

Source: Simard et al. 2003 (elastic distortions for document analysis), here with a displacement field that is drawn on
a coarse 5 x 5 grid and interpolated, which is as smooth as their Gaussian filter and much cheaper. Random numbers are
stateless: a seed gives the same images on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from handfed.shared import images
from handfed.shared.tf.runtime import tf

_GRID = 5  # nodes of the displacement field along a side


@dataclass(frozen=True)
class Augmentation:
    """How far a deformation may go; each is drawn evenly from minus to plus its value, `elastic` from a Gaussian.

    Attributes:
        rotation: Degrees.
        scale: Fraction of the size, along each axis for itself.
        shear: Horizontal shift a pixel of height.
        shift: Pixels, along each axis.
        elastic: Pixels, standard deviation of the displacement at the nodes of the grid.
    """

    rotation: float = 15.0
    scale: float = 0.12
    shear: float = 0.2
    shift: float = 2.0
    elastic: float = 1.2

    def times(self, strength: float) -> Augmentation:
        """The same deformations, `strength` times as far."""
        return Augmentation(
            self.rotation * strength,
            self.scale * strength,
            self.shear * strength,
            self.shift * strength,
            self.elastic * strength,
        )

    def __bool__(self) -> bool:
        return any((self.rotation, self.scale, self.shear, self.shift, self.elastic))


def augment(batch: Any, seed: Any, augmentation: Augmentation) -> Any:  # noqa: ANN401 - tensors
    """Deforms each image of a batch by its own random deformation.

    Args:
        batch: float32 (batch, 28, 28).
        seed: int32 (2,), the same seed gives the same result.
        augmentation: How far.

    Returns:
        float32 (batch, 28, 28); what comes from outside the image is 0.
    """
    rows, columns = _sampling_points(tf.shape(batch)[0], seed, augmentation)
    return _sample(batch, rows, columns)


def _sampling_points(count: Any, seed: Any, augmentation: Augmentation) -> tuple[Any, Any]:  # noqa: ANN401
    """Where each output pixel is taken from: rows and columns, float32 (batch, 28, 28)."""
    seeds = tf.random.experimental.stateless_split(seed, 7)

    def uniform(stream: int, bound: float) -> Any:  # noqa: ANN401 - a tensor (batch, 1, 1)
        return tf.random.stateless_uniform([count, 1, 1], seeds[stream], -bound, bound)

    centred = tf.range(images.SIDE, dtype=tf.float32) - (images.SIDE - 1) / 2
    y, x = centred[None, :, None], centred[None, None, :]
    angle = uniform(0, augmentation.rotation * 3.14159265 / 180)
    wide, tall = 1 + uniform(1, augmentation.scale), 1 + uniform(2, augmentation.scale)
    cos, sin = tf.cos(angle), tf.sin(angle)
    columns = wide * (cos * x + (uniform(3, augmentation.shear) - sin) * y) + uniform(4, augmentation.shift)
    rows = tall * (sin * x + cos * y) + uniform(5, augmentation.shift)
    if augmentation.elastic:
        nodes = tf.random.stateless_normal([count, _GRID, _GRID, 2], seeds[6], stddev=augmentation.elastic)
        field = tf.image.resize(nodes, [images.SIDE, images.SIDE])  # (batch, 28, 28, 2)
        rows, columns = rows + field[..., 0], columns + field[..., 1]
    middle = (images.SIDE - 1) / 2
    return rows + middle, columns + middle


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
