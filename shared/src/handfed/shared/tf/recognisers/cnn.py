"""A small character CNN: five convolution, batch normalisation and ReLU stages, then one dense layer.

Source: the all-convolutional net of Springenberg et al. 2015 (arXiv:1412.6806: strides instead of pooling) with batch
normalisation (Ioffe and Szegedy 2015). 40,434 parameters for ten classes. INT8: full, by quantization-aware training
alone. Every layer here is one that tfmot's default 8-bit scheme converts to integers; no dense layer is followed by
batch normalisation, which would silently stay float32.

The dense layer sees where each feature lies. With global average pooling instead, the same federation reached a point
less in the same time: it needs several times as many steps, and steps are what a federation has least of.
"""

from __future__ import annotations

from typing import Any

from handfed.shared import images
from handfed.shared.tf.runtime import keras

STAGES = ((8, 1), (16, 2), (32, 1), (32, 2), (32, 1))  # (filters, stride)


def build(classes: int) -> Any:  # noqa: ANN401 - Keras publishes no types
    """Builds the untrained model; see `handfed.shared.tf.recognisers.build`."""
    picture = keras.Input((images.SIDE, images.SIDE, 1), name="picture")
    x = picture
    for number, (filters, stride) in enumerate(STAGES, start=1):
        x = keras.layers.Conv2D(
            filters,
            3,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(x)
        # Rounds are short: with Keras' momentum of 0.99 the statistics would never leave their start.
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(x)
        x = keras.layers.ReLU(name=f"relu{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)  # (batch, 7 * 7 * 32)
    return keras.Model(picture, keras.layers.Dense(classes, name="logits")(x), name="cnn")
