"""The rules of image normalisation, checked on random strokes, on MNIST, and against integers in plain Python."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.shared.errors import ImageError
from handfed.shared.geometry import SIDE
from handfed.shared.images import BOX, INK_FLOOR, LARGEST_SIDE, normalise, normalise_all

Picture = NDArray[np.uint8]


@st.composite
def strokes(draw: st.DrawFn, *, margin: int = 0) -> Picture:
    """Light lines on dark paper, of any size, shade and thickness, at least `margin` from the frame."""
    height = draw(st.integers(2 * margin + 8, 90))
    width = draw(st.integers(2 * margin + 8, 90))
    paper = draw(st.integers(0, 150))
    picture = np.full((height, width), paper, np.uint8)
    for _ in range(draw(st.integers(1, 4))):
        ends = [
            (draw(st.integers(margin, height - 1 - margin)), draw(st.integers(margin, width - 1 - margin)))
            for _ in range(2)
        ]
        draw_line(picture, ends[0], ends[1], draw(st.integers(paper + 40, 255)))
    return picture


def draw_line(picture: Picture, start: tuple[int, int], end: tuple[int, int], shade: int) -> None:
    points = 2 * max(abs(end[0] - start[0]), abs(end[1] - start[1])) + 1
    rows = np.rint(np.linspace(start[0], end[0], points)).astype(int)
    columns = np.rint(np.linspace(start[1], end[1], points)).astype(int)
    picture[rows, columns] = shade


@pytest.fixture(scope="module")
def mnist(shared_data: Path) -> Picture:
    with np.load(shared_data / "digits_mnist_writers.npz", allow_pickle=False) as archive:
        images: Picture = archive["x"][:: 60_000 // 1_000]
    return images


@given(strokes())
def test_a_picture_and_its_negative_give_the_same_pixels(picture: Picture) -> None:
    assert np.array_equal(normalise(picture), normalise(255 - picture))


@given(st.binary(min_size=36, max_size=36))
def test_noise_and_its_negative_give_the_same_pixels_or_are_both_refused(content: bytes) -> None:
    picture = np.frombuffer(content, np.uint8).reshape(6, 6)
    results = []
    for each in (picture, 255 - picture):
        try:
            results.append(normalise(each).tobytes())
        except ImageError:
            results.append(b"refused")
    assert results[0] == results[1]


def test_a_picture_whose_paper_is_mid_grey_agrees_with_its_negative() -> None:
    picture = np.full((8, 8), 127, np.uint8)
    picture[:4] = 128  # the median of the frame is 127.5
    picture[1, 2:6] = 0
    picture[5, 2:4] = 255  # as far from the paper as the other
    assert np.array_equal(normalise(picture), normalise(255 - picture))


@given(strokes())
def test_the_result_is_28_by_28_with_black_paper_and_its_darkest_ink_at_255(picture: Picture) -> None:
    result = normalise(picture)
    assert result.shape == (SIDE, SIDE)
    assert result.dtype == np.uint8
    assert result.max() == 255


@given(strokes(margin=1))
def test_ink_fits_a_box_of_20_and_its_longer_side_fills_it(picture: Picture) -> None:
    rows, columns = np.nonzero(normalise(picture))
    longer = max(np.ptp(rows), np.ptp(columns)) + 1
    assert longer <= BOX
    # A clear line may blur below what shows, by a pixel at each end.
    assert longer >= BOX - 2


@given(strokes(margin=1))
def test_the_centre_of_mass_is_in_the_middle_as_far_as_there_is_room(picture: Picture) -> None:
    result = normalise(picture).astype(np.int64)
    for axis in (0, 1):
        mass = result.sum(axis=1 - axis)
        centre = Fraction(int((mass * (2 * np.arange(SIDE) + 1)).sum()), 2 * int(mass.sum()))
        shown = np.flatnonzero(mass)
        has_room = shown[0] > 1 and shown[-1] < SIDE - 2  # an outermost line of the box may show nothing
        assert not has_room or abs(centre - Fraction(29, 2)) <= Fraction(1, 2)


@given(strokes(margin=1), st.integers(0, 7), st.integers(0, 7), st.integers(0, 7), st.integers(0, 7))
def test_more_paper_around_the_ink_changes_nothing(
    picture: Picture, top: int, bottom: int, left: int, right: int
) -> None:
    wider = np.pad(picture, ((top, bottom), (left, right)), constant_values=int(picture[0, 0]))
    assert np.array_equal(normalise(picture), normalise(wider))


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_scaled_digit_comes_out_nearly_the_same(mnist: Picture, factor: int) -> None:
    """What is left is the blur of scaling back: a few of 255 grey levels a pixel."""
    enlarged = np.kron(mnist, np.ones((1, factor, factor), np.uint8))
    difference = np.abs(normalise_all(enlarged).astype(np.int64) - normalise_all(mnist)).mean(axis=(1, 2))
    assert np.quantile(difference, 0.99) <= 9


@given(strokes(margin=1), st.integers(1, 4))
def test_ink_of_another_strength_gives_the_same_pixels(picture: Picture, divisor: int) -> None:
    strong = np.where(picture == picture[0, 0], 0, 240).astype(np.uint8)
    assert np.array_equal(normalise(strong), normalise(strong // divisor))


@pytest.mark.parametrize(("height", "width"), [(40, 10), (10, 40), (33, 33), (200, 50), (3, 60)])
def test_the_aspect_ratio_is_kept(height: int, width: int) -> None:
    picture = np.zeros((height + 6, width + 6), np.uint8)
    picture[3:-3, 3:-3] = 255
    rows, columns = np.nonzero(normalise(picture))
    longer = max(height, width)
    assert np.ptp(rows) + 1 == max(1, round(height * BOX / longer))
    assert np.ptp(columns) + 1 == max(1, round(width * BOX / longer))


@pytest.mark.parametrize("shape", [(2, 2), (2, 300), (300, 2), (5, 7), (64, 256), (1200, 900)])
def test_any_size_of_at_least_2_by_2_is_taken(shape: tuple[int, int]) -> None:
    picture = np.zeros(shape, np.uint8)
    picture[0, 0] = 255
    assert normalise(picture).max() == 255


def test_a_hairline_in_a_large_picture_is_as_dark_as_any_ink() -> None:
    picture = np.full((2000, 2000), 255, np.uint8)
    draw_line(picture, (300, 300), (1700, 1700), 0)
    result = normalise(picture)
    assert result.max() == 255
    assert int((result >= INK_FLOOR).sum()) >= BOX


def test_specks_in_a_large_picture_do_not_vanish() -> None:
    picture = np.full((2000, 2000), 255, np.uint8)
    picture[500, 500] = picture[1500, 1400] = 0
    assert (normalise(picture) == 255).any()


@pytest.mark.parametrize("column", [0, 1, 400, 8_191, 12_345, 16_382])
def test_in_the_largest_picture_every_pixel_has_weight(column: int) -> None:
    picture = np.zeros((3, LARGEST_SIDE), np.uint8)
    picture[0, [0, -1]] = INK_FLOOR  # spans the box; what is looked for is as faint
    picture[2, column] = INK_FLOOR
    result = normalise(picture)
    rows = np.flatnonzero(result.any(axis=1))
    assert len(rows) == 1
    assert np.count_nonzero(result) >= 2


@pytest.mark.parametrize("shape", [(2, LARGEST_SIDE + 1), (LARGEST_SIDE + 1, 2)])
def test_a_larger_picture_is_refused(shape: tuple[int, int]) -> None:
    picture = np.zeros(shape, np.uint8)
    picture[0, 0] = 255
    with pytest.raises(ImageError, match="too large"):
        normalise(picture)


@pytest.mark.parametrize("shade", [0, 1, 127, 128, 254, 255])
def test_a_blank_picture_is_refused(shade: int) -> None:
    with pytest.raises(ImageError, match="no ink"):
        normalise(np.full((30, 20), shade, np.uint8))


@given(st.integers(0, 232), st.binary(min_size=100, max_size=100))
def test_grain_of_the_paper_is_no_ink(shade: int, grain: bytes) -> None:
    picture = shade + np.frombuffer(grain, np.uint8).reshape(10, 10) % 12
    with pytest.raises(ImageError, match="no ink"):
        normalise(picture.astype(np.uint8))


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((28, 28, 3), np.uint8),
        np.zeros(784, np.uint8),
        np.zeros((1, 28), np.uint8),
        np.zeros((0, 0), np.uint8),
        np.zeros((28, 28), np.float32),
        np.zeros((28, 28), np.int64),
    ],
)
def test_another_shape_or_type_is_refused(picture: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="must be uint8"):
        normalise(picture)


def test_the_input_is_left_as_it_is() -> None:
    picture = np.full((20, 20), 200, np.uint8)
    picture[5:9, 5:9] = 10
    before = picture.copy()
    normalise(picture)
    assert np.array_equal(picture, before)


def test_a_stack_is_normalised_picture_by_picture() -> None:
    stack = np.zeros((3, 12, 15), np.uint8)
    stack[0, 3:9, 4], stack[1, 2, 3:9], stack[2, 4:6, 4:9] = 255, 90, 200
    assert np.array_equal(normalise_all(stack), np.stack([normalise(picture) for picture in stack]))


def test_an_error_in_a_stack_names_the_row() -> None:
    stack = np.zeros((3, 12, 15), np.uint8)
    stack[0, 3, 3] = stack[1, 4, 4] = 255
    with pytest.raises(ImageError, match="row 2"):
        normalise_all(stack)


def test_mnist_comes_out_as_it_went_in(mnist: Picture) -> None:
    difference = np.abs(normalise_all(mnist).astype(np.int64) - mnist.astype(np.int64)).mean(axis=(1, 2))
    assert (difference == 0).mean() >= 0.70  # no pixel differs
    assert np.quantile(difference, 0.99) <= 0.5  # grey levels, a pixel: INK_FLOOR cuts a faint edge
    assert difference.mean() <= 0.2


def test_normalising_mnist_again_changes_nothing(mnist: Picture) -> None:
    once = normalise_all(mnist)
    assert np.array_equal(normalise_all(once), once)


@given(strokes(margin=1))
def test_normalising_ink_of_even_strength_again_changes_nothing(picture: Picture) -> None:
    """Where ink is uneven, faint ends may fall below the floor when scaled, and the box tightens around the rest."""
    even = np.where(picture == picture[0, 0], 0, 255).astype(np.uint8)
    once = normalise(even)
    assert np.array_equal(normalise(once), once)


def test_integers_in_plain_python_give_the_same_pixels(mnist: Picture) -> None:
    rng = np.random.default_rng(5)
    pictures = [mnist[0], 255 - mnist[1], np.kron(mnist[2], np.ones((3, 2), np.uint8))]
    for height, width in ((9, 31), (64, 17), (41, 40)):
        noisy = rng.integers(180, 200, (height, width))
        noisy[2:-2, width // 2] = rng.integers(0, 90, height - 4)
        pictures.append(noisy.astype(np.uint8))
    for picture in pictures:
        assert normalise(picture).tolist() == in_plain_python(picture.tolist())


@settings(max_examples=20)  # each takes plain Python a tenth of a second
@given(strokes())
def test_integers_in_plain_python_give_the_same_pixels_for_strokes(picture: Picture) -> None:
    assert normalise(picture).tolist() == in_plain_python(picture.tolist())


def in_plain_python(picture: list[list[int]]) -> list[list[int]]:
    """Normalisation written once more, from its rules, without NumPy and without floating point."""
    frame = sorted(picture[0] + picture[-1] + [row[0] for row in picture[1:-1]] + [row[-1] for row in picture[1:-1]])
    twice_paper = frame[len(frame) // 2 - 1] + frame[len(frame) // 2]
    darker = twice_paper - 2 * min(map(min, picture))
    lighter = 2 * max(map(max, picture)) - twice_paper
    negative = darker > lighter or (
        darker == lighter and (twice_paper > 255 or (twice_paper == 255 and picture[0][0] > 127))
    )
    if negative:
        picture = [[255 - value for value in row] for row in picture]
        frame = sorted(255 - value for value in frame)
        twice_paper = 510 - twice_paper
    paper = (twice_paper + 1) // 2
    uneven = frame[len(frame) * 9 // 10]
    if uneven - paper < 24:
        paper = max(paper, uneven)
    strength = max(map(max, picture)) - paper
    ink = [[(max(value - paper, 0) * 255 + strength // 2) // strength for value in row] for row in picture]
    box = tight_box(ink)
    height, width = len(box), len(box[0])
    longer = max(height, width)
    new_height = max(1, int(Fraction(height * 20, longer) + Fraction(1, 2)))
    new_width = max(1, int(Fraction(width * 20, longer) + Fraction(1, 2)))
    return centred(scaled(box, new_height, new_width))


def tight_box(ink: list[list[int]]) -> list[list[int]]:
    rows = [index for index, row in enumerate(ink) if max(row) >= 32]
    columns = [index for index in range(len(ink[0])) if max(row[index] for row in ink) >= 32]
    return [row[columns[0] : columns[-1] + 1] for row in ink[rows[0] : rows[-1] + 1]]


def scaled(box: list[list[int]], new_height: int, new_width: int) -> list[list[int]]:
    if (len(box), len(box[0])) == (new_height, new_width):
        return box
    down, across = triangle(len(box), new_height), triangle(len(box[0]), new_width)
    sums = [
        [
            sum(
                wy * wx * box[y][x] for y, wy in enumerate(down[row]) if wy for x, wx in enumerate(across[column]) if wx
            )
            for column in range(new_width)
        ]
        for row in range(new_height)
    ]
    darkest = max(map(max, sums))
    return [[int(Fraction(value * 255, darkest) + Fraction(1, 2)) for value in row] for row in sums]


def triangle(size: int, new_size: int) -> list[list[int]]:
    """Weights in 1 / 65,536 of each old pixel for each new one."""
    result = []
    reach = max(Fraction(size, new_size), Fraction(1))
    for row in range(new_size):
        centre = (row + Fraction(1, 2)) * Fraction(size, new_size)
        heights = [max(reach - abs(old + Fraction(1, 2) - centre), Fraction(0)) for old in range(size)]
        weights = [int(height * 65_536 / sum(heights)) for height in heights]
        weights[heights.index(max(heights))] += 65_536 - sum(weights)
        result.append(weights)
    return result


def centred(small: list[list[int]]) -> list[list[int]]:
    total = sum(map(sum, small))
    top = offset(Fraction(sum(sum(row) * (2 * y + 1) for y, row in enumerate(small)), 2 * total), len(small))
    columns = list(zip(*small, strict=True))
    left = offset(Fraction(sum(sum(c) * (2 * x + 1) for x, c in enumerate(columns)), 2 * total), len(columns))
    result = [[0] * 28 for _ in range(28)]
    for y, row in enumerate(small):
        result[top + y][left : left + len(row)] = row
    return result


def offset(centre: Fraction, size: int) -> int:
    """Brings `centre` to the middle of pixel 14, rounded half up."""
    wanted = Fraction(29, 2) - centre + Fraction(1, 2)
    return min(max(wanted.numerator // wanted.denominator, 0), 28 - size)
