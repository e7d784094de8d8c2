"""What each change of looks does to images, and what none of them does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.datasets import Dataset
from handfed.shared.images import normalise_all
from handfed.simulations import styles
from handfed.simulations.styles import Images

Change = Callable[[Images, np.random.Generator], Images]
CHANGES: dict[str, Change] = {
    "thinner": lambda images, _: styles.stroke_width(images, -1.7),
    "wider": lambda images, _: styles.stroke_width(images, 2.0),
    "blurred": lambda images, _: styles.blurred(images, 0.9),
    "faded": lambda images, _: styles.faded(images, 0.4),
    "noisy": lambda images, rng: styles.noisy(images, 0.05, rng),
    "salt and pepper": lambda images, rng: styles.salt_and_pepper(images, 0.02, rng),
    "on paper": lambda images, rng: styles.on_paper(images, 60, 10, rng),
    "ruled": lambda images, rng: styles.ruled(images, 40, 7, rng),
    "watermarked": lambda images, rng: styles.watermarked(images, 60, rng),
    "negative": lambda images, _: styles.negative(images),
    "turned": lambda images, _: styles.affine(images, degrees=15),
    "slanted": lambda images, _: styles.affine(images, shear=0.3),
    "waved": lambda images, rng: styles.waved(images, 3, rng),
}


def dot(row: int = 10, column: int = 20, count: int = 1) -> Images:
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, row, column] = 255
    return images


def place(images: Images) -> tuple[int, int]:
    row, column = np.unravel_index(int(images[0].argmax()), images.shape[1:])
    return int(row), int(column)


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_generator_gives_the_same_images_however_many_follow(digits: Dataset, name: str) -> None:
    images = digits.images[:700]  # more than are sampled at once
    before = images.copy()
    whole, again = (CHANGES[name](images, np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(whole, again)
    assert np.array_equal(images, before)
    assert np.array_equal(CHANGES[name](images[:5], np.random.default_rng(1)), whole[:5])
    assert whole.dtype == np.uint8
    assert whole.shape == images.shape
    assert not np.array_equal(whole, images)


@pytest.mark.parametrize("name", CHANGES)
def test_no_change_wipes_ink_out(digits: Dataset, name: str) -> None:
    normalise_all(CHANGES[name](digits.images[:700], np.random.default_rng(2)))


@pytest.mark.parametrize("name", CHANGES)
def test_no_images_are_no_error(name: str) -> None:
    assert CHANGES[name](np.zeros((0, 28, 28), np.uint8), np.random.default_rng(0)).shape == (0, 28, 28)


@given(st.floats(-1.7, 2), st.floats(-1.7, 2))
def test_a_wider_pen_leaves_more_ink(one: float, other: float) -> None:
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[0, 5:22, 12:15] = 200
    thin, thick = (int(styles.stroke_width(bar, pixels).sum()) for pixels in sorted((one, other)))
    assert thin <= thick


def test_a_pen_two_pixels_wider_adds_one_on_each_side() -> None:
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[0, 5:22, 12:15] = 255
    assert np.count_nonzero(styles.stroke_width(bar, 2)[0, 13]) == 5
    assert styles.stroke_width(bar, 1)[0, 13, 10:17].tolist() == [0, 128, 255, 255, 255, 128, 0]
    assert np.array_equal(styles.stroke_width(bar, 0), bar)


def test_noise_is_as_strong_as_asked() -> None:
    grey = np.full((50, 28, 28), 128, np.uint8)
    change = styles.noisy(grey, 0.05, np.random.default_rng(0)).astype(float) - 128
    assert abs(change.mean()) < 0.2
    assert change.std() == pytest.approx(0.05 * 255, rel=0.02)


def test_salt_and_pepper_are_as_many_as_asked() -> None:
    grey = np.full((100, 28, 28), 128, np.uint8)
    result = styles.salt_and_pepper(grey, 0.02, np.random.default_rng(0))
    assert (result == 0).mean() == pytest.approx(0.01, rel=0.1)
    assert (result == 255).mean() == pytest.approx(0.01, rel=0.1)


def test_paper_is_as_dark_and_as_grainy_as_asked_and_ink_covers_it() -> None:
    blank = np.zeros((200, 28, 28), np.uint8)
    blank[:, 14, 14] = 255
    result = styles.on_paper(blank, 60, 8, np.random.default_rng(0))
    assert (result[:, 14, 14] == 255).all()
    paper = result[:, :10, 4:24].astype(float)
    assert paper.mean() == pytest.approx(60, abs=1)
    assert paper.std() == pytest.approx(8, rel=0.15)


def test_lines_are_as_far_apart_as_asked() -> None:
    result = styles.ruled(np.zeros((5, 28, 28), np.uint8), 40, 7, np.random.default_rng(0))
    for image in result:
        assert np.diff(np.flatnonzero(image.any(axis=1))).tolist() == [7, 7, 7]
        assert set(np.unique(image).tolist()) == {0, 40}


def test_a_watermark_is_faint_and_leaves_ink(digits: Dataset) -> None:
    result = styles.watermarked(digits.images[:50], 60, np.random.default_rng(0))
    assert (result >= digits.images[:50]).all()
    assert set(np.unique(result[result != digits.images[:50]]).tolist()) == {60}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (10, 20)),
        ({"down": 2.0, "right": -3.0}, (12, 17)),
        ({"degrees": 90.0}, (20, 17)),  # from the upper right to the lower right
        ({"degrees": 180.0}, (17, 7)),
        ({"scale": 2.0}, (7, 26)),
        ({"shear": 2.0}, (10, 27)),
    ],
)
def test_a_dot_goes_where_it_should(changes: dict[str, float], expected: tuple[int, int]) -> None:
    spread = styles.blurred(dot(), 1.0)  # so that halves of a pixel are no matter
    found = place(styles.affine(spread, **changes))
    assert max(abs(one - other) for one, other in zip(found, expected, strict=True)) <= 1


def test_a_figure_for_each_image_is_for_that_image() -> None:
    result = styles.affine(dot(count=3), down=np.array([0.0, 2.0, -4.0]))
    assert [place(image[None]) for image in result] == [(10, 20), (12, 20), (6, 20)]


def test_what_comes_from_outside_is_paper() -> None:
    full = np.full((1, 28, 28), 255, np.uint8)
    result = styles.affine(full, down=3.0)
    assert (result[0, :3] == 0).all()
    assert (result[0, 3:] == 255).all()


@given(st.integers(-64, 64), st.integers(-64, 64))
def test_half_way_between_pixels_ink_is_shared_exactly(down: int, right: int) -> None:
    result = styles.affine(dot(14, 14), down=down / 64, right=right / 64)
    assert abs(int(result.sum()) - 255) <= 2  # four pixels, each rounded


def test_no_wave_displaces_further_than_asked(digits: Dataset) -> None:
    image = digits.images[:1]
    assert np.array_equal(styles.waved(image, 0, np.random.default_rng(0)), image)
    for seed in range(20):
        row, column = place(styles.waved(styles.blurred(dot(14, 14), 0.7), 3, np.random.default_rng(seed)))
        assert max(abs(row - 14), abs(column - 14)) <= 5  # a displacement is that of the point it comes from


def test_the_negative_of_the_negative_is_the_image(digits: Dataset) -> None:
    assert np.array_equal(styles.negative(styles.negative(digits.images[:9])), digits.images[:9])


def test_normalisation_undoes_polarity_shade_and_contrast(digits: Dataset) -> None:
    images = digits.images[:20]
    assert np.array_equal(normalise_all(styles.negative(images)), normalise_all(images))
    pale = normalise_all(styles.faded(images, 0.5)).astype(int)
    assert np.abs(pale - normalise_all(images)).max() <= 4
