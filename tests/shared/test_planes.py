"""What is seen beside the ink: holes, ends, size, and the way of the pen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from handfed.clients.datasets.strokes import read_strokes
from handfed.shared import planes
from handfed.shared.datasets import Dataset
from handfed.shared.images import normalise_all
from handfed.shared.strokes import Strokes

Picture = NDArray[np.uint8]
INK = arrays.arrays(np.uint8, (2, 14, 14), elements=st.sampled_from([0, 0, 200]))


def drawn(*rows: str) -> Picture:
    """A picture, uint8 (1, height, width), as it is typed: # is ink."""
    return np.array([[255 * (cell == "#") for cell in row] for row in rows], np.uint8)[None]


ZERO = drawn("........", "..####..", ".##..##.", ".##..##.", ".##..##.", "..####..", "........")
SIX = drawn("........", "..###...", ".##.....", ".#####..", ".##..##.", "..####..", "........")
EIGHT = drawn("........", "..####..", ".##..##.", "..####..", ".##..##.", "..####..", "........")
ONE = drawn("........", "...##...", "..###...", "...##...", "...##...", "...##...", "........")
OPEN = drawn("........", "..####..", ".##..##.", ".##.....", ".##..##.", "..####..", "........")
BAR = drawn("..........", "..........", "..#######.", "..........", "..........")
RING = drawn(".........", "..#####..", "..#...#..", "..#...#..", "..#...#..", "..#####..", ".........")


def pieces(plane: NDArray[np.uint8]) -> int:
    """How many pieces of a plane, (height, width), hang together by their edges."""
    left, found = {(int(row), int(column)) for row, column in np.argwhere(plane)}, 0
    while left:
        edge, found = [left.pop()], found + 1
        while edge:
            row, column = edge.pop()
            near = {(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)} & left
            left -= near
            edge += near
    return found


def enclosed(picture: Picture) -> int:
    return pieces(planes.topology(picture)[0, :, :, 0])


def ends(picture: Picture) -> int:
    return pieces(planes.topology(picture)[0, :, :, 1])


