"""The moving average over the rounds of a run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.server.flower.averaging import averaged
from handfed.server.flower.state import Arrays


def over(values: list[float], decay: float) -> list[float]:
    """The average after each of these one-number models."""
    average: Arrays | None = None
    found = []
    for rounds, value in enumerate(values, start=1):
        average = averaged(average, {"w": np.array([value], np.float32)}, rounds, decay)
        assert average["w"].dtype == np.float32
        found.append(float(average["w"][0]))
    return found


models = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=40)


@given(models, st.floats(0, 0.9999))
def test_an_average_lies_among_its_models_and_begins_with_the_first(values: list[float], decay: float) -> None:
    found = over(values, decay)
    assert found[0] == np.float32(values[0])
    assert min(values) - 1e-4 <= found[-1] <= max(values) + 1e-4


@given(models)
def test_without_decay_it_is_the_last_model(values: list[float]) -> None:
    assert over(values, 0.0) == pytest.approx(values, abs=1e-5)


def test_it_forgets_faster_in_the_first_rounds_and_then_by_its_decay() -> None:
    assert over([0, 11], 0.9)[-1] == pytest.approx(9)  # keeps 2 in 11
    long = over([0.0] * 200 + [1.0], 0.9)
    assert long[-1] == pytest.approx(0.1)


def test_of_models_that_swing_around_a_point_it_is_nearer_to_it_than_any() -> None:
    swinging = [3 + (-1) ** number for number in range(200)]
    assert abs(over(swinging, 0.98)[-1] - 3) < 0.03
