"""Reading with a published model, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from handfed.shared import reading
from handfed.shared.calibration import TEMPERATURES, Reliability, TemperatureCurve
from handfed.shared.datasets import Dataset
from handfed.shared.litert import Int8Model, softmax
from handfed.shared.reading import confidences, read, temperature_curve
from handfed.shared.samples import Samples


@pytest.fixture(scope="module")
def model(trained_model_bytes: bytes) -> Int8Model:
    return Int8Model(trained_model_bytes)


@pytest.fixture(scope="module")
def of_texts(int8_of: Callable[..., bytes]) -> Int8Model:
    """A model of texts that has learnt nothing: each eight columns, taken together, times random weights."""
    from handfed.shared.tf.runtime import tf

    weights = np.random.default_rng(0).normal(0, 0.3, (32, 8, 1, 5)).astype(np.float32)
    return Int8Model(int8_of(lambda strips: tf.nn.conv2d(strips, weights, (1, 8), "VALID"), (32, 40, 1)))


def texts(count: int) -> Samples:
    """Noise of many widths, said to be one or two classes of four."""
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (32, int(width)), np.uint8) for width in rng.integers(24, 90, count)]
    return Samples.of_texts(images, [rng.integers(0, 4, rng.integers(1, 3)).tolist() for _ in range(count)])


def test_the_curve_of_all_is_the_sum_of_the_curves_of_parts(model: Int8Model, digits: Dataset) -> None:
    samples = digits.samples.take(np.arange(4000, 4401))
    whole = temperature_curve(model, samples)
    halves = [temperature_curve(model, samples.take(rows)) for rows in (np.arange(200), np.arange(200, 401))]
    assert whole.samples == 401 == halves[0].samples + halves[1].samples
    np.testing.assert_allclose(whole.nats, (halves[0] + halves[1]).nats, rtol=1e-6)


def test_the_curve_of_texts_is_the_sum_of_the_curves_of_parts(of_texts: Int8Model) -> None:
    samples = texts(90)
    whole = temperature_curve(of_texts, samples)
    parts = sum(
        (temperature_curve(of_texts, samples.take(rows)) for rows in np.array_split(np.arange(90), 4)),
        TemperatureCurve.empty(),
    )
    assert whole.samples == parts.samples == 90
    np.testing.assert_allclose(whole.nats, parts.nats, rtol=1e-6)


def test_of_very_many_texts_an_even_pick_is_counted(of_texts: Int8Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST_TEXTS", 10)
    samples = texts(91)
    assert temperature_curve(of_texts, samples).samples == 10
    picked = temperature_curve(of_texts, samples.take(np.arange(0, 91, 10)))
    np.testing.assert_allclose(temperature_curve(of_texts, samples).nats, picked.nats)


def test_no_text_has_no_curve(of_texts: Int8Model) -> None:
    assert temperature_curve(of_texts, texts(3).take(np.arange(0))).samples == 0


def test_a_confidence_is_the_probability_of_what_is_read(model: Int8Model, digits: Dataset) -> None:
    samples = digits.samples.take(np.arange(50))
    logits = model.logits(samples.pictures)
    for temperature in (0.5, 1.0, 2.0):
        expected = softmax(logits / np.float32(temperature))[np.arange(50), [text[0] for text in read(model, samples)]]
        np.testing.assert_allclose(confidences(model, samples, temperature), expected, rtol=1e-6)


def test_a_higher_temperature_makes_every_reading_less_sure(model: Int8Model, digits: Dataset) -> None:
    samples = digits.samples.take(np.arange(4000, 4100))
    cold, warm = (confidences(model, samples, temperature) for temperature in (0.5, 3.0))
    assert (warm <= cold + 1e-9).all()
    assert warm.mean() < cold.mean() - 0.1


def test_confidences_of_texts_stand_with_their_own_text(of_texts: Int8Model) -> None:
    samples = texts(70)
    together = confidences(of_texts, samples, 1.0)
    assert ((together > 0) & (together <= 1)).all()
    for row in (0, 33, 69):
        assert confidences(of_texts, samples.take(np.array([row])), 1.0)[0] == pytest.approx(together[row])


def test_no_samples_have_no_confidences(model: Int8Model, digits: Dataset) -> None:
    assert confidences(model, digits.samples.take(np.arange(0)), 1.0).shape == (0,)


def test_the_temperature_of_the_curve_mends_confidences_that_are_too_low_or_too_high(
    model: Int8Model, digits: Dataset
) -> None:
    calibrating, unseen = (digits.samples.take(np.arange(first, first + 500)) for first in (4000, 4500))
    temperature = temperature_curve(model, calibrating).temperature()
    correct = np.array([text[0] for text in read(model, unseen)]) == unseen.labels
    too_high, mended, too_low = (
        Reliability.of(confidences(model, unseen, each), correct).expected_calibration_error()
        for each in (temperature / 4, temperature, temperature * 4)
    )
    assert temperature in TEMPERATURES.tolist()
    assert mended < min(too_high, too_low)
