"""What follows from a run's figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from handfed.shared.metrics import spread
from handfed.simulations.report import Evaluation, findings


def evaluation(labels: list[int], readings: list[int], float_readings: list[int], device: list[int]) -> Evaluation:
    return Evaluation(
        np.array(labels, np.int32),
        np.array(readings, np.int32),
        np.array(float_readings, np.int32),
        np.array(device, np.int32),
        None,
    )


FOUR = evaluation([0, 1, 2, 3, 4], [0, 1, 0, 0, 4], [0, 0, 2, 1, 4], [2, 2, 7, 7, 7])


def test_pairs_count_every_image_once() -> None:
    assert findings.Pairs.of(FOUR) == findings.Pairs(both=2, only_int8=1, only_float=1, neither=1)


def test_without_images_there_is_no_difference() -> None:
    assert findings.Pairs.of(evaluation([], [], [], [])).difference is None


def test_the_least_accurate_group_comes_first() -> None:
    assert findings.worst_first(FOUR, FOUR.device) == [findings.Group(7, 3, 1), findings.Group(2, 2, 2)]


def test_of_equal_groups_the_lower_number_comes_first() -> None:
    found = evaluation([0, 0, 0], [0, 0, 0], [0, 0, 0], [5, 1, 3])
    assert [group.number for group in findings.worst_first(found, found.device)] == [1, 3, 5]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), min_size=1, max_size=200))
def test_the_worst_decile_is_that_of_the_metrics(rows: list[tuple[bool, int]]) -> None:
    labels = [0] * len(rows)
    found = evaluation(labels, [0 if right else 1 for right, _ in rows], labels, [device for _, device in rows])
    worst = findings.worst_decile(findings.worst_first(found, found.device))
    expected = spread(found.readings == found.labels, found.device).worst_decile
    assert np.mean([group.accuracy for group in worst]) == pytest.approx(expected)


def test_writers_are_spread_from_the_worst_tenth_to_the_best() -> None:
    """Nine writers of whom everything is read, and one of whom half is."""
    labels = [0] * 20
    found = evaluation(labels, [0] * 19 + [1], labels, [0] * 20)
    writer = np.repeat(np.arange(10, dtype=np.int32), 2)
    spread_of_writers = findings.by_writer(replace(found, writer=writer))
    assert spread_of_writers is not None
    assert spread_of_writers.as_json() == pytest.approx(
        {"count": 10, "p10": 0.95, "median": 1.0, "p90": 1.0, "worst_decile": 0.5}
    )


def test_without_writers_or_images_writers_are_not_spread() -> None:
    assert findings.by_writer(FOUR) is None
    nothing = replace(evaluation([], [], [], []), writer=np.zeros(0, np.int32))
    assert findings.by_writer(nothing) is None


@given(st.integers(1, 100_000), st.data())
def test_an_interval_holds_its_fraction(samples: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, samples))
    low, high = findings.wilson(correct, samples)
    assert 0 <= low <= correct / samples + 1e-12
    assert correct / samples - 1e-12 <= high <= 1


def test_the_interval_of_a_known_example() -> None:
    """Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263 gives 0.2553 to 0.3662."""
    assert findings.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


COUNTS = arrays.arrays(np.int64, st.tuples(st.integers(1, 8), st.integers(2, 6)), elements=st.integers(0, 50))


@given(COUNTS)
def test_shares_of_a_device_add_up_to_one_or_to_nothing(counts: NDArray[np.int64]) -> None:
    total = findings.label_shares(counts).sum(axis=1)
    assert total == pytest.approx((counts.sum(axis=1) > 0).astype(float))


@given(COUNTS)
def test_skew_is_a_fraction_and_unknown_only_without_samples(counts: NDArray[np.int64]) -> None:
    skew = findings.label_skew(counts)
    assert (skew is None) == (counts.sum() == 0)
    assert skew is None or 0 <= skew <= 1


def test_devices_that_are_all_alike_have_no_skew() -> None:
    assert findings.label_skew(np.array([[1, 2, 3], [10, 20, 30], [0, 0, 0]])) == pytest.approx(0)


def test_devices_of_one_class_each_are_as_far_from_the_whole_as_they_can_be() -> None:
    assert findings.label_skew(np.eye(4, dtype=np.int64) * 9) == pytest.approx(0.75)
