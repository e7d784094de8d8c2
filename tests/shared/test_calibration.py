"""Temperatures, and how far confidences are from how often readings are right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handfed.shared.calibration import BINS, TEMPERATURES, Reliability, TemperatureCurve
from handfed.shared.litert import softmax


def drawn(seed: int, samples: int, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels that are drawn from their softmax; the logits are then made sharper than that."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(samples, 6)).astype(np.float32)
    probabilities = softmax(logits).cumsum(axis=1)
    labels = (rng.random((samples, 1)) * probabilities[:, -1:] > probabilities).sum(axis=1).astype(np.int32)
    return logits * np.float32(sharpness), labels


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 1.0, 2.0]))
def test_a_temperature_takes_back_what_made_logits_too_sharp(seed: int, sharpness: float) -> None:
    curve = TemperatureCurve.of_characters(*drawn(seed, 4000, sharpness))
    assert curve.samples == 4000
    assert curve.temperature() == pytest.approx(sharpness, rel=0.2)  # two marks of the grid


@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_curves_of_devices_add_up_to_that_of_all(seed: int, cut: int) -> None:
    logits, labels = drawn(seed, 60)
    parts = TemperatureCurve.of_characters(logits[:cut], labels[:cut])
    parts += TemperatureCurve.of_characters(logits[cut:], labels[cut:])
    whole = TemperatureCurve.of_characters(logits, labels)
    assert parts.samples == whole.samples
    np.testing.assert_allclose(parts.nats, whole.nats)


def test_a_text_of_one_step_is_calibrated_as_a_character() -> None:
    logits, labels = drawn(0, 300)
    rows = labels < 5  # the last class is the blank, which says nothing
    texts = TemperatureCurve.empty()
    for row, label in zip(logits[rows], labels[rows], strict=True):
        texts += TemperatureCurve.of_text(row[None], [int(label)])
    characters = TemperatureCurve.of_characters(logits[rows], labels[rows])
    assert texts.samples == characters.samples
    np.testing.assert_allclose(texts.nats, characters.nats)


def test_a_text_that_cannot_be_said_in_so_few_steps_counts_nothing() -> None:
    curve = TemperatureCurve.of_text(np.zeros((2, 4), np.float32), [1, 1])
    assert (curve.samples, curve.nats.tolist()) == (0, [0.0] * len(TEMPERATURES))


def test_of_no_sample_logits_stay_as_they_are() -> None:
    assert TemperatureCurve.empty().temperature() == 1
    assert TEMPERATURES[len(TEMPERATURES) // 2] == 1


@given(st.integers(0, 2**32 - 1))
def test_of_confidences_that_come_true_the_error_tends_to_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    confidences = rng.random(40_000)
    honest = Reliability.of(confidences, rng.random(40_000) < confidences)
    assert honest.expected_calibration_error() < 0.02
    assert Reliability.of(confidences, rng.random(40_000) < confidences / 2).expected_calibration_error() > 0.2


def test_the_error_is_the_gap_of_each_bin_weighed_by_its_readings() -> None:
    found = Reliability.of(np.array([0.95, 0.97, 0.99, 0.5]), np.array([True, False, False, True]))
    assert found.counts[[7, 14]].tolist() == [1, 3]
    assert found.accuracies[[7, 14]].tolist() == pytest.approx([1, 1 / 3])
    assert found.mean_confidences[[7, 14]].tolist() == pytest.approx([0.5, 0.97])
    assert found.expected_calibration_error() == pytest.approx(0.25 * 0.5 + 0.75 * (0.97 - 1 / 3))
    assert np.isnan(found.accuracies[0])


@pytest.mark.parametrize(("confidence", "place"), [(0.0, 0), (0.1, 0), (0.2, 0), (0.21, 1), (0.8, 3), (1.0, 4)])
def test_a_bin_holds_its_upper_edge(confidence: float, place: int) -> None:
    assert Reliability.of(np.array([confidence]), np.array([True]), bins=5).counts.argmax() == place


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans())), st.integers(0, 20))
def test_readings_of_devices_add_up_to_those_of_all(readings: list[tuple[float, bool]], cut: int) -> None:
    confidences = np.array([confidence for confidence, _ in readings], np.float64)
    correct = np.array([right for _, right in readings], np.bool_)
    whole = Reliability.of(confidences, correct)
    parts = Reliability.of(confidences[:cut], correct[:cut]) + Reliability.of(confidences[cut:], correct[cut:])
    assert parts.counts.tolist() == whole.counts.tolist()
    assert parts.correct.tolist() == whole.correct.tolist()
    np.testing.assert_allclose(parts.confidences, whole.confidences)
    assert whole.counts.sum() == len(readings)
    assert len(whole.counts) == BINS


def test_of_no_reading_there_is_no_error() -> None:
    assert Reliability.of(np.zeros(0), np.zeros(0, np.bool_)).expected_calibration_error() == 0
