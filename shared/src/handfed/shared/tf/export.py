"""Conversion of a quantization-aware model to one LiteRT file, full INT8, without representative data.

The server calls this: it has no image, and needs none, since every range came back from the devices.
"""

from __future__ import annotations

import warnings
from typing import Any

from handfed.shared.tf.runtime import quiet, tf

_WIDTH = 128  # pixels that a recogniser of texts is laid out for; who reads lays it out anew for each width


def to_int8(model: Any) -> bytes:  # noqa: ANN401 - Keras publishes no types
    """Converts a quantization-aware model.

    Args:
        model: As `Trainer.quantized_model` returns it: input float32 (batch, height, width, 1).

    Returns:
        A LiteRT flatbuffer with int8 input and output.
    """
    _, height, width, channels = model.input_shape
    shape = [1, height, width or _WIDTH, channels]

    @tf.function(autograph=False, input_signature=[tf.TensorSpec(shape, tf.float32, name="picture")])
    def forward(picture: Any) -> Any:  # noqa: ANN401
        return model(picture, training=False)

    # The converter saves what it is given: the variables alone take a fifth of the time that a whole Keras model does.
    variables = tf.Module()
    variables.kept = model.variables
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_concrete_functions([forward.get_concrete_function()], variables)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        return bytes(converter.convert())
