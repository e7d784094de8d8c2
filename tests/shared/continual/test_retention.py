"""Average accuracy, transfer and forgetting, against matrices worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.continual.metrics import Retention, accuracy_matrix


def test_a_matrix_worked_by_hand() -> None:
    matrix = np.array([[0.9, 0.2, 0.1], [0.7, 0.8, 0.3], [0.6, 0.9, 0.95]])
    found = Retention.of(matrix, np.array([0.1, 0.1, 0.2]))
    assert found.average_accuracy == pytest.approx((0.6 + 0.9 + 0.95) / 3)
    assert found.backward_transfer == pytest.approx(((0.6 - 0.9) + (0.9 - 0.8)) / 2)
    assert found.forward_transfer == pytest.approx(((0.2 - 0.1) + (0.3 - 0.2)) / 2)
    assert found.forgetting == pytest.approx(((0.9 - 0.6) + (0.8 - 0.9)) / 2)


def test_forgetting_is_from_the_best_that_a_step_ever_was() -> None:
    matrix = np.array([[0.5, 0.0, 0.0], [0.9, 0.6, 0.0], [0.4, 0.6, 0.7]])
    found = Retention.of(matrix)
    assert found.forgetting == pytest.approx(((0.9 - 0.4) + 0.0) / 2)
    assert found.backward_transfer == pytest.approx(((0.4 - 0.5) + 0.0) / 2)


def test_one_step_has_nothing_to_forget() -> None:
    assert Retention.of(np.array([[0.8]])) == Retention(0.8, 0.0, 0.0, 0.0)


@given(st.integers(2, 6), st.floats(0, 1))
def test_who_never_changes_neither_forgets_nor_transfers(steps: int, accuracy: float) -> None:
    found = Retention.of(np.full((steps, steps), accuracy), np.full(steps, accuracy))
    assert found.average_accuracy == pytest.approx(accuracy)
    assert (found.forgetting, found.backward_transfer, found.forward_transfer) == pytest.approx((0, 0, 0))


def test_the_matrix_is_of_what_each_step_brought() -> None:
    correct = np.array([[True, False, True, True], [False, False, True, False]])
    np.testing.assert_allclose(accuracy_matrix(correct, np.array([0, 0, 1, 1], np.int32)), [[0.5, 1.0], [0.0, 0.5]])
