from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from handfed.clients.device.forms import layout
from handfed.clients.device.forms.cutting import Cut, Verdict, cut, without
from handfed.clients.device.forms.rectifying import SCALE, Rectified, rectify
from handfed.shared.images import normalise
from handfed.simulations.benchmarks.filled_forms import STYLES

from .conftest import MakeForm, page_of

Points = list[tuple[float, float]]
PAGE = page_of()
BOX = 4  # one in the first row

# In mm from the upper left corner of the box, which is 13 x 13.
SEVEN: Points = [(4, 3), (9, 3), (6, 10)]
CROSS: list[Points] = [[(0.5, 0.3), (12.7, 12.9)], [(12.5, 0.6), (0.2, 12.6)]]


def flat(*strokes: Points, dots: Points = (), radius: int = 2, pen_mm: float = 0.6, ink: int = 60) -> Rectified:  # type: ignore[assignment]
    """A page with strokes in one box, and its frames."""
    boxes = layout.boxes(PAGE.paper, PAGE.kind)
    page = np.full((round(PAGE.paper.height * SCALE), round(PAGE.paper.width * SCALE)), 252, np.uint8)
    for box in boxes:
        corner = (round(box.left * SCALE), round(box.top * SCALE))
        far = (round((box.left + box.width) * SCALE), round((box.top + box.height) * SCALE))
        cv2.rectangle(page, corner, far, 100, 2)
    origin = np.array([boxes[BOX].left, boxes[BOX].top])
    for stroke in strokes:
        points = np.rint((np.array(stroke) + origin) * SCALE).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(page, [points], isClosed=False, color=ink, thickness=round(pen_mm * SCALE), lineType=cv2.LINE_AA)
    for dot in dots:
        x, y = np.rint((np.array(dot) + origin) * SCALE).astype(int)
        cv2.circle(page, (int(x), int(y)), radius, ink, -1, cv2.LINE_AA)
    return Rectified(PAGE, page, np.zeros((len(PAGE.labels), 2)), np.eye(3))


def cut_one(*strokes: Points, label: str = "7", **drawn: object) -> Cut:
    from handfed.clients.device.forms import cutting

    rectified = flat(*strokes, **drawn)  # type: ignore[arg-type]
    found = cut(rectified)[BOX]
    areas = cutting._window(rectified.flat, cutting._inside(layout.boxes(PAGE.paper, PAGE.kind)[BOX], np.zeros(2)))
    _, ink = cutting._ink(areas, cutting._strength([areas]))
    assert found.verdict == cutting._judged(ink, found.label)
    return Cut(found.box, label, cutting._judged(ink, label), found.seen, found.ink, found.corners)


def test_what_is_written_is_kept_and_nothing_else_is_in_the_cut() -> None:
    found = cut_one(SEVEN)
    assert found.verdict == Verdict.KEPT
    frame = np.concatenate([found.ink[0], found.ink[-1], found.ink[:, 0], found.ink[:, -1]])
    assert frame.min() == 255
    assert 50 < found.ink.min() < 80
    assert normalise(found.ink).max() == 255


def test_every_other_box_is_empty() -> None:
    verdicts = [each.verdict for each in cut(flat(SEVEN)) if each.box != BOX]
    assert set(verdicts) == {Verdict.EMPTY}


@pytest.mark.parametrize("dust", [[(1.8, 11.0)], [(1.8, 8.0), (11.0, 11.0)]])
def test_dust_does_not_reach_a_sample(dust: Points) -> None:
    assert cut_one(dots=dust, radius=1).verdict == Verdict.EMPTY
    assert (normalise(cut_one(SEVEN, dots=dust, radius=1).ink) == normalise(cut_one(SEVEN).ink)).all()


def test_the_dot_of_an_i_stays() -> None:
    stem: Points = [(6, 6), (6, 11)]
    dotted = cut_one(stem, dots=[(6.0, 4.4)], label="i")
    assert dotted.verdict == Verdict.KEPT
    assert (normalise(dotted.ink) != normalise(cut_one(stem).ink)).any()


def test_a_full_stop_counts_where_it_is_asked_for() -> None:
    stop: list[Points] = [[(6, 10), (6.3, 10.3)]]
    assert cut_one(*stop, label=".").verdict == Verdict.KEPT
    assert cut_one(*stop, label="7").verdict == Verdict.EMPTY


def test_crossing_out_from_corner_to_corner_counts() -> None:
    assert cut_one(SEVEN, *CROSS).verdict == Verdict.CROSSED_OUT
    bent: list[Points] = [[(1.5, 1.0), (7.0, 6.3), (12.0, 11.5)], [(11.6, 1.3), (6, 6.8), (1.2, 12.0)]]
    assert cut_one(SEVEN, *bent).verdict == Verdict.CROSSED_OUT


