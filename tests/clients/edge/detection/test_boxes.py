"""Overlap of boxes, non-maximum suppression and reading order."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.edge.detection.boxes import (
    Box,
    around,
    intersection_over_smaller,
    intersection_over_union,
    lines_of,
    suppress,
)

BOXES = st.builds(
    lambda left, top, width, height: Box(left, top, left + width, top + height),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(1, 40),
    st.integers(1, 40),
)
SCORED = st.lists(st.tuples(BOXES, st.floats(0, 1)), max_size=25)
DISTINCT = st.lists(st.tuples(BOXES, st.floats(0, 1)), max_size=25, unique_by=lambda each: each[1])
SHARE = st.floats(0, 1)


def cells(box: Box) -> set[tuple[int, int]]:
    return {(column, row) for column in range(box.left, box.right) for row in range(box.top, box.bottom)}


@given(BOXES, BOXES)
def test_overlap_is_counted_in_pixels(one: Box, other: Box) -> None:
    first, second = cells(one), cells(other)
    assert intersection_over_union(one, other) == len(first & second) / len(first | second)
    assert intersection_over_smaller(one, other) == len(first & second) / min(len(first), len(second))


@given(st.lists(BOXES, min_size=1))
def test_the_box_around_others_holds_them_and_no_more(boxes: list[Box]) -> None:
    whole = around(boxes)
    assert all(intersection_over_smaller(whole, box) == 1 for box in boxes)
    assert {whole.left, whole.right} <= {edge for box in boxes for edge in (box.left, box.right)}
    assert {whole.top, whole.bottom} <= {edge for box in boxes for edge in (box.top, box.bottom)}


@given(SCORED, SHARE, SHARE)
def test_no_two_boxes_that_stay_overlap_further_than_they_may(
    scored: list[tuple[Box, float]], overlap: float, inside: float
) -> None:
    boxes, scores = [box for box, _ in scored], [score for _, score in scored]
    kept = suppress(boxes, scores, overlap=overlap, inside=inside)
    for one, other in combinations([boxes[each] for each in kept], 2):
        assert intersection_over_union(one, other) <= overlap + 1e-9
        assert intersection_over_smaller(one, other) <= inside + 1e-9


@given(SCORED.filter(bool))
def test_the_best_box_stays_and_comes_first(scored: list[tuple[Box, float]]) -> None:
    scores = [score for _, score in scored]
    kept = suppress([box for box, _ in scored], scores)
    assert kept[0] == int(np.argmax(scores))
    assert [scores[each] for each in kept] == sorted((scores[each] for each in kept), reverse=True)


@given(SCORED)
def test_what_goes_overlaps_a_better_box_that_stays(scored: list[tuple[Box, float]]) -> None:
    boxes, scores = [box for box, _ in scored], [score for _, score in scored]
    kept = suppress(boxes, scores)
    for gone in set(range(len(boxes))) - set(kept):
        assert any(
            scores[each] >= scores[gone]
            and (
                intersection_over_union(boxes[each], boxes[gone]) > 0.3
                or intersection_over_smaller(boxes[each], boxes[gone]) > 0.45
            )
            for each in kept
        )


@given(SCORED)
def test_suppressing_what_stayed_changes_nothing(scored: list[tuple[Box, float]]) -> None:
    kept = suppress([box for box, _ in scored], [score for _, score in scored])
    again = suppress([scored[each][0] for each in kept], [scored[each][1] for each in kept])
    assert again == list(range(len(kept)))


@given(DISTINCT, st.randoms(use_true_random=False))
def test_the_order_of_boxes_does_not_matter(scored: list[tuple[Box, float]], random: st.DataObject) -> None:
    shuffled = list(scored)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    kept, again = (
        [each[position] for position in suppress([box for box, _ in each], [score for _, score in each])]
        for each in (scored, shuffled)
    )
    assert kept == again


def test_boxes_that_only_touch_both_stay() -> None:
    assert suppress([Box(0, 0, 10, 10), Box(10, 0, 20, 10)], [0.5, 0.9], overlap=0, inside=0) == [1, 0]


def test_a_part_does_not_stay_beside_the_whole() -> None:
    assert suppress([Box(0, 0, 30, 30), Box(0, 0, 10, 10)], [0.9, 0.8]) == [0]


@pytest.mark.parametrize("slope", [0.0, 0.03, -0.03])
def test_lines_are_read_from_top_to_bottom_and_left_to_right(slope: float) -> None:
    random = np.random.default_rng(0)
    places = [
        (column * 50, 200 + row * 60 + round(slope * column * 50) + int(random.integers(-8, 8)))
        for row in range(4)
        for column in range(20)
    ]
    boxes = [Box(left, top, left + 30, top + 40) for left, top in places]
    shuffled = random.permutation(len(boxes))
    lines = lines_of([boxes[each] for each in shuffled])
    assert [[int(shuffled[each]) for each in line] for line in lines] == np.arange(80).reshape(4, 20).tolist()


def test_nothing_has_no_lines() -> None:
    assert lines_of([]) == []
    assert suppress([], []) == []
