"""Batch renormalisation: in training a model sees what it sees when it reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.shared.tf.quantization import quantization_aware
from handfed.shared.tf.recognisers import build
from handfed.shared.tf.renormalisation import SCALE, SHIFT, BatchRenormalization
from handfed.shared.tf.runtime import computing_in_bfloat16, keras, tf
from handfed.shared.tf.variables import batch_norms

CHANNELS = 4


def layer(mean: float = 0.0, variance: float = 1.0) -> Any:
    """One of these moving moments, with a scale and an offset that are not the usual ones."""
    made = BatchRenormalization(name="norm")
    made.build((None, None, None, CHANNELS))
    made.gamma.assign(np.linspace(0.5, 2, CHANNELS, dtype=np.float32))
    made.beta.assign(np.linspace(-1, 1, CHANNELS, dtype=np.float32))
    made.moving_mean.assign(np.full(CHANNELS, mean, np.float32))
    made.moving_variance.assign(np.full(CHANNELS, variance, np.float32))
    return made


def batch(mean: float = 0.0, deviation: float = 1.0) -> NDArray[np.float32]:
    found = np.random.default_rng(0).normal(size=(8, 5, 6, CHANNELS))
    found = (found - found.mean(axis=(0, 1, 2))) / found.std(axis=(0, 1, 2))
    return np.asarray(found * deviation + mean, np.float32)


@given(mean=st.floats(-3, 3), deviation=st.floats(0.4, 2.5))
def test_features_in_training_are_those_of_reading(mean: float, deviation: float) -> None:
    made, seen = layer(mean=0.5, variance=1.2), batch(mean, deviation)
    reading = made(seen, training=False).numpy()
    np.testing.assert_allclose(made(seen, training=True).numpy(), reading, rtol=1e-3, atol=1e-3)


def test_a_batch_that_is_far_off_is_corrected_so_far_and_no_farther() -> None:
    made = layer()
    far, wide = made(batch(mean=100.0), training=True).numpy(), layer()(batch(deviation=100.0), training=True).numpy()
    gamma, beta = made.gamma.numpy(), made.beta.numpy()
    np.testing.assert_allclose(far.mean(axis=(0, 1, 2)), gamma * SHIFT + beta, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(wide.std(axis=(0, 1, 2)), gamma * SCALE, rtol=1e-2)


def test_the_gradient_is_that_of_batch_normalisation() -> None:
    """Of a batch whose moments are the moving ones: what it is corrected by is no function of the weights."""
    seen = tf.constant(batch())
    made, usual = layer(), layer().plain()
    usual.build((None, None, None, CHANNELS))
    usual.set_weights(made.get_weights())
    target = np.random.default_rng(1).normal(size=seen.shape).astype(np.float32)
    found = []
    for one in (made, usual):
        with tf.GradientTape() as tape:
            tape.watch(seen)
            loss = tf.reduce_mean((one(seen, training=True) - target) ** 2)
        found.append(tape.gradient(loss, [seen, one.gamma, one.beta]))
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=0.01, atol=1e-6)


def test_moving_moments_follow_the_batch_as_those_of_batch_normalisation() -> None:
    made, usual = layer(), layer().plain()
    usual.build((None, None, None, CHANNELS))
    for _ in range(3):
        made(batch(2.0, 3.0), training=True)
        usual(batch(2.0, 3.0), training=True)
    np.testing.assert_allclose(made.moving_mean.numpy(), usual.moving_mean.numpy(), rtol=1e-5)
    np.testing.assert_allclose(made.moving_variance.numpy(), usual.moving_variance.numpy(), rtol=1e-5)


def test_what_is_not_trainable_looks_at_no_batch() -> None:
    made, seen = layer(mean=0.5), batch(3.0, 2.0)
    made.trainable = False
    np.testing.assert_array_equal(made(seen, training=True).numpy(), made(seen, training=False).numpy())
    assert made.moving_mean.numpy() == pytest.approx(0.5)


def test_it_computes_in_bfloat16() -> None:
    with computing_in_bfloat16():
        made = layer()
        found = made(tf.cast(batch(), tf.bfloat16), training=True)
    assert found.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(found, tf.float32), layer()(batch(), training=True), atol=0.1)


def test_the_quantization_aware_twin_has_plain_ones_of_the_same_names() -> None:
    model = build("cnn", 10, 28)
    twin = quantization_aware(model)
    assert [one.name for one in batch_norms(twin)] == [one.name for one in batch_norms(model)]
    assert all(isinstance(one, BatchRenormalization) for one in batch_norms(model))
    assert {type(one) for one in batch_norms(twin)} == {keras.layers.BatchNormalization}
