"""Normalisation of words and lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.errors import ImageError
from handfed.shared.strips import MARGIN, SIDE_MARGIN, normalise


def picture(height: int, width: int, *, paper: int = 255, ink: int = 0, edge: int = 6) -> np.ndarray:
    """A frame of ink, `edge` pixels of paper around it."""
    drawn = np.full((height + 2 * edge, width + 2 * edge), paper, np.uint8)
    drawn[edge:-edge, edge:-edge] = ink
    drawn[edge + 3 : -edge - 3, edge + 3 : -edge - 3] = paper
    return drawn


@given(st.integers(12, 90), st.integers(12, 400), st.sampled_from([24, 32, 40]))
def test_the_ink_fits_the_strip_with_its_aspect_ratio_kept(tall: int, wide: int, height: int) -> None:
    strip = normalise(picture(tall, wide, edge=4), height)
    inner = height - 2 * MARGIN
    assert strip.shape == (height, pytest.approx(wide * inner / tall + 2 * SIDE_MARGIN, abs=1))
    assert strip.max() == 255
    assert not strip[:MARGIN].any()
    assert not strip[-MARGIN:].any()
    assert not strip[:, :SIDE_MARGIN].any()
    assert not strip[:, -SIDE_MARGIN:].any()


def test_a_dash_does_not_grow_into_a_beam() -> None:
    drawn = np.full((40, 60), 255, np.uint8)
    drawn[19:22, 20:40] = 0
    strip = normalise(drawn, 32)
    assert (strip > 128).any(axis=1).sum() <= 6


def test_a_picture_and_its_negative_are_the_same() -> None:
    drawn = picture(30, 100, paper=230, ink=40)
    np.testing.assert_array_equal(normalise(drawn, 32), normalise(255 - drawn, 32))


def test_a_strip_stays_as_it_is_but_for_its_margins() -> None:
    strip = normalise(picture(28, 90), 32)
    np.testing.assert_array_equal(normalise(strip, 32), strip)


@pytest.mark.parametrize(
    "wrong", [np.zeros((1, 9), np.uint8), np.zeros((9, 9), np.float32), np.zeros((9, 9), np.uint8)]
)
def test_what_is_no_picture_or_holds_no_ink_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ImageError):
        normalise(wrong, 32)


def test_a_rule_across_a_page_is_no_line() -> None:
    drawn = np.full((3, 3000), 255, np.uint8)
    drawn[1, 5:-5] = 0
    with pytest.raises(ImageError, match="too long"):
        normalise(drawn, 32)


def strokes(slant: float, rise: float) -> np.ndarray:
    """Eight thick strokes in a row that lean by `slant` columns a row, and rise by `rise` rows a column."""
    drawn = np.full((160, 400), 255, np.uint8)
    rows, columns = np.mgrid[0:160, 0:400]
    for number in range(8):
        middle = 80 + 34 * number
        level = 80 - rise * (columns - 200)
        upright = np.abs(columns - middle - slant * (level - rows)) < 4
        drawn[upright & (np.abs(rows - level) < 30)] = 0
    return drawn


@pytest.mark.parametrize("slant", [-0.25, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("rise", [-0.125, 0.0, 0.25])
def test_slope_and_slant_are_taken_out(slant: float, rise: float) -> None:
    strip = normalise(strokes(slant, rise), 32)
    inked = (strip > 128).any(axis=0)
    assert int((np.diff(inked.astype(int)) == 1).sum()) == 8  # paper between all strokes, from top to bottom
    columns = np.flatnonzero(inked)
    tops = [int((strip[:, column] > 128).argmax()) for column in columns]
    assert np.ptp(np.percentile(tops, [10, 90])) <= 2  # but for the corners of strokes


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_slope_to_either_side_comes_to_the_same_height(side: str) -> None:
    drawn = strokes(0, 0.1)
    strip = normalise(drawn if side == "left" else drawn[:, ::-1].copy(), 32)
    assert abs(strip.shape[1] - normalise(strokes(0, 0), 32).shape[1]) <= 12


def on_a_rule(*, rule: bool) -> np.ndarray:
    drawn = strokes(0, 0)
    if rule:
        drawn[104:107, 5:395] = 0  # through the feet of the strokes
    return drawn


def test_a_line_that_a_text_is_written_on_is_taken_out() -> None:
    ruled, plain = normalise(on_a_rule(rule=True), 32), normalise(on_a_rule(rule=False), 32)
    assert abs(ruled.shape[1] - plain.shape[1]) <= 2
    inked = (ruled > 128).any(axis=0)
    assert int((np.diff(inked.astype(int)) == 1).sum()) == 8


def test_a_dash_alone_is_no_rule() -> None:
    drawn = np.full((40, 400), 255, np.uint8)
    drawn[19:22, 20:380] = 0
    assert (normalise(drawn, 32) > 128).any()
