"""Strokes of many samples, one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.strokes import Strokes

SAMPLES = st.lists(
    st.lists(st.tuples(st.integers(-99, 99), st.integers(-99, 99)), min_size=1, max_size=6), min_size=1, max_size=8
)


def of(samples: list[list[tuple[int, int]]]) -> Strokes:
    points = np.array([point for sample in samples for point in sample], np.int16)
    offset = np.cumsum([0, *map(len, samples)])
    return Strokes(points, np.zeros(len(points), np.uint8), offset)


@given(SAMPLES, st.data())
def test_a_part_holds_its_samples_as_the_whole_does(samples: list[list[tuple[int, int]]], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(samples)))
    end = data.draw(st.integers(first, len(samples)))
    whole, part = of(samples), of(samples).part(first, end)
    assert len(part) == end - first
    for row in range(first, end):
        here = part.points[part.offset[row - first] : part.offset[row - first + 1]]
        assert here.tolist() == [list(point) for point in samples[row]]
    if len(part):
        np.testing.assert_array_equal(part.boxes(), whole.boxes()[first:end])


@given(SAMPLES)
def test_a_box_holds_all_points_of_its_sample_and_touches_them(samples: list[list[tuple[int, int]]]) -> None:
    for sample, box in zip(samples, of(samples).boxes().tolist(), strict=True):
        across, up = zip(*sample, strict=True)
        assert box == [min(across), min(up), max(across), max(up)]


def test_the_largest_numbers_are_no_trouble() -> None:
    widest = of([[(-32768, 0), (32767, 0)], [(0, 0), (0, 1)]])
    assert widest.boxes()[0].tolist() == [-32768, 0, 32767, 0]
    assert widest.relative_sizes(np.array([0, 1]))[0] == 1


def test_size_is_that_beside_the_median_of_the_same_writer() -> None:
    lines = of([[(0, 0), (size, 0)] for size in (10, 20, 30, 100, 200, 300)])
    by_writer = lines.relative_sizes(np.array([4, 4, 4, 9, 9, 9], np.int32))
    assert by_writer.tolist() == pytest.approx([0.5, 1, 1.5, 0.5, 1, 1.5])
    together = lines.relative_sizes(None)
    assert together.tolist() == pytest.approx([each / 65 for each in (10, 20, 30, 100, 200, 300)])


def test_of_a_writer_of_dots_size_says_nothing() -> None:
    assert of([[(5, 5)], [(7, 7)]]).relative_sizes(None).tolist() == [0, 0]
