"""Characters are found on pages of real handwriting, whatever the paper, the light and the lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageDraw

from handfed.clients.edge.detection import Box, find_characters
from handfed.clients.edge.detection.characters import find
from handfed.shared.datasets import Dataset
from handfed.shared.errors import ImageError
from handfed.simulations.benchmarks.boxes import STYLES, Style, compose, matched


def recall_and_precision(digits: Dataset, style: Style) -> tuple[float, float]:
    true = found = right = 0
    for seed in range(2):
        page = compose(digits, 5, 8, style, seed=seed)
        boxes = find_characters(page.picture)
        true, found, right = true + 40, found + len(boxes), right + len(matched(boxes, page.boxes))
    return right / true, right / found


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1.7, 4.0])
def test_all_characters_of_a_clean_page_are_found(digits: Dataset, scale: float, light: bool) -> None:
    recall, precision = recall_and_precision(digits, Style(scale=scale, light=light))
    assert recall == 1
    assert precision >= 0.97


@pytest.mark.parametrize("name", [name for name in STYLES if "touching" not in name])
def test_shadow_lines_cells_and_grain_hide_few(digits: Dataset, name: str) -> None:
    recall, precision = recall_and_precision(digits, STYLES[name])
    assert recall >= 0.97
    assert precision >= 0.95


def test_characters_that_touch_are_one(digits: Dataset) -> None:
    page = compose(digits, 5, 8, Style(touching=1.0), seed=0)
    assert 20 <= len(find_characters(page.picture)) <= 26


def test_a_box_is_tight_and_ends_just_outside() -> None:
    page = np.full((90, 120), 250, np.uint8)
    page[20:60, 30:50] = 20
    assert find_characters(page) == [Box(30, 20, 50, 60)]


@pytest.mark.parametrize("side", [60, 500, 2200])
def test_a_character_may_fill_the_picture(digits: Dataset, side: int) -> None:
    ink = Image.fromarray(digits.images[1]).resize((side, side))
    (box,) = find_characters(255 - np.asarray(ink))
    columns = np.flatnonzero((np.asarray(ink) > 100).any(axis=0))
    assert abs(box.left - columns[0]) <= side / 20
    assert abs(box.right - columns[-1]) <= side / 20


def test_blank_paper_and_specks_give_no_box() -> None:
    random = np.random.default_rng(0)
    page = random.normal(225, 5, (300, 400)).clip(0, 255).astype(np.uint8)
    assert find_characters(page) == []
    for row, column in random.integers(5, 290, (60, 2)):
        page[row : row + 3, column : column + 3] = 30
    assert find_characters(page) == []


def test_specks_beside_writing_are_ignored(digits: Dataset) -> None:
    page = compose(digits, 3, 5, Style(scale=3), seed=0)
    clean = find_characters(page.picture)
    for row, column in np.random.default_rng(0).integers(0, 20, (40, 2)):  # the margin is empty
        page.picture[row : row + 4, column * 10 : column * 10 + 4] = 30
    assert find_characters(page.picture) == clean


def test_dots_and_bars_are_joined_and_lines_of_writing_are_not() -> None:
    page = Image.new("L", (300, 160), 255)
    pen = ImageDraw.Draw(page)
    for top in (20, 90):
        for left in (20, 60, 250):  # what gives the usual height
            pen.line((left, top, left + 20, top + 44), fill=0, width=5)
        pen.rectangle((110, top + 16, 114, top + 44), fill=0)  # i
        pen.rectangle((110, top + 4, 114, top + 8), fill=0)
        pen.rectangle((150, top + 16, 174, top + 20), fill=0)  # =
        pen.rectangle((150, top + 28, 174, top + 32), fill=0)
        pen.rectangle((200, top + 12, 205, top + 17), fill=0)  # :
        pen.rectangle((200, top + 30, 205, top + 35), fill=0)
    boxes = find_characters(np.asarray(page))
    assert len(boxes) == 12
    assert [box.left for box in boxes[2:5]] == [110, 150, 200]
    assert [(box.top, box.bottom) for box in boxes[2:5]] == [(24, 65), (36, 53), (32, 56)]
    assert max(box.bottom for box in boxes[:6]) < min(box.top for box in boxes[6:])


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=70), elements=st.integers(0, 255)))
def test_any_picture_gives_boxes_within_it(picture: np.ndarray) -> None:
    for box in find_characters(picture):
        assert 0 <= box.left < box.right <= picture.shape[1]
        assert 0 <= box.top < box.bottom <= picture.shape[0]


def test_what_is_cut_out_is_without_its_neighbours(digits: Dataset) -> None:
    page = compose(digits, 3, 5, Style(ruled="through", shadow=True), seed=0)
    found = find(page.picture)
    for candidate, box in enumerate(found.boxes):
        cut = found.cut(candidate, box)
        assert cut.shape == (box.height + 6, box.width + 6)
        assert not cut[[0, 1, -2, -1]].any()
        assert not cut[:, [0, 1, -2, -1]].any()
        assert cut.max() >= 60


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ImageError, match="uint8"):
        find_characters(np.zeros((40, 40, 3), np.uint8))
