"""Rates of two groups of devices are compared with an interval that knows of devices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.server.comparisons.statistics import Counts, difference, rate_of


def drawn(random: np.random.Generator, devices: int, rate: float, spread: float) -> Counts:
    """Devices of many readings or few, each with a rate of its own."""
    of = random.integers(20, 2000, devices)
    rates = np.clip(rate * np.exp(spread * random.standard_normal(devices) - spread**2 / 2), 0, 1)
    return np.stack([random.binomial(of, rates), of], axis=1).astype(np.int64)


@pytest.mark.parametrize(("devices", "least"), [(10, 0.88), (40, 0.92)])
def test_the_interval_holds_the_true_difference_about_as_often_as_it_says(devices: int, least: float) -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        found = difference(drawn(random, devices, 0.05, 0.5), drawn(random, devices, 0.03, 0.5))
        assert found is not None
        held += found.low <= -0.02 <= found.high
    assert least <= held / 400 <= 0.99


def test_readings_that_belong_together_make_the_interval_wider_than_as_many_that_do_not() -> None:
    random = np.random.default_rng(1)
    alike, apart = (difference(*(drawn(random, 40, 0.05, spread) for _ in range(2))) for spread in (0.0, 1.0))
    assert alike is not None
    assert apart is not None
    assert apart.high - apart.low > 2 * (alike.high - alike.low)


counts = st.lists(
    st.integers(1, 1000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))), min_size=2, max_size=9
).map(lambda rows: np.array(rows, np.int64))


@given(counts, counts)
def test_the_difference_the_other_way_round_is_its_opposite(first: Counts, second: Counts) -> None:
    there, back = difference(first, second), difference(second, first)
    assert there is not None
    assert back is not None
    assert there.difference == pytest.approx(-back.difference)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.low <= there.difference <= there.high


@given(counts, st.integers(2, 5))
def test_a_rate_is_that_of_the_sums_and_who_read_nothing_changes_no_interval(first: Counts, times: int) -> None:
    found = rate_of(first)
    assert found.rate == pytest.approx(first[:, 0].sum() / first[:, 1].sum())
    silent = np.concatenate([first, np.zeros((times, 2), np.int64)])
    assert difference(silent, first) == difference(first, first)


def test_of_one_device_nothing_is_known_of_how_devices_vary() -> None:
    assert difference(np.array([[1, 10]]), np.array([[1, 10], [2, 10]])) is None
    assert rate_of(np.zeros((0, 2), np.int64)).rate is None
