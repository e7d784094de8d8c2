"""Learning rates over the rounds of a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.schedules import cosine_with_warmup


def test_it_rises_to_its_peak_and_falls_to_its_floor() -> None:
    rates = [cosine_with_warmup(step, 10, peak=0.1, warmup=3, floor=0.1) for step in range(1, 11)]
    assert rates[0] == pytest.approx(0.1 / 3)
    assert rates[2] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.01)
    assert rates[:3] == sorted(rates[:3])
    assert rates[2:] == sorted(rates[2:], reverse=True)


@given(st.integers(1, 50), st.integers(0, 60), st.data())
def test_it_never_leaves_its_bounds(steps: int, warmup: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(1, steps))
    assert 0 < cosine_with_warmup(step, steps, peak=0.5, warmup=warmup) <= 0.5


def test_without_warmup_it_starts_at_its_peak() -> None:
    assert cosine_with_warmup(1, 5, peak=0.1, warmup=0) == pytest.approx(0.1)
