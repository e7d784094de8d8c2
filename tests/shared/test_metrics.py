"""What is said of a recogniser is what the readings say."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from handfed.shared.metrics import Spread, gini, paired_difference, spread, worst_confusions


def of_images(correct: np.ndarray, writers: np.ndarray) -> Spread:
    return spread((~correct).astype(np.int64), np.ones(len(correct), np.int64), writers)


def test_every_writer_counts_the_same() -> None:
    correct = np.array([True] * 99 + [False])
    writers = np.array([0] * 99 + [1], np.int32)
    found = of_images(correct, writers)
    assert (found.count, found.median) == (2, 0.5)


def test_percentiles_lie_between_writers_by_linear_interpolation() -> None:
    correct = np.concatenate([np.arange(10) < right for right in (0, 5, 10)])
    found = of_images(correct, np.repeat(np.array([0, 1, 2], np.int32), 10))
    assert found.as_json() == pytest.approx(
        {"count": 3, "p10": 0.1, "median": 0.5, "p90": 0.9, "worst_decile": 0.0, "gini": 4 / 9}
    )


def test_the_worst_decile_is_the_mean_of_the_worst_tenth() -> None:
    writers = np.repeat(np.arange(20, dtype=np.int32), 20)
    correct = np.concatenate([np.arange(20) < right for right in range(1, 21)])
    assert of_images(correct, writers).worst_decile == pytest.approx((1 / 20 + 2 / 20) / 2)


def test_of_few_writers_the_worst_decile_is_the_worst() -> None:
    found = of_images(np.array([True, False, True]), np.array([0, 0, 1], np.int32))
    assert found.worst_decile == 0.5


def test_numbers_without_a_sample_are_no_writers() -> None:
    found = of_images(np.array([True, False]), np.array([3, 90], np.int32))
    assert found.count == 2


def test_of_texts_a_writer_s_accuracy_is_one_less_the_errors_a_character() -> None:
    found = spread(np.array([1, 0, 6]), np.array([10, 10, 4]), np.array([0, 0, 1], np.int32))
    assert found.p90 == pytest.approx(-0.5 + 0.9 * 1.45)  # of -0.5 and 0.95
    assert found.worst_decile == -0.5


def test_gini_is_nought_where_all_are_alike_and_near_one_where_one_has_all() -> None:
    assert gini(np.full(50, 0.7)) == pytest.approx(0)
    assert gini(np.array([0.0] * 99 + [1.0])) == pytest.approx(0.99)
    assert gini(np.zeros(3)) == 0


@given(arrays.arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1)))
def test_gini_is_half_the_mean_difference_relative_to_the_mean(values: np.ndarray) -> None:
    if values.mean() > 1e-3:
        expected = np.abs(values[:, None] - values).mean() / (2 * values.mean())
        assert gini(np.sort(values)) == pytest.approx(expected, abs=1e-9)


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    count = draw(st.integers(1, 60))
    correct = draw(arrays.arrays(np.bool_, count))
    return correct, draw(arrays.arrays(np.int32, count, elements=st.integers(0, 12)))


@given(judged(), st.randoms(use_true_random=False))
def test_the_spread_is_ordered_and_ignores_the_order_and_names_of_writers(
    samples: tuple[np.ndarray, np.ndarray], random: object
) -> None:
    correct, writers = samples
    found = of_images(correct, writers)
    assert 0 <= found.worst_decile <= found.median <= found.p90 <= 1
    assert found.p10 <= found.median
    assert found.count == len(set(writers.tolist()))
    order = list(range(len(writers)))
    random.shuffle(order)  # type: ignore[attr-defined]
    renamed = (100 - writers)[order].astype(np.int32)
    assert of_images(correct[order], renamed).as_json() == pytest.approx(found.as_json())
    json.dumps(found.as_json())


def test_a_difference_is_of_what_one_alone_reads_right() -> None:
    found = paired_difference(30, 10, 1000)
    assert found.difference == 0.02
    assert 0 < found.low < found.difference < found.high


def test_the_interval_is_that_of_the_source() -> None:
    """Bonett and Price 2012: one added to each discordant count, two to the sample."""
    found = paired_difference(9, 4, 98)
    centre = 0.10 - 0.05
    margin = 1.959964 * math.sqrt((0.15 - 0.05**2) / 100)
    assert (found.low, found.high) == pytest.approx((centre - margin, centre + margin))


def test_equal_recognisers_differ_by_an_interval_around_zero() -> None:
    found = paired_difference(0, 0, 500)
    assert found.difference == 0
    assert found.low == pytest.approx(-found.high)
    assert 0 < found.high < 0.02


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_an_interval_is_a_mirror_image_when_the_recognisers_are_swapped(first: int, second: int, both: int) -> None:
    samples = first + second + both or 1
    one, other = paired_difference(first, second, samples), paired_difference(second, first, samples)
    assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))
    assert -1 <= one.low <= one.high <= 1
    assert one.high - one.low > paired_difference(first * 10, second * 10, samples * 10).high - (
        paired_difference(first * 10, second * 10, samples * 10).low
    )


@pytest.mark.parametrize(
    ("only_first", "only_second", "samples"),
    [(0.01, 0.01, 1000), (0.03, 0.01, 300), (0.002, 0.001, 2000), (0.1, 0.3, 50)],
)
def test_the_interval_holds_the_truth_in_19_of_20_trials(only_first: float, only_second: float, samples: int) -> None:
    trials = 20_000
    drawn = np.random.default_rng(12).multinomial(
        samples, [only_first, only_second, 1 - only_first - only_second], size=trials
    )
    kinds, times = np.unique(drawn[:, :2], axis=0, return_counts=True)
    covered = 0
    for (first, second), count in zip(kinds.tolist(), times.tolist(), strict=True):
        found = paired_difference(first, second, samples)
        covered += count * (found.low <= only_first - only_second <= found.high)
    assert 0.94 <= covered / trials <= 0.985  # at least what is promised, and no interval that is merely wide


def test_the_worst_confusions_are_the_most_frequent_errors() -> None:
    matrix = np.array([[90, 3, 0], [5, 80, 1], [3, 0, 70]])
    assert worst_confusions(matrix, 3) == [(1, 0, 5), (0, 1, 3), (2, 0, 3)]
    assert worst_confusions(matrix, 99) == [(1, 0, 5), (0, 1, 3), (2, 0, 3), (1, 2, 1)]
    assert worst_confusions(matrix, 0) == []
    assert matrix[0, 0] == 90  # the matrix is left as it was


def test_without_an_error_there_is_no_confusion() -> None:
    assert worst_confusions(np.eye(4, dtype=np.int64), 5) == []
