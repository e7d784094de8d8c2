"""The layers that read in sequence, against Keras' LSTM, and as integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from handfed.shared.litert import Int8Model
from handfed.shared.tf.export import to_int8
from handfed.shared.tf.quantization import SelfRounding, quantization_aware, refresh_kernel_ranges
from handfed.shared.tf.recognisers import bilstm, blocks
from handfed.shared.tf.recognisers.recurrent import LSTM, Attention, GatedSum, WindowAttention
from handfed.shared.tf.runtime import keras, tf

UNITS = 5
STEPS = 12
Array = np.ndarray


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def reading(layer: LSTM, gates: Array) -> Array:
    """The outputs of an LSTM whose weights are the same for each number of units, (batch, steps, ways * units)."""
    layer.build(gates.shape)
    for number, name in enumerate(layer.kernels):
        getattr(layer, name).assign(drawn(layer.units, 4 * layer.units, seed=10 + number))
    found = np.asarray(layer(gates))
    assert found.shape == layer.compute_output_shape(gates.shape)
    return found[:, 0]


def keras_reading(gates: Array, seed: int) -> Array:
    """What Keras' LSTM makes of the same gates, (batch, steps, units); it has the candidate before the output gate."""
    order = np.r_[0 : 2 * UNITS, 3 * UNITS : 4 * UNITS, 2 * UNITS : 3 * UNITS]
    recurrent = drawn(UNITS, 4 * UNITS, seed=seed)[:, order]
    layer = keras.layers.LSTM(UNITS, return_sequences=True)
    layer.build((None, None, 4 * UNITS))
    layer.set_weights([np.eye(4 * UNITS, dtype=np.float32)[:, order], recurrent, np.zeros(4 * UNITS, np.float32)])
    return np.asarray(layer(gates))


def test_an_lstm_gives_what_keras_lstms_give_onwards_and_backwards() -> None:
    gates = drawn(3, 1, STEPS, 8 * UNITS)
    onwards = keras_reading(gates[:, 0, :, : 4 * UNITS], seed=10)
    backwards = keras_reading(gates[:, 0, ::-1, 4 * UNITS :], seed=11)[:, ::-1]
    found = reading(LSTM(UNITS), gates)
    np.testing.assert_allclose(found, np.concatenate([onwards, backwards], axis=-1), atol=1e-5)
    one_way = reading(LSTM(UNITS, ways=1), gates[..., : 4 * UNITS])
    np.testing.assert_allclose(one_way, onwards, atol=1e-5)


@pytest.mark.parametrize("batch", [None, 3])
def test_a_published_lstm_computes_what_a_trained_one_computes(batch: int | None) -> None:
    gates, layer = drawn(3, 1, STEPS, 8 * UNITS), LSTM(UNITS, window=4, passes=2)
    expected = reading(layer, gates)
    traced = tf.function(layer, autograph=False, input_signature=[tf.TensorSpec([batch, 1, None, 8 * UNITS])])
    np.testing.assert_allclose(np.asarray(traced(gates))[:, 0], expected, atol=1e-6)


def test_steps_are_in_reading_order() -> None:
    gates = drawn(2, 3, 4, 8 * UNITS)
    np.testing.assert_allclose(
        reading(LSTM(UNITS), gates), reading(LSTM(UNITS), gates.reshape(2, 1, 12, 8 * UNITS)), atol=1e-6
    )


