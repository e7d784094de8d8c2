"""A converted file is checked before anything is published."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given
from hypothesis import strategies as st

from handfed.server.flower.queries import Verdict
from handfed.server.releases.model_card import model_card
from handfed.server.releases.publish import Judged, better, check_conversion, check_margin, check_twin, weights_sha256
from handfed.server.releases.selftest import pictures
from handfed.shared.browser_twin import browser_twin
from handfed.shared.datasets import Dataset
from handfed.shared.disclosure import Detail
from handfed.shared.errors import ReleaseRefusedError
from handfed.shared.geometry import SIDE
from handfed.shared.litert import Int8Model
from handfed.shared.manifest import Manifest, SelfTest, schema
from handfed.shared.metrics import Spread
from handfed.shared.tf.export import to_int8
from handfed.shared.tf.quantization import quantization_aware, refresh_kernel_ranges
from handfed.shared.tf.runtime import keras
from handfed.shared.tf.training import Trainer

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer("cnn", 10, seed=0)


@pytest.fixture(scope="module")
def trained(trainer: Trainer, digits: Dataset) -> Arrays:
    arrays = trainer.initial()
    arrays |= trainer.measure_statistics(arrays, digits.samples.take(np.arange(200)))
    return arrays | trainer.calibrate(arrays, digits.samples.take(np.arange(200)))


def test_a_faithful_conversion_gives_a_self_test_that_it_passes(trainer: Trainer, trained: Arrays) -> None:
    self_test = check_conversion(trainer, trained, to_int8(trainer.quantized_model(trained)))
    assert len(self_test.pictures) == len(self_test.logits) > 0
    assert self_test.tolerance > 0


def test_a_twin_for_browsers_takes_and_gives_unsigned_integers_and_reads_the_same(
    trainer: Trainer, trained: Arrays
) -> None:
    quantized = trainer.quantized_model(trained)
    self_test = check_conversion(trainer, trained, to_int8(quantized))
    twin = browser_twin(to_int8(quantized))
    check_twin(twin, self_test)
    interpreter = Interpreter(model_content=twin)
    ends = (*interpreter.get_input_details(), *interpreter.get_output_details())
    assert [end["dtype"] for end in ends] == [np.uint8, np.uint8]
    assert not Int8Model(twin).operators_with_floats()


def test_a_twin_of_other_weights_is_refused(trainer: Trainer, trained: Arrays) -> None:
    self_test = check_conversion(trainer, trained, to_int8(trainer.quantized_model(trained)))
    other = trained | {"logits/kernel": -trained["logits/kernel"]}
    with pytest.raises(ReleaseRefusedError, match="reads otherwise"):
        check_twin(browser_twin(to_int8(trainer.quantized_model(other))), self_test)
    with pytest.raises(ReleaseRefusedError, match="no twin for browsers"):
        check_twin(b"nothing", self_test)


def test_a_file_of_other_weights_is_refused(trainer: Trainer, trained: Arrays) -> None:
    other = trained | {"logits/kernel": -trained["logits/kernel"]}
    with pytest.raises(ReleaseRefusedError, match="not the model that was trained"):
        check_conversion(trainer, trained, to_int8(trainer.quantized_model(other)))


def test_a_file_with_one_wrong_filter_is_refused(trainer: Trainer, trained: Arrays) -> None:
    kernel = trained["conv2/kernel"].copy()
    kernel[..., 0] *= -1
    with pytest.raises(ReleaseRefusedError, match=r"are \d+\.\d dB from those \(at least 20\)"):
        check_conversion(trainer, trained, to_int8(trainer.quantized_model(trained | {"conv2/kernel": kernel})))


def test_a_model_that_diverged_is_refused_and_says_so(trainer: Trainer, trained: Arrays) -> None:
    with pytest.raises(ReleaseRefusedError, match="diverged"):
        check_conversion(trainer, trained, b"what the converter makes of NaN")


def test_a_file_with_a_floating_point_operator_is_refused(trainer: Trainer, trained: Arrays) -> None:
    """The trap of a dense layer before batch normalisation, which silently stays float32 between integer ends."""
    picture = keras.Input((28, 28, 1))
    x = keras.layers.Dense(16)(keras.layers.Flatten()(picture))
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    trap = quantization_aware(keras.Model(picture, keras.layers.Dense(10)(x)))
    refresh_kernel_ranges(trap)
    with pytest.raises(ReleaseRefusedError, match="touch floating point"):
        check_conversion(trainer, trained, to_int8(trap))


WITHIN = Verdict(1000, 980, 979, 3, 2, 1000, 20, 21)


def judged(verdict: Verdict) -> Judged:
    return Judged(b"", SelfTest(np.zeros(0, np.uint8), np.zeros(0, np.float32), 0), verdict, 1, "", Detail())


def test_a_file_within_the_margin_passes_with_its_interval() -> None:
    check_margin(WITHIN, 0.01)
    difference = judged(WITHIN).difference
    assert difference.difference == pytest.approx(0.001)
    assert difference.low < 0.001 < difference.high


def test_what_quantization_aware_rounds_made_worse_is_not_published() -> None:
    trained, calibrated = judged(Verdict(1000, 980, 960, 25, 5, 1000, 20, 40)), judged(WITHIN)
    assert better(trained, calibrated) is calibrated


def test_what_they_made_as_good_or_better_is_published() -> None:
    trained, calibrated = judged(WITHIN), judged(WITHIN)
    assert better(trained, calibrated) is trained
    assert better(judged(WITHIN), judged(Verdict(1000, 980, 960, 25, 5, 1000, 20, 40))).verdict is WITHIN


def test_each_file_is_compared_with_float_on_the_samples_that_it_was_judged_on() -> None:
    """A device with hard handwriting may be away when the second file is judged."""
    trained, calibrated = judged(WITHIN), judged(Verdict(500, 499, 497, 2, 0, 500, 1, 3))
    assert calibrated.verdict.accuracy_int8 > trained.verdict.accuracy_int8
    assert better(trained, calibrated) is trained


def test_a_file_that_no_device_judged_is_not_the_better_one() -> None:
    trained = judged(WITHIN)
    assert better(trained, judged(Verdict())) is trained


def test_a_file_beyond_the_margin_is_refused() -> None:
    with pytest.raises(ReleaseRefusedError, match=r"2\.00% of held-out characters worse"):
        check_margin(Verdict(1000, 980, 960, 25, 5, 1000, 20, 40), 0.01)


def test_without_a_held_out_image_nothing_can_be_published() -> None:
    with pytest.raises(ReleaseRefusedError, match="no device has held-out images"):
        check_margin(Verdict(0, 0, 0, 0, 0), 0.01)


def test_self_test_pictures_are_normal_and_repeatable() -> None:
    first = pictures(16, 1, seed=0)
    np.testing.assert_array_equal(first, pictures(16, 1, seed=0))
    assert not np.array_equal(first, pictures(16, 1, seed=1))
    assert first.shape == (16, SIDE, SIDE, 1)
    assert (first.max(axis=(1, 2, 3)) == 255).mean() > 0.5


@given(st.integers(0, 26), st.floats(-1, 1, width=32))
def test_the_hash_of_weights_sees_every_value(position: int, value: float) -> None:
    arrays = {"a": np.arange(27, dtype=np.float32)}
    changed = {"a": arrays["a"].copy()}
    changed["a"][position] = value
    same = np.array_equal(arrays["a"].view(np.int32), changed["a"].view(np.int32))
    assert (weights_sha256(arrays) == weights_sha256(changed)) == same


def test_a_model_card_tells_how_writers_differ_where_that_is_known(trained_release: tuple[Manifest, bytes]) -> None:
    manifest, _ = trained_release
    assert "writers" not in model_card(manifest)
    writers = Spread(40, 0.9, 0.955, 0.982, 0.88, 0.01).as_json()
    told = replace(manifest, metrics={**manifest.metrics, "writers": writers})
    jsonschema.validate(json.loads(told.encode()), schema())
    row = "| Between 40 writers | median 95.5%, tenth percentile 90.0%, worst tenth 88.0% |"
    assert row in model_card(told).splitlines()
