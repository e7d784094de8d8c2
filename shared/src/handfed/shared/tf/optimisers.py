"""Optimisers in the graph of a round: each round begins as if nothing had been trained before.

Weight decay is decoupled from the gradient (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithms 1 and 2, with the
learning rate as its schedule): a penalty within the loss would be scaled by Adam and by the clipping of gradients. It
acts on kernels alone; to pull biases and batch normalisation towards 0 would bend what the model says, not smooth it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from handfed.shared.local_training import LocalTraining
from handfed.shared.tf.runtime import keras, tf


class AdamMini(keras.optimizers.Adam):
    """Adam with one second moment for all weights of a channel (Zhang et al. 2024, arXiv:2406.16793).

    Adam's step divides each weight's mean gradient by the root of its mean square. A round of few steps knows that
    square from few batches, its first step from one: it moves every weight by as much, whichever way the noise points.
    Of all weights of a channel, one batch tells it well enough.

    Weights that lead to one channel have one second moment, as have the weights of one channel of a depthwise
    convolution, and all of a vector (biases, scales).
    """

    def build(self, weights: Sequence[Any]) -> None:
        """Makes a mean gradient for each weight, and a mean square for each block of weights."""
        keras.optimizers.Optimizer.build(self, weights)
        if getattr(self, "_built", False):
            return
        self._built = True
        self._momentums = [self.add_variable_from_reference(weight, "m") for weight in weights]
        self._velocities = [
            self.add_variable_from_reference(weight, "v", shape=_blocks(tuple(weight.shape))) for weight in weights
        ]

    def update_step(self, gradient: Any, variable: Any) -> None:  # noqa: ANN401 - tensors
        """Moves a weight along its gradient."""
        index = self._index_dict[self._var_key(variable)]
        mean, square = self._momentums[index], self._velocities[index]
        within = [axis for axis, size in enumerate(square.shape) if size != gradient.shape[axis]]
        mean.assign_add((gradient - mean) * (1 - self.beta_1))
        square.assign_add((tf.reduce_mean(tf.square(gradient), within, keepdims=True) - square) * (1 - self.beta_2))
        step = tf.cast(self.iterations + 1, variable.dtype)
        unbiased = tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        variable.assign_sub(self.learning_rate * unbiased * mean / (tf.sqrt(square) + self.epsilon))


def _blocks(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the second moments of a weight of `shape`: 1 along each axis that shares them."""
    depthwise = len(shape) == 4 and shape[-1] == 1  # noqa: PLR2004 - height, width, inputs, outputs of each
    kept = None if len(shape) == 1 else len(shape) - (2 if depthwise else 1)
    return tuple(size if axis == kept else 1 for axis, size in enumerate(shape))


_BUILDERS: dict[str, Callable[[LocalTraining], Any]] = {
    "sgd": lambda settings: keras.optimizers.SGD(
        momentum=settings.momentum, weight_decay=settings.weight_decay or None, jit_compile=False
    ),
    "adam": lambda settings: keras.optimizers.Adam(
        beta_1=settings.momentum, weight_decay=settings.weight_decay or None, jit_compile=False
    ),
    "adam-mini": lambda settings: AdamMini(
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
