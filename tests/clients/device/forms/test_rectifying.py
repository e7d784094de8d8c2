from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from handfed.clients.device.forms import layout
from handfed.clients.device.forms.rectifying import SCALE, BlankPageError, rectify
from handfed.shared.errors import ImageError
from handfed.simulations.benchmarks.filled_forms import DENSITY, STYLES, Picture

from .conftest import MakeForm


@pytest.fixture(scope="module")
def paper(form: MakeForm) -> Picture:
    """A filled form, as a scanner of 150 dots an inch sees it."""
    made = form().filled.picture
    return np.asarray(cv2.resize(made, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("quarters", range(4))
def test_a_page_is_read_whichever_way_it_lies(paper: Picture, quarters: int) -> None:
    upright = rectify(paper)
    turned = rectify(np.ascontiguousarray(np.rot90(paper, quarters)))
    assert turned.page == upright.page
    assert turned.flat.shape == upright.flat.shape == (297 * SCALE, 210 * SCALE)
    assert np.abs(turned.flat.astype(int) - upright.flat).mean() < 1
    assert np.abs(turned.shifts).max() < 0.1


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_boxes_are_found_however_badly_a_page_is_photographed(form: MakeForm, style: object) -> None:
    made = form(style=style)
    photo = made.photograph(style, seed=3)  # type: ignore[arg-type]
    rectified = rectify(photo.picture)
    assert rectified.page == made.page
    boxes = layout.boxes(made.page.paper, made.page.kind)[: len(made.page.labels)]
    true = photo.place_of(np.array([(box.left, box.top) for box in boxes]))
    moved = np.array([(box.left, box.top) for box in boxes]) + rectified.shifts
    found = cv2.perspectiveTransform(moved[None], rectified.to_picture)[0]
    width_px = np.hypot(*(photo.place_of(np.array([(0.0, 150.0), (210.0, 150.0)])) * [[-1], [1]]).sum(axis=0))
    assert np.hypot(*(found - true).T).max() < 0.3 * width_px / 210  # mm


def test_shadows_are_taken_out(form: MakeForm) -> None:
    photo = form().photograph(STYLES[3], seed=1)
    flat = rectify(photo.picture).flat
    margin = flat[30 * SCALE : 40 * SCALE, 24 * SCALE : 60 * SCALE]  # under the header: paper and some print
    assert np.percentile(photo.picture, 90) - np.percentile(photo.picture, 30) > 40
    assert np.percentile(margin, 40) > 235


def white(like: Picture) -> Picture:
    return np.full_like(like, 240)


def two_forms(paper: Picture) -> Picture:
    return np.concatenate([paper, paper], axis=1)


def cut_off(paper: Picture) -> Picture:
    return paper[: -round(0.09 * len(paper))]


def covered_mark(paper: Picture) -> Picture:
    picture = paper.copy()
    picture[:160, :160] = 200
    return picture


def covered_code(paper: Picture) -> Picture:
    picture = paper.copy()
    density = DENSITY / 2
    left, top, width, height = (round(density * each) for each in layout.code_area(layout.PAPERS["a4"]))
    picture[top : top + height, left : left + width // 2] = 230
    return picture


def foreign_code(paper: Picture) -> Picture:
    import zxingcpp

    picture = paper.copy()
    density = DENSITY / 2
    left, top, width, _ = (round(density * each) for each in layout.code_area(layout.PAPERS["a4"]))
    code = zxingcpp.create_barcode("https://example.org/worksheet", zxingcpp.BarcodeFormat.QRCode)
    cells = np.array(code.to_image(scale=4, add_quiet_zones=False))
    picture[top : top + width, left : left + width] = cv2.resize(cells, (width, width), interpolation=cv2.INTER_NEAREST)
    return picture


def other_boxes(paper: Picture) -> Picture:
    """The marks and the code of a form, and nothing below them."""
    picture = paper.copy()
    picture[round(43 * DENSITY / 2) : round(276 * DENSITY / 2)] = 250
    return picture


def far_away(paper: Picture) -> Picture:
    small = cv2.resize(paper, None, fx=0.45, fy=0.45, interpolation=cv2.INTER_AREA)
    return np.asarray(np.pad(small, 300, constant_values=90), np.uint8)


def mirrored(paper: Picture) -> Picture:
    return np.ascontiguousarray(paper[:, ::-1])


def worksheet(paper: Picture) -> Picture:
    picture = white(paper)
    for row in range(5):
        cv2.putText(picture, "Name the rivers", (100, 200 + 200 * row), cv2.FONT_HERSHEY_SIMPLEX, 3, 0, 5)
    return picture


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (two_forms, "more than one form"),
        (cut_off, "lower right and the lower left corner mark"),
        (covered_mark, "the upper left corner mark is missing"),
        (covered_code, "code that cannot be read"),
        (foreign_code, "none of a form that Handfed prints"),
        (other_boxes, "shows 0 of the 30 frames"),
        (far_away, "too small"),
        (mirrored, "shows no form"),
        (worksheet, "shows no form"),
    ],
)
def test_a_picture_that_is_not_wholly_sure_is_refused(
    paper: Picture, spoil: Callable[[Picture], Picture], message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        rectify(spoil(paper))


def test_forms_of_two_papers_in_one_picture_are_refused(form: MakeForm) -> None:
    one, two = form().filled.picture[::2, ::2], form(paper="letter").filled.picture[::2, ::2]
    height = min(len(one), len(two))
    with pytest.raises(ImageError, match="more than one form"):
        rectify(np.ascontiguousarray(np.concatenate([one[:height], two[:height]], axis=1)))


@pytest.mark.parametrize("noise", [0, 6])
def test_a_blank_sheet_is_told_from_other_pictures(paper: Picture, noise: int) -> None:
    grain = np.random.default_rng(0).normal(0, noise, paper.shape)
    shade = np.linspace(0, 70, paper.shape[1])
    with pytest.raises(BlankPageError):
        rectify(np.clip(white(paper) - shade + grain, 0, 255).astype(np.uint8))
