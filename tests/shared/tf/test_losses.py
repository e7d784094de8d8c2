"""Focal loss, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from handfed.shared.tf.losses import focal_loss

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
