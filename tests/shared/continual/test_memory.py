"""A replay memory has the same places for each class, and every sample of a class the same chance of one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.shared.continual.memory import MOST_DRAWN, NEVER, Seen, rehearsed, reservoir
from handfed.shared.samples import Samples

GROUPS = st.lists(st.integers(0, 4), max_size=60).map(lambda found: np.array(found, np.int32))
PLACES = st.integers(0, 12)


def drawn(count: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, MOST_DRAWN, count)


def characters(labels: list[int]) -> Samples:
    return Samples(np.zeros((len(labels), 2, 2), np.uint8), np.array(labels, np.int32))


@given(GROUPS, PLACES, st.integers(0, 9))
def test_a_class_has_its_places_filled_as_far_as_there_are_samples(
    groups: NDArray[np.int32], places: int, seed: int
) -> None:
    rows = reservoir(groups, drawn(len(groups), seed), places)
    assert rows.tolist() == sorted(set(rows.tolist()))
    kept, there = np.bincount(groups[rows], minlength=5), np.bincount(groups, minlength=5)
    np.testing.assert_array_equal(kept, np.minimum(there, places))


@given(GROUPS, PLACES, st.integers(0, 60))
def test_what_is_kept_of_a_stream_is_what_would_be_kept_had_it_come_at_once(
    groups: NDArray[np.int32], places: int, cut: int
) -> None:
    """So a device may erase, after each run, what is not in its memory."""
    draw = drawn(len(groups))
    early = reservoir(groups[:cut], draw[:cut], places)
    left = np.concatenate([early, np.arange(min(cut, len(groups)), len(groups))])
    np.testing.assert_array_equal(left[reservoir(groups[left], draw[left], places)], reservoir(groups, draw, places))


@given(GROUPS, PLACES, st.integers(0, 59))
def test_where_one_is_deleted_the_next_takes_its_place_and_the_others_stay(
    groups: NDArray[np.int32], places: int, gone: int
) -> None:
    draw = drawn(len(groups))
    before = set(reservoir(groups, draw, places).tolist())
    left = np.delete(np.arange(len(groups)), gone) if gone < len(groups) else np.arange(len(groups))
    after = set(left[reservoir(groups[left], draw[left], places)].tolist())
    assert before - {gone} <= after
    assert len(after) >= len(before) - 1


def test_every_sample_has_the_same_chance() -> None:
    """Of 40 samples 10 places: each is kept in a quarter of 4,000 draws, within five standard deviations."""
    trials, groups = 4000, np.zeros(40, np.int32)
    kept = np.zeros(40)
    for seed in range(trials):
        kept[reservoir(groups, drawn(40, seed), 10)] += 1
    assert np.abs(kept / trials - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / trials)


def test_a_run_that_goes_on_trains_on_what_is_new_and_on_its_memory() -> None:
    labels = [0] * 5 + [1] * 3 + [2] * 4
    base = np.array([0] * 5 + [0] * 3 + [NEVER] * 4)
    rows = rehearsed(characters(labels), Seen(base, drawn(12)), start_from=1, places=2, classes=3)
    assert np.bincount(np.array(labels)[rows]).tolist() == [2, 2, 4]


@pytest.mark.parametrize(("start_from", "count"), [(5, 10), (6, 1), (0, 10)])
def test_what_only_a_run_from_the_same_champion_saw_is_new_still(start_from: int, count: int) -> None:
    """A run from run 5 broke off; one that starts from 5 again finds the samples new, and one from 6 finds them old."""
    seen = Seen(np.full(10, 5), drawn(10))
    assert len(rehearsed(characters([0] * 10), seen, start_from=start_from, places=1, classes=1)) == count


def test_texts_have_as_many_places_as_the_classes_together() -> None:
    texts = Samples.of_texts([np.zeros((4, 8), np.uint8)] * 9, [[0, 1]] * 9)
    assert len(rehearsed(texts, Seen(np.zeros(9, np.int64), drawn(9)), start_from=1, places=2, classes=3)) == 6
