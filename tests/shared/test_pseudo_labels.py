"""Readings that are sure enough serve as labels, each class by a threshold of its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.shared.errors import SettingError
from handfed.shared.pseudo_labels import pseudo_labels, taught, thresholds
from handfed.shared.run_settings import LEAST_CONFIDENCE, RunSettings
from handfed.shared.samples import Samples

HIGHEST = 0.9


def read_as(*readings: tuple[int, float]) -> NDArray[np.float64]:
    """Probabilities of three classes: what each sample is read as, and how surely."""
    rows = np.zeros((len(readings), 3))
    for row, (label, confidence) in enumerate(readings):
        rows[row] = (1 - confidence) / 2
        rows[row, label] = confidence
    return rows


def some(count: int, seed: int = 0, *, weights: bool = False) -> Samples:
    rng = np.random.default_rng(seed)
    counted = np.full(count, 0.7, np.float32) if weights else None
    return Samples(rng.integers(0, 256, (count, 28, 28), np.uint8), np.zeros(count, np.int32), weights=counted)


def test_the_class_that_is_read_surely_most_often_has_the_highest_threshold_and_others_lower_ones() -> None:
    found = thresholds(read_as(*[(0, 0.95)] * 10, *[(1, 0.95)] * 5, (2, 0.6)), HIGHEST)
    assert found.tolist() == pytest.approx([HIGHEST, max(0.5 / 1.5 * HIGHEST, LEAST_CONFIDENCE), LEAST_CONFIDENCE])


def test_while_hardly_anything_is_sure_no_class_is_treated_as_learnt() -> None:
    assert thresholds(read_as((0, 0.95), *[(1, 0.6)] * 9), HIGHEST).tolist() == [LEAST_CONFIDENCE] * 3
    assert thresholds(read_as(), HIGHEST).tolist() == [LEAST_CONFIDENCE] * 3


def test_what_is_below_its_class_threshold_is_no_label() -> None:
    found = pseudo_labels(read_as(*[(0, 0.95)] * 10, (0, 0.8), (1, 0.8), (2, 0.45)), HIGHEST)
    assert found.rows.tolist() == [*range(10), 11]
    assert found.labels.tolist() == [0] * 10 + [1]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(0.34, 1.0)), max_size=40),
    st.floats(LEAST_CONFIDENCE, 1.0),
)
def test_thresholds_lie_between_likelier_than_not_and_the_highest(
    readings: list[tuple[int, float]], highest: float
) -> None:
    probabilities = read_as(*readings)
    wanted = thresholds(probabilities, highest)
    assert ((wanted >= LEAST_CONFIDENCE) & (wanted <= highest)).all()
    found = pseudo_labels(probabilities, highest)
    assert (probabilities[found.rows, found.labels] >= wanted[found.labels]).all()


@pytest.mark.parametrize("weights", [False, True])
def test_a_pseudo_label_weighs_what_it_is_told_and_a_label_what_it_did(weights: bool) -> None:
    labelled, unlabelled = some(4, weights=weights), some(6, seed=1)
    found = pseudo_labels(read_as(*[(1, 0.95)] * 3, (2, 0.4), *[(0, 0.95)] * 2), HIGHEST)
    together = taught(labelled, unlabelled, found, 0.25)
    assert together.weights is not None
    assert together.weights.tolist() == pytest.approx([0.7 if weights else 1.0] * 4 + [0.25] * 5)
    assert together.labels.tolist() == [0] * 4 + [1, 1, 1, 0, 0]
    np.testing.assert_array_equal(together.images[4:], unlabelled.images[[0, 1, 2, 4, 5]])


@pytest.mark.parametrize("value", [0.3, 1.2, -0.5])
def test_a_threshold_that_would_take_what_is_unlikely_is_refused(value: float) -> None:
    with pytest.raises(SettingError, match=r"pseudo.labels.*out of bounds"):
        RunSettings(pseudo_labels=value)


def test_readings_of_texts_are_no_labels() -> None:
    with pytest.raises(SettingError, match="single characters"):
        RunSettings(recogniser="tcn", pseudo_labels=0.95)
