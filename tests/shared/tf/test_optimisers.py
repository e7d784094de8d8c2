"""Adam-mini, which Keras lacks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from handfed.shared.local_training import LocalTraining
from handfed.shared.run_settings import RunSettings
from handfed.shared.tf.optimisers import Optimiser
from handfed.shared.tf.runtime import tf

RATE = 0.1

Gradients = NDArray[np.float64]  # (steps, *shape of the weight)


def moved(*rounds: Gradients) -> NDArray[np.float64]:
    """Where a weight is that began each round at 0, after the gradients of the last one."""
    weight = tf.Variable(tf.zeros(rounds[0].shape[1:]))
    settings = LocalTraining.of(RunSettings(optimiser="adam-mini"), learning_rate=RATE, freeze_statistics=True)
    optimiser = Optimiser(settings, [weight], [])
    for gradients in rounds:
        optimiser.restart()
        weight.assign(tf.zeros_like(weight))
        for gradient in gradients:
            optimiser.step([tf.constant(gradient, tf.float32)], RATE)
    found: NDArray[np.float64] = weight.numpy().astype(np.float64)
    return found


def expected(gradients: Gradients, shared: tuple[int, ...]) -> NDArray[np.float64]:
    """The same by Kingma and Ba 2015, algorithm 1, with squares that are means over the axes `shared`."""
    weight: NDArray[np.float64] = np.zeros(gradients.shape[1:])
    mean, square = weight, weight
    for step, gradient in enumerate(gradients, start=1):
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * (gradient**2).mean(axis=shared, keepdims=True)
        weight = weight - RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-7)
    return weight


@pytest.mark.parametrize(
    ("shape", "shared"),
    [
        pytest.param((3, 3, 4, 5), (0, 1, 2), id="convolution"),
        pytest.param((3, 3, 4, 1), (0, 1, 3), id="depthwise convolution"),
        pytest.param((6, 5), (0,), id="dense layer"),
        pytest.param((6, 1), (0,), id="dense layer of one output"),
        pytest.param((5,), (0,), id="vector"),
    ],
)
def test_weights_of_a_channel_share_their_second_moment(shape: tuple[int, ...], shared: tuple[int, ...]) -> None:
    gradients = np.random.default_rng(0).normal(size=(5, *shape))
    np.testing.assert_allclose(moved(gradients), expected(gradients, shared), rtol=1e-4, atol=1e-5)


def test_the_first_step_goes_along_the_gradient_of_each_channel() -> None:
    """Adam's goes along its signs, by as much for what is noise as for what is not."""
    gradient = np.random.default_rng(1).normal(size=(50, 3)) * [0.1, 1.0, 10.0]
    step = moved(gradient[None])
    for channel in range(3):
        along = -step[:, channel] @ gradient[:, channel]
        assert along == pytest.approx(np.linalg.norm(step[:, channel]) * np.linalg.norm(gradient[:, channel]), rel=1e-5)
        assert np.sqrt(np.mean(step[:, channel] ** 2)) == pytest.approx(RATE, rel=1e-3)


def test_a_round_begins_without_the_moments_of_the_one_before() -> None:
    first, second = np.random.default_rng(2).normal(size=(2, 4, 6, 5))
    np.testing.assert_array_equal(moved(100 * first, second), moved(second))
