"""A residual network: three stages of two blocks each, where a block adds two convolutions to what it was given.

Source: He et al. 2016 (arXiv:1512.03385, section 4.2: the networks for small pictures), narrower, and with an average
pooling to 3 x 3 in place of the global one, so that the last layer knows roughly where a feature lies.
"""

from __future__ import annotations

from typing import Any

from handfed.shared.tf.recognisers import blocks
from handfed.shared.tf.runtime import keras

STAGES = (16, 32, 64)  # filters; each stage but the first halves the picture
BLOCKS = 2


def build(classes: int, *, channels: int = 1, pruning: float = 0.0) -> Any:  # noqa: ANN401 - Keras publishes no types
    """Builds the untrained model; see `handfed.shared.tf.recognisers.build`."""
    picture = blocks.picture(channels)
    stages = [blocks.kept(filters, pruning) for filters in STAGES]
    x = blocks.convolution(picture, stages[0], 3, "0")
    for stage, filters in enumerate(stages, start=1):
        for block in range(1, BLOCKS + 1):
            x = _residual(x, filters, f"{stage}{block}", stride=2 if block == 1 < stage else 1)
    x = keras.layers.AveragePooling2D(2, name="pool")(x)  # (batch, 3, 3, 64)
    x = keras.layers.Flatten(name="flatten")(x)
    return keras.Model(picture, keras.layers.Dense(classes, name="logits")(x), name="resnet")


def _residual(x: Any, filters: int, name: str, *, stride: int) -> Any:  # noqa: ANN401
    """Two convolutions and a way past them, which is a convolution itself where the shape changes."""
    branch = blocks.convolution(x, filters, 3, f"{name}a", stride=stride)
    branch = blocks.convolution(branch, filters, 3, f"{name}b", relu=False)
    if x.shape[-1] != filters:
        x = blocks.convolution(x, filters, 1, f"{name}past", stride=stride, relu=False)
    return keras.layers.ReLU(name=f"relu{name}")(keras.layers.Add(name=f"sum{name}")([x, branch]))