def shifted(images: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    """Within a frame of paper that is wide enough for any shift."""
    around = [(0, 0), (8 + down, 8 - down), (8 + right, 8 - right), *[(0, 0)] * (images.ndim - 3)]
    return np.pad(images, around)


@pytest.mark.parametrize(("picture", "count"), [(ZERO, 1), (SIX, 1), (EIGHT, 2), (ONE, 0), (OPEN, 0), (RING, 1)])
def test_a_hole_is_paper_that_ink_encloses(picture: Picture, count: int) -> None:
    assert enclosed(picture) == count


def test_a_hole_is_marked_pixel_by_pixel() -> None:
    holes = planes.topology(RING)[0, :, :, 0]
    assert np.argwhere(holes).tolist() == [[row, column] for row in (2, 3, 4) for column in (3, 4, 5)]
    assert set(np.unique(holes)) == {0, 255}


def test_strokes_that_touch_by_corners_enclose_too() -> None:
    assert enclosed(drawn(".....", "..#..", ".#.#.", "..#..", ".....")) == 1


def test_a_straight_stroke_has_two_ends_and_a_ring_none() -> None:
    assert ends(BAR) == 2
    assert ends(RING) == 0
    marked = planes.topology(BAR)[0, :, :, 1]
    assert marked[2, 2]
    assert marked[2, 8]
    assert not marked[:, 5].any()


def test_a_cross_has_four_ends() -> None:
    lines = np.zeros((1, 15, 15), np.uint8)
    lines[0, 7, 2:13] = lines[0, 2:13, 7] = 255
    assert ends(lines) == 4


def test_thick_strokes_have_the_ends_of_thin_ones() -> None:
    thick = np.zeros((1, 28, 28), np.uint8)
    thick[0, 12:16, 4:24] = 255
    assert ends(thick) == 2


def test_faint_grey_is_no_stroke() -> None:
    assert not planes.topology(np.minimum(RING, 95)).any()
    assert planes.topology(np.minimum(RING, 96)).any()


@settings(max_examples=60)
@given(INK, st.integers(-7, 7), st.integers(-7, 7))
def test_topology_commutes_with_shifts(images: Picture, down: int, right: int) -> None:
    moved = planes.topology(shifted(images, down, right))
    still = planes.topology(shifted(images, 0, 0))
    np.testing.assert_array_equal(moved, np.roll(still, (down, right), axis=(1, 2)))


@settings(max_examples=60)
@given(INK)
def test_topology_of_an_image_is_its_own(images: Picture) -> None:
    alone = np.concatenate([planes.topology(image[None]) for image in images])
    np.testing.assert_array_equal(planes.topology(images), alone)


@settings(max_examples=60)
@given(INK)
def test_beside_the_box_of_the_ink_a_plane_is_empty(images: Picture) -> None:
    images = shifted(images[:1], 0, 0)
    found = planes.topology(images)[0].max(axis=2)
    ink = np.argwhere(images[0])
    if not len(ink):
        assert not found.any()
        return
    (top, left), (bottom, right) = ink.min(axis=0) - 1, ink.max(axis=0) + 1
    found[top : bottom + 1, left : right + 1] = 0
    assert not found.any()


def test_holes_of_real_digits_are_where_digits_have_them(digits: Dataset) -> None:
    digits = digits.take(np.arange(1500))
    holes = planes.topology(digits.images)[..., 0].max(axis=(1, 2)) > 0
    share = [float(holes[digits.labels == digit].mean()) for digit in range(10)]
    assert min(share[0], share[8], share[9]) > 0.8
    assert share[8] > 0.95
    assert share[6] > 0.7
    assert max(share[1], share[3], share[5], share[7]) < 0.15


def test_real_ones_have_two_ends_more_often_than_not(digits: Dataset) -> None:
    found = planes.topology(digits.images[digits.labels == 1][:200])[..., 1]
    assert np.mean([pieces(plane) == 2 for plane in found]) > 0.6
    rings = planes.topology(digits.images[digits.labels == 0][:200])[..., 1]
    assert np.median([pieces(plane) for plane in rings]) <= 1


def test_a_character_of_usual_size_is_half_its_ink_and_a_larger_one_more() -> None:
    images = np.repeat(ZERO, 4, axis=0)
    found = planes.size(images, np.array([1.0, 3.0, 0.5, 0.0]))[..., 0]
    assert found.max(axis=(1, 2)).tolist() == [128, 191, 85, 0]
    assert not found[images == 0].any()


def strokes(*lines: list[tuple[int, int]]) -> Strokes:
    """One sample of these strokes."""
    points = np.array([point for line in lines for point in line], np.int16)
    number = np.repeat(np.arange(len(lines)), [len(line) for line in lines]).astype(np.uint8)
    return Strokes(points, number, np.array([0, len(points)]))


def bar() -> Picture:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 13:16, 4:24] = 255
    return image


def test_a_stroke_from_left_to_right_goes_across_and_neither_up_nor_down() -> None:
    across, up, when = np.moveaxis(planes.pen(bar(), strokes([(0, 0), (500, 0), (1000, 0)]))[0], 2, 0)
    seen = across > 0
    assert seen[14, 6:22].all()
    assert (across[seen] == 255).all()
    assert (up[seen] == 128).all()
    assert when[14, 5] < when[14, 14] <= when[14, 22]
    assert not any(plane[~seen].any() for plane in (across, up, when))
    assert not seen[:11].any()


def test_a_stroke_the_other_way_is_told_from_it() -> None:
    back = planes.pen(bar(), strokes([(1000, 0), (500, 0), (0, 0)]))[0]
    assert set(back[14, 6:22, 0]) == {1}
    assert back[14, 6, 2] > back[14, 21, 2]


def test_upwards_is_up_as_the_strokes_count_it() -> None:
    image = bar().transpose(0, 2, 1)
    rising = planes.pen(image, strokes([(0, 0), (0, 900)]))[0]
    assert set(rising[6:22, 14, 1]) == {255}
    assert set(rising[6:22, 14, 0]) == {128}
    falling = planes.pen(image, strokes([(0, 900), (0, 0)]))[0]
    assert set(falling[6:22, 14, 1]) == {1}


