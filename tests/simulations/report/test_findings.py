"""What follows from a run's figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from handfed.shared.transcripts import Transcripts
from handfed.simulations.readings import Readings
from handfed.simulations.report import findings


def evaluation(labels: list[int], readings: list[int], float_readings: list[int], device: list[int]) -> Readings:
    written, int8, floating = (np.array(each, np.int32) for each in (labels, readings, float_readings))
    return Readings(
        np.arange(len(labels)),
        Transcripts.of_characters(written, int8),
        Transcripts.of_characters(written, floating),
        np.full(len(labels), 0.9),
        np.array(device, np.int32),
        None,
    )


FOUR = evaluation([0, 1, 2, 3, 4], [0, 1, 0, 0, 4], [0, 0, 2, 1, 4], [2, 2, 7, 7, 7])


def test_pairs_count_every_image_once() -> None:
    assert findings.Pairs.of(FOUR) == findings.Pairs(both=2, only_int8=1, only_float=1, neither=1)


def test_without_images_there_is_no_difference() -> None:
    assert findings.Pairs.of(evaluation([], [], [], [])).difference is None


def test_the_least_accurate_group_comes_first() -> None:
    assert findings.worst_first(FOUR, FOUR.device) == [findings.Group(7, 3, 3, 2), findings.Group(2, 2, 2, 0)]


def test_of_equal_groups_the_lower_number_comes_first() -> None:
    found = evaluation([0, 0, 0], [0, 0, 0], [0, 0, 0], [5, 1, 3])
    assert [group.number for group in findings.worst_first(found, found.device)] == [1, 3, 5]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), min_size=1, max_size=200))
def test_the_worst_decile_is_that_of_the_metrics(rows: list[tuple[bool, int]]) -> None:
    labels = [0] * len(rows)
    found = evaluation(labels, [0 if right else 1 for right, _ in rows], labels, [device for _, device in rows])
    worst = findings.worst_decile(findings.worst_first(found, found.device))
    expected = found.by(found.device).worst_decile
    assert np.mean([group.accuracy for group in worst]) == pytest.approx(expected)


def test_of_texts_a_group_s_accuracy_counts_characters() -> None:
    transcripts = Transcripts([[1, 2, 3, 4], [5], [5, 5]], [[1, 2, 3, 3], [5], []])
    found = Readings(np.arange(3), transcripts, transcripts, np.ones(3), np.array([0, 0, 1], np.int32), None)
    worst, best = findings.worst_first(found, found.device)
    assert (worst, worst.accuracy) == (findings.Group(1, 1, 2, 2), 0)
    assert (best, best.accuracy) == (findings.Group(0, 2, 5, 1), 0.8)


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
