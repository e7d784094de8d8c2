"""Learning rates over the rounds of a run."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.run_settings import SCHEDULES, RunSettings
from handfed.shared.schedules import FLOOR, Watch, cosine_restarts, cosine_with_warmup, rate


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


@given(st.sampled_from(SCHEDULES), st.integers(1, 60), st.integers(0, 70), st.integers(0, 8), st.data())
def test_no_schedule_leaves_its_bounds(
    schedule: str, steps: int, warmup: int, restarts: int, data: st.DataObject
) -> None:
    step, drops = data.draw(st.integers(1, steps)), data.draw(st.integers(0, 50))
    settings = RunSettings(schedule=schedule, warmup_rounds=warmup, restarts=restarts, learning_rate=0.5)
    assert 0 < rate(settings, step, steps, drops=drops) <= 0.5 * (1 + 1e-9)
    if step >= warmup:
        assert rate(settings, step, steps, drops=drops) >= 0.5 * FLOOR * (1 - 1e-9)


@given(st.integers(1, 60), st.integers(0, 70), st.data())
def test_the_default_schedule_is_the_cosine_that_runs_have_always_had(
    steps: int, warmup: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(1, steps))
    settings = RunSettings(warmup_rounds=warmup)
    assert rate(settings, step, steps) == cosine_with_warmup(step, steps, peak=settings.learning_rate, warmup=warmup)


def test_every_schedule_but_the_constant_one_falls_to_its_floor() -> None:
    last = {
        name: rate(RunSettings(schedule=name, warmup_rounds=3), 30, 30, drops=99) / RunSettings().learning_rate
        for name in SCHEDULES
    }
    assert last.pop("constant") == 1
    assert all(found == pytest.approx(FLOOR) for found in last.values())


def test_restarts_go_back_to_the_top_and_each_cosine_is_twice_as_long() -> None:
    """Loshchilov and Hutter 2017, figure 1, with T_mult = 2."""
    rates = [cosine_restarts(step, 35, 2) for step in range(1, 36)]
    assert [step for step, found in enumerate(rates, start=1) if found == 1] == [1, 6, 16]
    assert [rates[step - 1] for step in (5, 15, 35)] == pytest.approx([FLOOR] * 3)


def test_the_exponential_schedule_falls_by_the_same_factor_each_round() -> None:
    settings = RunSettings(schedule="exponential", warmup_rounds=0)
    rates = [rate(settings, step, 10) for step in range(1, 11)]
    factors = [after / before for before, after in pairwise(rates)]
    assert factors == pytest.approx([factors[0]] * 9)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=40), st.integers(1, 10), st.integers(1, 10))
def test_a_watch_ends_a_run_in_the_first_round_that_is_so_far_from_the_best(
    losses: list[float], patience: int, early_stopping: int
) -> None:
    watch = Watch()
    for number, loss in enumerate(losses, start=1):
        watch = watch.seen(number, loss, patience=patience)
        best = losses.index(min(losses[:number])) + 1
        assert (watch.best, watch.best_round) == (losses[best - 1], best)
        assert watch.ends(number, early_stopping) == (number - best >= early_stopping)
        assert not watch.ends(number, 0)


def test_nothing_ends_before_anything_was_measured() -> None:
    assert not Watch().ends(100, 5)
