"""Updates that stand out from a round are found, and honest ones are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.server.flower.outliers import outliers


def honest(devices: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    common = draw.normal(0, 1, 200)
    return np.asarray(common + draw.normal(0, 0.5, (devices, 200)), np.float32)


@given(st.integers(5, 20), st.integers(0, 100), st.data())
def test_a_minority_that_scales_or_turns_its_updates_is_found_and_nobody_else(
    devices: int, seed: int, data: st.DataObject
) -> None:
    updates = honest(devices, seed)
    hostile = data.draw(st.sets(st.integers(0, devices - 1), max_size=(devices - 1) // 4))
    scaled = {place for place in hostile if place % 2}
    for place in hostile:
        updates[place] *= 10 if place in scaled else -1
    found = outliers(updates, norm_bound=3, direction_bound=0)
    assert set(found) == hostile
    assert {place for place, (reason, _) in found.items() if reason == "too-long"} == scaled


def test_without_bounds_nothing_stands_out() -> None:
    updates = honest(5, 0)
    updates[0] *= -1000
    assert outliers(updates, norm_bound=0, direction_bound=-1) == {}


@pytest.mark.parametrize("devices", [1, 2])
def test_of_one_or_two_nobody_can_tell_who_stands_out(devices: int) -> None:
    updates = honest(devices, 0)
    updates[0] *= -1000
    assert outliers(updates, norm_bound=1.5, direction_bound=0.5) == {}


def test_an_update_of_nothing_is_not_turned() -> None:
    updates = honest(5, 0)
    updates[0] = 0
    assert outliers(updates, norm_bound=3, direction_bound=0.1) == {}
    assert outliers(np.zeros((5, 9), np.float32), norm_bound=3, direction_bound=0.1) == {}
