"""Ink and paper: what a pen, a sheet and a camera do to a character whose shape stays as it is.

Each effect takes a batch, float32 (batch, height, width), 0 is paper and 1 full ink; a seed, int32 (2,); and the
effect's one setting, a probability or its greatest strength. It gives a batch of that shape, again within 0 to 1.

Rules:
1. What is drawn for an image (whether, how much, of which kind) is drawn evenly and once; noise is drawn by pixel.
2. An image that an effect passes over keeps every bit.
3. The ink stays on top: no pixel has less of it through a background, and no background alone exceeds
   `_DARKEST_BACKGROUND`.

Source: dilation and erosion by a flat 3 x 3 square are those of grey-scale morphology (Serra 1982, Image Analysis and
Mathematical Morphology).
"""

from __future__ import annotations

from math import pi, radians
from typing import Any

from handfed.shared.tf.deform import sides
from handfed.shared.tf.runtime import tf

_SPOT = 4  # pixels from one node of the paper's texture to the next
_LEAST_STROKE, _MOST_STROKE = 0.25, 0.75  # of the way to the 3 x 3 extreme: all of it would close or cut small loops
_FAINTEST_BACKGROUND, _DARKEST_BACKGROUND = 0.1, 0.45  # of full ink
_LINES = (7.0, 12.0)  # pixels from one ruled line to the next, least and most
_LINE_SLANT = radians(4)  # at most, either way: nobody lays a sheet down straight
_LINE_FLOOR = 0.6  # what of the wave lies below is bare paper: at half its strength a line takes 0.3 of the distance
_BANDS = (9.0, 16.0)  # pixels from one band of a watermark to the next, least and most
_BAND_SLANT = radians(35), radians(55)  # least and most, to the left or to the right


def stroke_width(batch: Any, seed: Any, probability: float) -> Any:  # noqa: ANN401 - tensors
    """Makes the strokes of some images thinner, of as many thicker: part of the way to their erosion or dilation.

    Erosion leaves nothing of a stroke of two pixels, so a thinner one is brought back to the darkness it had: what is
    left is a fine pen and no faint one.
    """
    chance, side, amount = _draws(3, batch, seed)
    sign = tf.where(side < 1 / 2, -1.0, 1.0)  # erosion is the dilation of the negative
    extreme = sign * tf.nn.max_pool2d((sign * batch)[..., None], 3, 1, "SAME")[..., 0]  # (batch, height, width)
    amount = tf.where(chance < probability, _between(amount, _LEAST_STROKE, _MOST_STROKE), 0.0)
    drawn = batch + amount * (extreme - batch)
    fine = tf.minimum(batch, drawn * tf.math.divide_no_nan(_darkness(batch), _darkness(drawn)))
    return tf.where(side < 1 / 2, fine, drawn)


def noise(batch: Any, seed: Any, most: float) -> Any:  # noqa: ANN401 - tensors
    """Adds Gaussian noise whose standard deviation is drawn from 0 to `most`."""
    seeds = tf.random.experimental.stateless_split(seed, 2)
    (deviation,) = _draws(1, batch, seeds[0])
    return tf.clip_by_value(batch + deviation * most * tf.random.stateless_normal(_shape(batch), seeds[1]), 0.0, 1.0)


def salt_and_pepper(batch: Any, seed: Any, most: float) -> Any:  # noqa: ANN401 - tensors
    """Makes a fraction of the pixels, drawn from 0 to `most`, paper or ink, each with the same probability."""
    seeds = tf.random.experimental.stateless_split(seed, 2)
    (fraction,) = _draws(1, batch, seeds[0])
    pixels = tf.random.stateless_uniform(_shape(batch), seeds[1])
    half = fraction * most / 2
    return tf.where(pixels < half, 0.0, tf.where(pixels < 2 * half, 1.0, batch))


def backgrounds(batch: Any, seed: Any, probability: float) -> Any:  # noqa: ANN401 - tensors
    """Puts the texture of paper, ruled lines or a watermark under some images: a third of them each."""
    seeds = tf.random.experimental.stateless_split(seed, 2)
    chance, kind, strength, slant, distance, phase = _draws(6, batch, seeds[0])
    lines = _wave(batch, _between(slant, -_LINE_SLANT, _LINE_SLANT), _between(distance, *_LINES), phase)
    leaning = tf.where(slant < 1 / 2, -1.0, 1.0) * _between(tf.abs(2 * slant - 1), *_BAND_SLANT)
    bands = _wave(batch, leaning, _between(distance, *_BANDS), phase)
    under = tf.where(kind < 1 / 3, _texture(batch, seeds[1]), tf.where(kind < 2 / 3, _above(lines, _LINE_FLOOR), bands))
    strength = _between(strength, _FAINTEST_BACKGROUND, _DARKEST_BACKGROUND)
    return batch + (1 - batch) * tf.where(chance < probability, strength, 0.0) * under


def polarity(batch: Any, seed: Any, probability: float) -> Any:  # noqa: ANN401 - tensors
    """Turns some images into their negative."""
    (chance,) = _draws(1, batch, seed)
    return tf.where(chance < probability, 1 - batch, batch)


def _darkness(batch: Any) -> Any:  # noqa: ANN401 - tensors
    """How dark the ink of each image is on average, 0 to 1, where there is any: (batch, 1, 1)."""
    ink = tf.reduce_sum(batch, axis=(1, 2), keepdims=True)
    return tf.math.divide_no_nan(tf.reduce_sum(tf.square(batch), axis=(1, 2), keepdims=True), ink)


def _texture(batch: Any, seed: Any) -> Any:  # noqa: ANN401 - tensors
    """Smooth spots, 0 to 1, as paper or a shadow shows them: (batch, height, width)."""
    height, width = sides(batch)
    nodes = tf.random.stateless_uniform([tf.shape(batch)[0], height // _SPOT + 1, width // _SPOT + 1, 1], seed)
    return tf.image.resize(nodes, [height, width])[..., 0]


def _wave(batch: Any, slant: Any, distance: Any, phase: Any) -> Any:  # noqa: ANN401 - tensors
    """A wave down the image, 0 to 1: slanted by so many radians, its crests `distance` pixels apart."""
    height, width = sides(batch)
    y = tf.range(height, dtype=tf.float32)[None, :, None]
    x = tf.range(width, dtype=tf.float32)[None, None, :]
    along = (tf.cos(slant) * y + tf.sin(slant) * x) / distance + phase  # in wave lengths
    return (1 + tf.cos(2 * pi * along)) / 2


def _above(wave: Any, floor: float) -> Any:  # noqa: ANN401 - tensors
    """The part of a wave above `floor`, stretched to 0 to 1."""
    return tf.nn.relu(wave - floor) / (1 - floor)


def _draws(count: int, batch: Any, seed: Any) -> list[Any]:  # noqa: ANN401 - tensors
    """So many random numbers from 0 to below 1 for each image, each (batch, 1, 1)."""
    return tf.unstack(tf.random.stateless_uniform([count, tf.shape(batch)[0], 1, 1], seed))


def _between(drawn: Any, least: float, most: float) -> Any:  # noqa: ANN401 - tensors
    """A number drawn from 0 to 1, brought to `least` to `most`."""
    return least + (most - least) * drawn


def _shape(batch: Any) -> list[Any]:  # noqa: ANN401 - a tensor
    return [tf.shape(batch)[0], *sides(batch)]
