"""The CNN of many a tutorial: convolutions of 32 and 64 filters, each pooled, a dense layer of 128, and the classes.

Source: LeNet-5 (LeCun et al. 1998, section II.B) with ReLU, more filters, maximum pooling and batch normalisation. It
is here to compare with; nine tenths of its parameters are one dense layer's.
"""

from __future__ import annotations

from typing import Any

from handfed.shared.tf.recognisers import blocks
from handfed.shared.tf.runtime import keras

FILTERS = (32, 64)
HIDDEN = 128


def build(classes: int, *, channels: int = 1, pruning: float = 0.0) -> Any:  # noqa: ANN401 - Keras publishes no types
    """Builds the untrained model; see `handfed.shared.tf.recognisers.build`."""
    x = picture = blocks.picture(channels)
    for number, filters in enumerate(FILTERS, start=1):
        x = blocks.convolution(x, blocks.kept(filters, pruning), 3, str(number))
        x = keras.layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)  # (batch, 7 * 7 * 64)
    hidden = blocks.kept(HIDDEN, pruning)
    x = keras.layers.Dense(hidden, activation="relu", kernel_initializer="he_normal", name="hidden")(x)
    return keras.Model(picture, keras.layers.Dense(classes, name="logits")(x), name="lenet")