def test_points_far_apart_leave_no_gap() -> None:
    few = planes.pen(bar(), strokes([(0, 0), (1000, 0)]))[0, 14, 5:22]
    many = planes.pen(bar(), strokes([(place, 0) for place in range(0, 1001, 10)]))[0, 14, 5:22]
    assert few.all()
    np.testing.assert_allclose(few[:, 2].astype(float), 32, atol=0)  # the time when it set out
    assert (np.diff(many[:, 2].astype(int)) > 0).all()


def test_between_two_strokes_there_is_no_way() -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 4:24, 4:7] = image[0, 4:24, 21:24] = 255
    parted = planes.pen(image, strokes([(0, 0), (0, 1000)], [(1000, 0), (1000, 1000)]))[0]
    assert parted[14, 5].all()
    assert parted[14, 22].all()
    assert not parted[:, 9:19].any()
    joined = planes.pen(image, strokes([(0, 0), (0, 1000), (1000, 0), (1000, 1000)]))[0]
    assert joined[:, 9:19].any()


def test_a_pen_that_does_not_move_leaves_a_mark_of_no_direction() -> None:
    found = planes.pen(bar(), strokes([(3, 3), (3, 3)]))[0]
    assert set(found[..., 0][found[..., 2] > 0]) == {128}
    assert not planes.pen(bar(), strokes([(3, 3)])).any()


def test_what_is_not_known_is_empty_and_the_ink_comes_first() -> None:
    found = planes.seen(RING, ("pen", "topology", "size"))
    assert found.shape == (1, 7, 9, 7)
    np.testing.assert_array_equal(found[..., 0], RING)
    np.testing.assert_array_equal(found[..., 4:6], planes.topology(RING))
    assert not found[..., [1, 2, 3, 6]].any()
    np.testing.assert_array_equal(planes.seen(RING, ())[..., 0], RING)
    assert planes.seen(RING[:0], ("topology",)).shape == (0, 7, 9, 3)


def test_many_are_seen_as_each_alone() -> None:
    images = normalise_all(np.random.default_rng(0).integers(0, 2, (300, 9, 9), np.uint8) * np.uint8(255))
    many = planes.seen(images, ("topology",))
    for row in (0, 255, 256, 299):
        np.testing.assert_array_equal(many[row], planes.seen(images[row : row + 1], ("topology",))[0])


def unipen(folder: Path, name: str) -> NDArray[Any]:
    with np.load(folder / "characters_unipen.npz", allow_pickle=False) as file:
        return np.asarray(file[name])


def unipen_strokes(folder: Path) -> Strokes:
    return read_strokes(folder / "characters_unipen_strokes.npz", 73_369)


def test_the_pen_was_where_the_ink_is(shared_data: Path) -> None:
    first, end = 30_000, 31_000
    images = normalise_all(unipen(shared_data, "x")[first:end])
    was = planes.seen(images, ("pen",), unipen_strokes(shared_data).part(first, end))[..., 3] > 0
    ink = np.pad(images >= 64, ((0, 0), (1, 1), (1, 1)))
    near = np.any([ink[:, row : row + 28, column : column + 28] for row in range(3) for column in range(3)], axis=0)
    assert (was & near).sum() >= 0.9 * was.sum()
    assert (was & (images >= 128)).sum() >= 0.9 * (images >= 128).sum()


def test_small_letters_are_smaller_than_their_capitals(shared_data: Path) -> None:
    names = unipen(shared_data, "class_names")[unipen(shared_data, "y")]
    writers = np.unique(unipen(shared_data, "writer"), return_inverse=True)[1].astype(np.int32)
    relative = unipen_strokes(shared_data).relative_sizes(writers)
    for small, capital in ("oO", "cC", "sS", "xX"):
        assert np.median(relative[names == small]) < np.median(relative[names == capital])
