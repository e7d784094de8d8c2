"""The variables of a Keras model by their names on the wire, and back.

Rules:
1. A float model and its quantization-aware twin share every name, so their weights can be exchanged; the twin has the
   ranges of its activations in addition.
2. What follows from other arrays is not on the wire: the ranges of kernels follow from the kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from handfed.shared.tf.runtime import keras, tf
from handfed.shared.wire import Arrays, ArraySpec, Role, Schema, second_moment, variance

_MOMENTS = ("moving_mean", "moving_variance")
_RANGES = {"output_min": "output_range", "post_activation_min": "post_activation_range"}


def unwrapped(layer: Any) -> Any:  # noqa: ANN401 - Keras publishes no types
    """The layer that a tfmot wrapper quantizes, or the layer itself."""
    return getattr(layer, "layer", layer)


def batch_norms(model: Any) -> list[Any]:  # noqa: ANN401
    """The batch normalisation layers of a model, quantization-aware or not."""
    layers = [unwrapped(layer) for layer in model.layers]
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def _kind(variable: Any) -> str:  # noqa: ANN401
    """What a variable is within its layer: `relu1/output_min:0` is an `output_min`."""
    return str(variable.name.split("/")[-1].split(":")[0])


class NamedVariables:
    """Reads and writes the state of a model as arrays with names.

    Attributes:
        schema: Names, shapes and roles, in the order of the layers.
        weights: The variables that training changes, in the same order.
        kernels: Those of them that features are multiplied with: no biases, and none of batch normalisation.
        ranges: Names of activation ranges with the name of the layer whose output each one bounds.
    """

    def __init__(self, model: Any) -> None:  # noqa: ANN401
        self._plain: dict[str, Any] = {}
        self._moments: list[tuple[str, str, Any]] = []
        self._ranges: dict[str, tuple[Any, Any]] = {}
        self.ranges: dict[str, str] = {}
        specs: list[ArraySpec] = []
        for layer in model.layers:
            specs += self._bind(layer)
        self.schema = Schema(tuple(specs))
        self.weights = list(self._plain.values())
        self.kernels = [variable for name, variable in self._plain.items() if name.endswith("kernel")]

    def _bind(self, layer: Any) -> list[ArraySpec]:  # noqa: ANN401
        inner = unwrapped(layer)
        specs = []
        for variable in layer.weights:  # a wrapper's hold the kernel too, which tfmot takes from the layer it wraps
            kind = _kind(variable)
            if kind in _MOMENTS or kind.endswith(("_min", "_max")) or kind == "optimizer_step":
                continue
            name = f"{inner.name}/{kind}"
            self._plain[name] = variable
            specs.append(ArraySpec(name, tuple(variable.shape), Role.WEIGHT))
        if isinstance(inner, keras.layers.BatchNormalization):
            mean, second = f"{inner.name}/mean", f"{inner.name}/second_moment"
            self._moments.append((mean, second, inner))
            shape = tuple(inner.moving_mean.shape)
            specs += [ArraySpec(mean, shape, Role.MEAN), ArraySpec(second, shape, Role.SECOND_MOMENT)]
        if inner is not layer:
            specs += self._bind_ranges(layer, inner.name)
        return specs

    def keep_range(self, layer: str, reach: float) -> None:
        """Raises the lower end of a layer's range to within `reach` of the upper one, if the model has ranges."""
        for name, (low, high) in self._ranges.items():
            if self.ranges[name] == layer:
                low.assign(tf.maximum(low, high - reach))

    def _bind_ranges(self, wrapper: Any, layer_name: str) -> list[ArraySpec]:  # noqa: ANN401
        by_kind = {_kind(variable): variable for variable in wrapper.weights}
        specs = []
        for kind, wire_kind in _RANGES.items():
            if kind in by_kind:
                name = f"{layer_name}/{wire_kind}"
                self._ranges[name] = (by_kind[kind], by_kind[kind.replace("_min", "_max")])
                self.ranges[name] = layer_name
                specs.append(ArraySpec(name, (2,), Role.RANGE))
        return specs

    def dump(self) -> dict[str, NDArray[np.float32]]:
        """The model's state, in the order of the schema."""
        state: dict[str, NDArray[np.float32]] = {name: value.numpy() for name, value in self._plain.items()}
        for mean, second, layer in self._moments:
            state[mean] = layer.moving_mean.numpy()
            state[second] = second_moment(state[mean], layer.moving_variance.numpy())
        for name, (low, high) in self._ranges.items():
            state[name] = np.array([low.numpy(), high.numpy()], np.float32)
        return {name: state[name] for name in self.schema.names()}

    def load(self, arrays: Arrays) -> None:
        """Sets the model's state; names beyond the schema are passed over.

        Args:
            arrays: Every array of the schema, as `Schema.check` accepts it.
        """
        for name, value in self._plain.items():
            value.assign(arrays[name])
        for mean, second, layer in self._moments:
            layer.moving_mean.assign(arrays[mean])
            layer.moving_variance.assign(variance(arrays[mean], arrays[second]))
        for name, (low, high) in self._ranges.items():
            low.assign(arrays[name][0])
            high.assign(arrays[name][1])