def test_a_letter_that_is_a_cross_is_none() -> None:
    cross: list[Points] = [[(2.5, 2.5), (10.5, 10.5)], [(10.5, 2.5), (2.5, 10.5)]]
    assert cut_one(*cross, label="X").verdict == Verdict.KEPT
    assert cut_one(*CROSS, label="X").verdict == Verdict.OVER_THE_EDGE


LETTERS: dict[str, list[Points]] = {
    "N": [[(2, 11.5), (2, 1.5), (11, 11.5), (11, 1.5)]],
    "M": [[(1.8, 11.5), (1.8, 1.5), (6.5, 9), (11.2, 1.5), (11.2, 11.5)]],
    "W": [[(1.8, 1.5), (4, 11), (6.5, 3), (9, 11), (11.2, 1.5)]],
    "Z": [[(2, 2), (11, 2), (2, 11), (11, 11)]],
    "K": [[(2, 1.5), (2, 11.5)], [(11, 1.5), (2, 7), (11, 11.5)]],
    "H": [[(2, 1.5), (2, 11.5)], [(11, 1.5), (11, 11.5)], [(2, 6.5), (11, 6.5)]],
    "E": [[(11, 2), (2, 2), (2, 11), (11, 11)], [(2, 6.5), (9, 6.5)]],
    "A": [[(2, 11.5), (6.5, 1.5), (11, 11.5)], [(4, 8), (9, 8)]],
    "m": [[(1.5, 10), (1.5, 4), (3.5, 4), (5, 10), (5, 4), (8, 4), (9, 10), (11, 10)]],
}


@pytest.mark.parametrize("pen_mm", [0.4, 1.2])
@pytest.mark.parametrize("letter", LETTERS)
def test_letters_that_fill_the_box_are_not_taken_for_crossed_out(letter: str, pen_mm: float) -> None:
    assert cut_one(*LETTERS[letter], label=letter, pen_mm=pen_mm).verdict != Verdict.CROSSED_OUT


@pytest.mark.parametrize("apart", [0.4, 0.7, 1.0])
@pytest.mark.parametrize("upright", [True, False])
def test_scribbling_over_counts_as_crossing_out(apart: float, upright: bool) -> None:
    along = np.arange(2, 11, apart)
    zigzag = [(float(place), 2.5 if turn % 2 else 10.5) for turn, place in enumerate(along)]
    scribble: Points = zigzag if upright else [(y, x) for x, y in zigzag]
    assert cut_one(SEVEN, scribble).verdict == Verdict.CROSSED_OUT


def test_a_script_with_many_strokes_is_not_taken_for_scribbled_over() -> None:
    rows: list[Points] = [[(3, y), (10, y)] for y in np.arange(2.5, 10, 1.7)]
    assert cut_one(*rows, label="目").verdict == Verdict.KEPT
    assert cut_one(*rows, label="7").verdict == Verdict.CROSSED_OUT


@pytest.mark.parametrize("far", [-1.0, 14.0])
def test_ink_over_the_edge_is_left_out(far: float) -> None:
    assert cut_one([(6, 6), (6, far)]).verdict == Verdict.OVER_THE_EDGE
    assert cut_one([(6, 6), (far, 6)]).verdict == Verdict.OVER_THE_EDGE


def test_what_is_left_out_by_hand_is_left_out() -> None:
    cuts = without(cut(flat(SEVEN)), {BOX})
    assert [each.box for each in cuts if each.verdict == Verdict.LEFT_OUT] == [BOX]


def test_a_pale_pencil_is_ink_and_what_was_rubbed_out_is_not() -> None:
    assert cut_one(SEVEN, ink=190).verdict == Verdict.KEPT
    assert cut_one(SEVEN, ink=240).verdict == Verdict.EMPTY


def test_real_digits_keep_their_shape_on_the_way(form: MakeForm) -> None:
    made = form(repeat=8)
    cuts = cut(rectify(made.photograph(STYLES[4], seed=2).picture))
    likeness = []
    for box in made.written():
        original = made.filled.written[box]
        assert original is not None
        likeness.append(correlation(cuts[box].ink, original))
    assert np.mean(likeness) > 0.95
    assert min(likeness) > 0.7


def correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    pictures = [cv2.GaussianBlur(normalise(each), (0, 0), 1).ravel() for each in (one, other)]
    return float(np.asarray(np.corrcoef(pictures))[0, 1])
