"""What recognisers are made of, in layers that tfmot's default 8-bit scheme converts to integers.

tfmot folds a batch normalisation into the convolution before it, and takes a ReLU after it along. It does so by the
layers' order, so a block is always convolution, batch normalisation and, where it has one, ReLU. Dense layers have no
batch normalisation: it would silently stay float32 (Jacob et al. 2018, arXiv:1712.05877, section 3.2, on folding).
"""

from __future__ import annotations

from typing import Any

from handfed.shared.geometry import SIDE
from handfed.shared.tf.renormalisation import BatchRenormalization
from handfed.shared.tf.runtime import keras

_MULTIPLE = 8  # of channels: integer kernels compute so many at once, and a part of them takes as long

Sides = int | tuple[int, int]  # of both directions, or of height and width


def kept(filters: int, pruning: float) -> int:
    """How many of a layer's filters are left when a fraction of them is pruned: the nearest multiple of 8."""
    return min(max(round(filters * (1 - pruning) / _MULTIPLE), 1) * _MULTIPLE, filters) if pruning else filters


def picture(channels: int) -> Any:  # noqa: ANN401 - Keras publishes no types
    """The input of a character recogniser, float32 (batch, 28, 28, channels) in 0..1."""
    return keras.Input((SIDE, SIDE, channels), name="picture")


def strip(height: int) -> Any:  # noqa: ANN401
    """The input of a recogniser of texts, float32 (batch, height, width, 1) in 0..1, of any width."""
    return keras.Input((height, None, 1), name="picture")


def convolution(x: Any, filters: int, side: Sides, name: str, *, stride: Sides = 1, relu: bool = True) -> Any:  # noqa: ANN401
    """Convolution `conv{name}` with batch normalisation `norm{name}` and, unless told otherwise, `relu{name}`.

    Args:
        x: (batch, height, width, channels).
        filters: Channels of the output.
        side: Of the kernel.
        name: A number, or a number and a letter.
        stride: How far the kernel moves.
        relu: Whether the block ends in a ReLU; the branches of a sum do not.
    """
    x = keras.layers.Conv2D(
        filters,
        side,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"conv{name}",
    )(x)
    return _normalised(x, name, relu=relu)


def depthwise(x: Any, side: Sides, name: str, *, stride: Sides = 1) -> Any:  # noqa: ANN401
    """A convolution of each channel for itself, `conv{name}`, with batch normalisation and ReLU."""
    x = keras.layers.DepthwiseConv2D(
        side, strides=stride, padding="same", use_bias=False, depthwise_initializer="he_normal", name=f"conv{name}"
    )(x)
    return _normalised(x, name, relu=True)


def _normalised(x: Any, name: str, *, relu: bool) -> Any:  # noqa: ANN401
    x = BatchRenormalization(name=f"norm{name}")(x)
    return keras.layers.ReLU(name=f"relu{name}")(x) if relu else x
