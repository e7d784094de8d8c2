"""Quantization-aware training with tfmot's default 8-bit scheme: weights symmetric a channel, activations a tensor.

Source: Jacob et al. 2018 (arXiv:1712.05877); the scheme is that of LiteRT's 8-bit quantization specification.

tfmot starts every activation range at +-6 and moves it by an exponential average of decay 0.999, which the few steps of
a federated round never move. So ranges are calibrated first (`Trainer.calibrate`: each device's own minimum and maximum
on its training images) and only then followed by tfmot's average while training goes on.
"""

from __future__ import annotations

import warnings
from typing import Any

from handfed.shared.tf.renormalisation import BatchRenormalization
from handfed.shared.tf.runtime import keras, quiet, tf, tfmot


class SelfRounding(keras.layers.Layer):
    """A layer that rounds what it computes by itself; tfmot's scheme rounds only what passes from layer to layer.

    Attributes:
        kernels: Names of those of its weights that it multiplies by.
        rounds: Whether it is part of a quantization-aware model.
    """

    kernels: tuple[str, ...] = ()
    rounds = False

    def rounded(self, x: Any, end: float, *, signed: bool = True) -> Any:  # noqa: ANN401 - tensors
        """What 8 bits hold of a tensor, in a quantization-aware model; else the tensor.

        Args:
            x: float32.
            end: 256 steps lead up to it, from 0 or from its negative; it is the first value that is too great.
            signed: Whether they lead from its negative.
        """
        if not self.rounds:
            return x
        low, steps = (-end, 128) if signed else (0.0, 256)
        return tf.quantization.fake_quant_with_min_max_args(x, min=low, max=end * (1 - 1 / steps))


class _SelfRounded(tfmot.quantization.keras.QuantizeConfig):
    """Has tfmot round the kernels of a layer, a range for each output channel, and leave all else to the layer."""

    _quantizer = tfmot.quantization.keras.quantizers.LastValueQuantizer(
        num_bits=8, per_axis=True, symmetric=True, narrow_range=True
    )

    def get_weights_and_quantizers(self, layer: SelfRounding) -> list[tuple[Any, Any]]:
        return [(getattr(layer, name), self._quantizer) for name in layer.kernels]

    def set_quantize_weights(self, layer: SelfRounding, quantize_weights: list[Any]) -> None:
        for name, kernel in zip(layer.kernels, quantize_weights, strict=True):
            setattr(layer, name, kernel)

    def get_activations_and_quantizers(self, layer: SelfRounding) -> list[tuple[Any, Any]]:  # noqa: ARG002 - tfmot's
        return []

    def set_quantize_activations(self, layer: SelfRounding, quantize_activations: list[Any]) -> None:  # noqa: ARG002
        layer.rounds = True

    def get_output_quantizers(self, layer: SelfRounding) -> list[Any]:  # noqa: ARG002
        return []

    def get_config(self) -> dict[str, Any]:
        return {}


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
        twin = tf.autograph.experimental.do_not_convert(_twin)(model)
    for variable in twin.layers[1].weights:
        if variable.name.split(":")[0].endswith("_max"):
            variable.assign(1.0)
    return twin


def _twin(model: Any) -> Any:  # noqa: ANN401
    keras_tools = tfmot.quantization.keras

    def annotated(layer: Any) -> Any:  # noqa: ANN401
        if isinstance(layer, BatchRenormalization):
            layer = layer.plain()
        own = _SelfRounded() if isinstance(layer, SelfRounding) else None
        return keras_tools.quantize_annotate_layer(layer, own)

    names = {kind.__name__: kind for kind in {type(layer) for layer in model.layers} if issubclass(kind, SelfRounding)}
    with keras_tools.quantize_scope({"_SelfRounded": _SelfRounded, **names}):
        return keras_tools.quantize_apply(keras.models.clone_model(model, clone_function=annotated))


def refresh_kernel_ranges(twin: Any) -> None:  # noqa: ANN401
    """Sets each kernel's range from the kernel, as a training step would; needed after weights were loaded."""
    for wrapper in twin.layers:
        for kernel, quantizer, variables in getattr(wrapper, "_weight_vars", ()):
            quantizer(kernel, training=True, weights=variables)
