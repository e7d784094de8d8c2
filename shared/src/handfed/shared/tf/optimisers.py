"""Keras' optimisers, in the graph of a round: each round begins as if nothing had been trained before.

Weight decay is decoupled from the gradient (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithms 1 and 2, with the
learning rate as its schedule): a penalty within the loss would be scaled by Adam and by the clipping of gradients. It
acts on kernels alone; to pull biases and batch normalisation towards 0 would bend what the model says, not smooth it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from handfed.shared.local_training import LocalTraining
from handfed.shared.tf.runtime import keras, tf

_BUILDERS: dict[str, Callable[[LocalTraining], Any]] = {
    "sgd": lambda settings: keras.optimizers.SGD(
        momentum=settings.momentum, weight_decay=settings.weight_decay or None, jit_compile=False
    ),
    "adam": lambda settings: keras.optimizers.Adam(
        beta_1=settings.momentum, weight_decay=settings.weight_decay or None, jit_compile=False
    ),
    "nadam": lambda settings: keras.optimizers.Nadam(
        beta_1=settings.momentum, weight_decay=settings.weight_decay or None, jit_compile=False
    ),
}


class Optimiser:
    """An optimiser of some variables; its own state is made anew by `restart`.

    Args:
        settings: Which one; its learning rate is an argument of each step.
        weights: What it changes.
        kernels: Those of them that weight decay acts on.
    """

    def __init__(self, settings: LocalTraining, weights: Sequence[Any], kernels: Sequence[Any]) -> None:
        self._keras = _BUILDERS[settings.optimiser](settings)
        decayed = {id(kernel) for kernel in kernels}
        self._keras.exclude_from_weight_decay([weight for weight in weights if id(weight) not in decayed])
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
