"""Keras' optimisers, in the graph of a round: each round begins as if nothing had been trained before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from handfed.shared.local_training import LocalTraining
from handfed.shared.tf.runtime import keras, tf

_BUILDERS: dict[str, Callable[[LocalTraining], Any]] = {
    "sgd": lambda settings: keras.optimizers.SGD(momentum=settings.momentum, jit_compile=False),
    "adam": lambda settings: keras.optimizers.Adam(beta_1=settings.momentum, jit_compile=False),
    "nadam": lambda settings: keras.optimizers.Nadam(beta_1=settings.momentum, jit_compile=False),
}


class Optimiser:
    """An optimiser of some variables; its own state is made anew by `restart`.

    Args:
        settings: Which one; its learning rate is an argument of each step.
        weights: What it changes.
    """

    def __init__(self, settings: LocalTraining, weights: Sequence[Any]) -> None:
        self._keras = _BUILDERS[settings.optimiser](settings)
        self._keras.build(weights)
        self._weights = weights
        self._state = [(variable, variable.numpy()) for variable in self._keras.variables]

    def restart(self) -> None:
        """Forgets what earlier steps left."""
        for variable, initial in self._state:
            variable.assign(initial if initial.any() else tf.zeros_like(variable))

    def step(self, gradients: Sequence[Any], learning_rate: Any) -> None:  # noqa: ANN401 - a tensor
        """Changes the weights along their gradients."""
        self._keras.learning_rate.assign(learning_rate)
        self._keras.apply_gradients(zip(gradients, self._weights, strict=True))
