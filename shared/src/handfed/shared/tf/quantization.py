"""Quantization-aware training with tfmot's default 8-bit scheme: weights symmetric a channel, activations a tensor.

Source: Jacob et al. 2018 (arXiv:1712.05877); the scheme is that of LiteRT's 8-bit quantization specification.

tfmot starts every activation range at +-6 and moves it by an exponential average of decay 0.999, which the few steps of
a federated round never move. So ranges are calibrated first (`Trainer.calibrate`: each device's own minimum and maximum
on its training images) and only then followed by tfmot's average while training goes on.
"""

from __future__ import annotations

import warnings
from typing import Any

from handfed.shared.tf.runtime import quiet, tf, tfmot


def quantization_aware(model: Any) -> Any:  # noqa: ANN401 - Keras publishes no types
    """The quantization-aware twin of a float model; it has variables of its own.

    Args:
        model: A functional Keras model made of layers that tfmot's 8-bit scheme knows.

    Returns:
        A Keras model of the same inputs and outputs, which computes with rounded weights and activations. Its input
        is bounded to 0..1, the range of a normalised picture.
    """
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # AutoGraph would read and rewrite the source of every layer, to the same graph: more than half of the time.
        twin = tf.autograph.experimental.do_not_convert(tfmot.quantization.keras.quantize_model)(model)
    for variable in twin.layers[1].weights:
        if variable.name.split(":")[0].endswith("_max"):
            variable.assign(1.0)
    return twin


def refresh_kernel_ranges(twin: Any) -> None:  # noqa: ANN401
    """Sets each kernel's range from the kernel, as a training step would; needed after weights were loaded."""
    for wrapper in twin.layers:
        for kernel, quantizer, variables in getattr(wrapper, "_weight_vars", ()):
            quantizer(kernel, training=True, weights=variables)