@pytest.mark.parametrize("window", [2, 3, 4, 6, 12])
def test_as_many_passes_as_windows_read_the_whole(window: int) -> None:
    gates = drawn(3, 1, STEPS, 8 * UNITS)
    found = reading(LSTM(UNITS, window=window, passes=STEPS // window), gates)
    np.testing.assert_allclose(found, reading(LSTM(UNITS), gates), atol=1e-6)


def test_an_output_knows_the_window_before_and_after_but_nothing_farther() -> None:
    gates = drawn(1, 1, STEPS, 8 * UNITS)
    changed = gates.copy()
    changed[:, :, 5] += 3  # in the window of steps 4 and 5
    layers = [LSTM(UNITS, window=2, passes=2) for _ in range(2)]
    differs = np.any(reading(layers[0], gates) != reading(layers[1], changed), axis=(0, 2))
    assert differs.tolist() == [False] * 2 + [True] * 6 + [False] * 4


def test_attention_is_the_mean_of_steps_of_one_score_and_the_step_of_a_score_above_all() -> None:
    scores, outputs = np.zeros((2, 1, STEPS, 1), np.float32), np.tanh(drawn(2, 1, STEPS, UNITS))
    scores[1, 0, 7] = 100
    found = np.asarray(Attention()([scores, outputs]))
    np.testing.assert_allclose(found[0], outputs[0, 0].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found[1], outputs[1, 0, 7], atol=1e-6)


def test_attention_within_windows_is_attention_over_each_beside_its_steps() -> None:
    scores, outputs = drawn(2, 1, STEPS, 1, seed=1), np.tanh(drawn(2, 1, STEPS, UNITS))
    layer = WindowAttention(4)
    found = np.asarray(layer([scores, outputs]))
    assert found.shape == layer.compute_output_shape([scores.shape, outputs.shape]) == (2, 1, STEPS, 2 * UNITS)
    np.testing.assert_array_equal(found[..., :UNITS], outputs)
    for first in range(0, STEPS, 4):
        window = np.s_[:, :, first : first + 4]
        mean = np.asarray(Attention()([scores[window], outputs[window]]))
        np.testing.assert_allclose(found[..., UNITS:][window], mean[:, None, None].repeat(4, axis=2), atol=1e-6)


def test_a_gated_sum_lets_through_what_its_gates_open_for() -> None:
    readings = [np.tanh(drawn(2, UNITS, seed=seed)) for seed in range(3)]
    gates = np.repeat(np.array([[0.0, 100.0, -100.0]], np.float32), UNITS, axis=1).repeat(2, axis=0)
    found = np.asarray(GatedSum()([gates, *readings]))
    np.testing.assert_allclose(found, readings[0] / 2 + readings[1], atol=1e-6)


def test_a_layer_rounds_to_the_256_values_of_8_bits_and_only_in_a_quantization_aware_model() -> None:
    layer, x = SelfRounding(), np.linspace(-2, 2, 5001, dtype=np.float32)
    assert np.array_equal(layer.rounded(x, 1.0), x)
    layer.rounds = True
    signed, unsigned = np.unique(layer.rounded(x, 1.0)), np.unique(layer.rounded(x, 1.0, signed=False))
    np.testing.assert_array_equal(signed, np.arange(-128, 128) / np.float32(128))
    np.testing.assert_array_equal(unsigned, np.arange(256) / np.float32(256))


def pictures(count: int, height: int, width: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width), np.uint8)


def as_integers(model: Any) -> tuple[Any, Int8Model]:
    """The quantization-aware twin of an untrained model, and its integers."""
    twin = quantization_aware(model)
    refresh_kernel_ranges(twin)
    return twin, Int8Model(to_int8(twin))


@pytest.fixture(scope="module")
def strips() -> tuple[Any, Any, Int8Model]:
    """A small recogniser of texts of three classes: float, quantization-aware, and in integers."""
    keras.utils.set_random_seed(1)
    picture = blocks.strip(8)
    gates = blocks.convolution(picture, 8 * UNITS, (8, 4), "gates", stride=(8, 4), relu=False)
    x = LSTM(UNITS, window=2, passes=3, name="lstm")(gates)
    x = WindowAttention(2, name="attention")([keras.layers.Conv2D(1, 1, name="scores")(x), x])
    model = keras.Model(picture, keras.layers.Conv2D(4, 1, name="logits")(x))
    return model, *as_integers(model)


@pytest.mark.parametrize("steps", [2, 4, 10, 32, 100])
def test_integers_say_what_the_quantization_aware_model_says_at_any_width(
    strips: tuple[Any, Any, Int8Model], steps: int
) -> None:
    _, twin, integers = strips
    images = pictures(3, 8, 4 * steps)
    found = integers.logits(images)
    expected = np.asarray(twin(images[..., None] / np.float32(255), training=False))[:, 0]
    assert found.shape == expected.shape == (3, steps, 4)
    np.testing.assert_allclose(found, expected, atol=1.1 * integers.output_step)


def test_all_is_integers_and_the_float_model_stays_as_it_was(strips: tuple[Any, Any, Int8Model]) -> None:
    model, _, integers = strips
    assert integers.operators_with_floats() == []
    assert not model.get_layer("lstm").rounds


def test_nothing_of_a_picture_is_left_for_the_next(strips: tuple[Any, Any, Int8Model]) -> None:
    _, _, integers = strips
    first, other = pictures(1, 8, 64), pictures(1, 8, 64, seed=1)
    before = integers.logits(first)
    between = integers.logits(other)
    again = integers.logits(first)
    integers.logits(pictures(2, 8, 128))
    np.testing.assert_array_equal(again, before)
    np.testing.assert_array_equal(integers.logits(first), before)
    assert not np.array_equal(between, before)


@pytest.mark.slow
def test_a_checkerboard_read_one_way_without_attention_becomes_integers_too() -> None:
    twin, integers = as_integers(bilstm.build(10, ways=1, attention=False, readings=("patches",)))
    images = pictures(4, 28, 28)
    expected = np.asarray(twin(images[..., None] / np.float32(255), training=False))
    found = integers.logits(images)
    assert integers.operators_with_floats() == []
    np.testing.assert_allclose(found, expected, atol=2.1 * integers.output_step)
    for row in (1, 0, 1):
        np.testing.assert_array_equal(integers.logits(images[row : row + 1]), found[row : row + 1])
