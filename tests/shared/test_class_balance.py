"""Weights of classes by a device's own counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.shared.class_balance import balanced_weights

COUNTS = st.lists(st.integers(0, 3000), min_size=1, max_size=62).map(np.array).filter(lambda counts: counts.any())


@given(COUNTS)
def test_their_mean_over_the_samples_is_1(counts: NDArray[np.int64]) -> None:
    assert np.average(balanced_weights(counts), weights=counts) == pytest.approx(1, rel=1e-4)


@given(COUNTS)
def test_no_class_weighs_more_than_a_rarer_one(counts: NDArray[np.int64]) -> None:
    held = counts > 0
    ordered = balanced_weights(counts)[held][np.argsort(counts[held])]
    assert np.all(np.diff(ordered) <= 1e-6 * ordered[:-1])


def test_they_are_the_formula_of_the_paper() -> None:
    weights = balanced_weights(np.array([1, 100, 0]))
    assert weights[0] / weights[1] == pytest.approx((1 - 0.99**100) / (1 - 0.99), rel=1e-5)
    assert weights[2] == 0


def test_classes_that_are_even_weigh_1_and_with_beta_0_all_do() -> None:
    np.testing.assert_allclose(balanced_weights(np.array([7, 7, 0])), [1, 1, 0], rtol=1e-6)
    np.testing.assert_allclose(balanced_weights(np.array([1, 90]), beta=0.0), [1, 1], rtol=1e-6)
