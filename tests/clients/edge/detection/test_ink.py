"""Ink is parted from paper under uneven light, and ruled lines are removed but not what crosses them."""

from __future__ import annotations

import numpy as np
import pytest

from handfed.clients.edge.detection.ink import part


def strokes(shade: int = 40) -> np.ndarray:
    """A page of 30 upright strokes, 6 x 40 pixels, on even paper."""
    page = np.full((300, 400), 230, np.uint8)
    for row in range(5):
        for column in range(6):
            page[20 + row * 55 : 60 + row * 55, 30 + column * 60 : 36 + column * 60] = shade
    return page


def test_ink_is_what_was_written() -> None:
    assert np.array_equal(part(strokes()).ink, strokes() == 40)


def test_a_page_and_its_negative_have_the_same_ink() -> None:
    assert np.array_equal(part(255 - strokes()).ink, part(strokes()).ink)


@pytest.mark.parametrize("darkest", [0.3, 0.6])
def test_a_shadow_is_no_ink_and_hides_none(darkest: float) -> None:
    light = np.linspace(1, darkest, 400)
    page = (strokes() * light).astype(np.uint8)
    assert np.array_equal(part(page).ink, strokes() == 40)


@pytest.mark.parametrize("thickness", [1, 2, 3])
@pytest.mark.parametrize("slope", [0.0, 0.01, -0.02])
def test_a_ruled_line_goes_and_the_strokes_across_it_stay(thickness: int, slope: float) -> None:
    page = strokes()
    for line in range(5):
        for column in range(400):
            top = 40 + 55 * line + round(slope * (column - 200))
            page[top : top + thickness, column] = 90
    ink = part(page).ink
    written = strokes() == 40
    assert (ink & written).sum() >= 0.99 * written.sum()
    near = np.zeros_like(written)  # a line's ends at a stroke may stay
    near[:, 2:-2] = written[:, 2:-2] | written[:, 4:] | written[:, :-4] | written[:, 3:-1] | written[:, 1:-3]
    assert not (ink & ~near).any()


def test_a_printed_box_goes_and_a_one_in_it_stays() -> None:
    page = np.full((120, 120), 230, np.uint8)
    page[20:22, 20:90] = page[98:100, 20:90] = page[20:100, 20:22] = page[20:100, 88:90] = 60
    page[35:85, 54:56] = 40  # as thin and as upright as the box
    ink = part(page).ink
    assert ink[35:85, 54:56].all()
    assert ink.sum() - 100 <= 16  # but for its corners, which are as thick one way as the other


def test_blank_paper_has_no_ink() -> None:
    grain = np.random.default_rng(0).normal(220, 4, (200, 300)).clip(0, 255).astype(np.uint8)
    for page in (np.full((50, 60), 255, np.uint8), np.zeros((50, 60), np.uint8), grain):
        assert not part(page).ink.any()
