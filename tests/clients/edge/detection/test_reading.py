"""Pages are read: by a real recogniser, and those that touch by a window whose choice is worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from handfed.clients.edge import Recogniser
from handfed.clients.edge.detection import find_characters, read_boxes, read_page
from handfed.clients.edge.detection.boxes import Box
from handfed.clients.edge.detection.drawing import draw
from handfed.clients.edge.detection.reading import _Window, _worth
from handfed.clients.edge.recogniser import Reading, Readings
from handfed.shared.datasets import Dataset
from handfed.simulations.benchmarks.boxes import Style, compose, matched


@pytest.fixture(scope="module")
def opened(release_directory: Path) -> Recogniser:
    return Recogniser.open(release_directory)


class Unsure:
    """A recogniser that takes everything for the same, without being sure."""

    def read(self, picture: np.ndarray, *, alternatives: int = 3) -> Reading:
        assert picture.dtype == np.uint8
        return Reading("x", 0.5, (("y", 0.25),) * alternatives)

    def read_all(self, images: np.ndarray) -> Readings:
        return Readings(np.zeros(len(images), np.int32), np.full(len(images), 0.5, np.float32))


def test_a_page_is_read_as_well_as_its_characters_alone(opened: Recogniser, digits: Dataset) -> None:
    unseen = digits.take(np.arange(4000, 5000))
    alone = (opened.read_all(unseen.images).labels == unseen.labels).mean()
    for style in (Style(), Style(ruled="lines", shadow=True, noise=4)):
        page = compose(unseen, 6, 9, style, seed=1)
        readings = read_boxes(opened, page.picture)
        pairs = matched([reading.box for reading in readings], page.boxes)
        right = sum(readings[one].text == str(page.labels[two]) for one, two in pairs.items())
        assert right / 54 >= alone - 0.08  # 54 digits: two standard deviations
        assert len(readings) <= 57


def test_windows_find_most_of_what_touches(opened: Recogniser, digits: Dataset) -> None:
    page = compose(digits.take(np.arange(4000, 5000)), 6, 8, Style(touching=1.0), seed=0)
    alone = len(matched(find_characters(page.picture), page.boxes))
    readings = read_boxes(opened, page.picture)
    with_windows = len(matched([reading.box for reading in readings], page.boxes))
    assert with_windows >= alone + 12
    assert with_windows >= 0.75 * len(page.boxes)


def test_lines_and_text_are_in_reading_order(digits: Dataset) -> None:
    page = compose(digits, 4, 6, Style(), seed=0)
    reading = read_page(Unsure(), page.picture, alternatives=2)
    assert reading.text == "\n".join(["xxxxxx"] * 4)
    assert [each.box for each in reading.boxes] == find_characters(page.picture)
    assert {each.confidence for each in reading.boxes} == {0.5}
    assert {len(each.alternatives) for each in reading.boxes} == {2}


def test_what_no_window_reads_surely_stays_whole(digits: Dataset) -> None:
    page = compose(digits, 4, 6, Style(touching=1.0), seed=0)
    assert [each.box for each in read_boxes(Unsure(), page.picture)] == find_characters(page.picture)


def test_a_blank_page_reads_as_nothing() -> None:
    reading = read_page(Unsure(), np.full((80, 90), 240, np.uint8))
    assert (reading.lines, reading.text, reading.boxes) == ((), "", [])


def window(first: int, last: int) -> _Window:
    return _Window(0, Box(first, 0, last, 1), first, last)


@given(st.lists(st.floats(0.01, 1), min_size=10, max_size=10))
def test_a_window_is_worth_the_best_way_to_part_its_component_with_it(confidences: list[float]) -> None:
    windows = [window(first, last) for first in range(4) for last in range(first + 1, 5)]
    sure = {(each.first, each.last): confidence for each, confidence in zip(windows, confidences, strict=True)}

    def best(first: int, last: int) -> float:
        if first == last:
            return 1
        return max(sure[first, cut] * best(cut, last) for cut in range(first + 1, last + 1))

    expected = [best(0, each.first) * sure[each.first, each.last] * best(each.last, 4) for each in windows]
    assert _worth(windows, np.array(confidences)) == pytest.approx(expected)


def test_a_window_beside_which_nothing_fits_is_worth_nothing() -> None:
    assert _worth([window(0, 3), window(0, 2)], np.array([0.2, 0.9])) == pytest.approx([0.2, 0])


def test_boxes_and_readings_are_drawn(digits: Dataset, tmp_path: Path) -> None:
    page = compose(digits, 2, 3, Style(), seed=0)
    readings = read_boxes(Unsure(), page.picture)
    (tmp_path / "page.png").write_bytes(draw(page.picture, readings))
    drawn = np.asarray(Image.open(tmp_path / "page.png")).astype(int)
    assert drawn.shape == (*page.picture.shape, 3)
    coloured = drawn.max(axis=2) != drawn.min(axis=2)
    for reading in readings:
        assert coloured[reading.box.top : reading.box.bottom, reading.box.left - 1].all()
    assert not coloured[-5:].any()
