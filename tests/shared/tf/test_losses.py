"""Focal loss and label smoothing, against NumPy and Keras."""

from __future__ import annotations

import numpy as np
import pytest

from handfed.shared.tf.losses import certainty, distillation, divergence_from_uniform, drift, focal_loss
from handfed.shared.tf.runtime import keras

LOGITS = np.array([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3], [-3.0, 4.0, 0.0]], np.float32)
LABELS = np.array([0, 2, 0], np.int32)


def in_numpy(gamma: float, alpha: np.ndarray | None) -> float:
    shifted = np.exp(LOGITS.astype(np.float64))
    p = (shifted / shifted.sum(axis=1, keepdims=True))[np.arange(3), LABELS]
    weights = np.ones(3) if alpha is None else alpha[LABELS]
    return float(np.mean(-weights * (1 - p) ** gamma * np.log(p)))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("alpha", [None, np.array([2.0, 1.0, 0.5], np.float32)])
def test_it_is_the_formula_of_the_paper(gamma: float, alpha: np.ndarray | None) -> None:
    assert float(focal_loss(LABELS, LOGITS, gamma=gamma, alpha=alpha)) == pytest.approx(
        in_numpy(gamma, alpha), rel=1e-5
    )


def test_what_is_known_weighs_less_than_in_cross_entropy() -> None:
    sure, label = np.array([[9.0, 0.0, 0.0]], np.float32), np.array([0], np.int32)
    assert float(focal_loss(label, sure, gamma=2.0)) < 1e-3 * float(focal_loss(label, sure, gamma=0.0))


def test_smoothed_labels_are_those_of_keras_but_for_a_constant() -> None:
    """Szegedy et al. 2016, section 7: cross-entropy with targets that are a part uniform."""
    smoothing, classes = 0.1, 3
    ours = (1 - smoothing) * focal_loss(LABELS, LOGITS, gamma=0.0) + smoothing * divergence_from_uniform(LOGITS)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    expected = float(theirs(np.eye(classes)[LABELS], LOGITS)) - smoothing * np.log(classes)
    assert float(ours) == pytest.approx(expected, rel=1e-5)


def test_certainty_sums_over_the_steps_of_each_text_and_not_over_the_paper_beside_it() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 5, 4)).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    divergence = (p * np.log(p * 4)).sum(axis=-1)  # (texts, steps)
    expected = (divergence[0, :3].sum() + divergence[1].sum()) / 2
    assert float(certainty(logits, np.array([3, 5]))) == pytest.approx(expected, rel=1e-5)
    assert float(certainty(np.zeros((2, 5, 4), np.float32), np.array([3, 5]))) == pytest.approx(0, abs=1e-6)


def test_distillation_is_the_formula_of_the_paper_and_nothing_where_both_agree() -> None:
    """Hinton et al. 2015, section 2: the divergence of softened outputs, times the temperature squared."""
    teacher = np.random.default_rng(0).normal(size=LOGITS.shape).astype(np.float32) * 3
    for temperature in (0.5, 1.0, 4.0):
        p, q = (np.exp(logits / temperature) for logits in (teacher.astype(float), LOGITS.astype(float)))
        p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
        expected = temperature**2 * (p * np.log(p / q)).sum(axis=1)
        np.testing.assert_allclose(distillation(teacher, LOGITS, temperature), expected, rtol=1e-4)
        np.testing.assert_allclose(distillation(teacher, teacher + 5, temperature), 0, atol=1e-4)


def test_logarithms_of_probabilities_have_not_drifted_and_what_is_added_to_them_counts_squared() -> None:
    logits = np.log(np.random.default_rng(0).dirichlet(np.ones(6), (3, 7))).astype(np.float32)
    assert float(drift(logits)) == pytest.approx(0, abs=1e-6)
    moved = logits + np.array([0, 2, -3], np.float32)[:, None, None]
    assert float(drift(moved)) == pytest.approx((0 + 4 + 9) * 7 / 3, rel=1e-4)
