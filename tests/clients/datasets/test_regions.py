"""Lines are cut out of pages along their outlines, and nothing of their neighbours comes along."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.datasets.regions import Page, cut, parse_outline, scale_of
from handfed.shared.errors import DatasetError

ONE = (1.0, 1.0)
PAGE = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


@given(st.integers(0, 57), st.integers(0, 37), st.integers(2, 60), st.integers(2, 40))
def test_a_box_is_cut_out_as_it_is(left: int, top: int, width: int, height: int) -> None:
    right, bottom = min(60, left + width), min(40, top + height)
    found = cut(PAGE, box(left, top, right, bottom), ONE)
    assert found is not None
    np.testing.assert_array_equal(found, PAGE[top:bottom, left:right])


def test_what_is_outside_of_the_outline_becomes_paper() -> None:
    page = np.full((40, 60), 230, np.uint8)
    page[18:22, 10:50] = 20  # the line
    page[2:8, 48:52] = 20  # a descender of the line above, right of the outline's slant
    found = cut(page, [(5, 0), (30, 0), (55, 15), (55, 30), (5, 30)], ONE)
    assert found is not None
    assert found.shape == (30, 50)
    assert (found[18:22, 5:45] == 20).all()
    assert (found[:16] == 230).all()


def test_an_outline_that_runs_over_the_edge_is_cut_off_there() -> None:
    found = cut(PAGE, box(-5.5, 30, 10, 400), ONE)
    assert found is not None
    np.testing.assert_array_equal(found, PAGE[30:40, 0:10])


@pytest.mark.parametrize(
    "outline",
    [box(70, 0, 90, 10), box(0, -9, 20, -2), box(5, 5, 6, 30), [(3, 3), (9, 3), (15, 3)], box(1e300, 0, 9, 9)],
)
def test_nothing_is_cut_out_where_nothing_is(outline: list[tuple[float, float]]) -> None:
    found = cut(PAGE, outline, ONE)
    assert found is None or min(found.shape) >= 2


def test_outlines_are_scaled_to_a_picture_of_another_size() -> None:
    page = Page("a.png", (600.0, 400.0), None, [])
    assert scale_of(PAGE, page, where="a.png") == (0.1, 0.1)
    found = cut(PAGE, box(100, 50, 300, 250), scale_of(PAGE, page, where="a.png"))
    assert found is not None
    np.testing.assert_array_equal(found, PAGE[5:25, 10:30])


def test_a_picture_of_other_proportions_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"a\.png: is 60 x 40 pixels, and its page 40 x 60: another picture"):
        scale_of(PAGE, Page("a.png", (40.0, 60.0), None, []), where="a.png")


@pytest.mark.parametrize("text", ["1,2 3,4 5.5,-6", "1 2 3 4 5.5 -6", " 1,2  3,4\n5.5,-6 "])
def test_points_are_written_in_two_ways(text: str) -> None:
    assert parse_outline(text, where="a.xml") == [(1, 2), (3, 4), (5.5, -6)]


@pytest.mark.parametrize("text", ["", "1,2 3,4", "1,2 3,4 5", "1,2 3,4 5,x", "1,2 3,4 5,nan", "1,2 3,4 5,inf", "é"])
def test_what_is_no_outline_is_refused(text: str) -> None:
    with pytest.raises(DatasetError, match=r"^a\.xml: the outline .* is not 'x,y x,y x,y'"):
        parse_outline(text, where="a.xml")
