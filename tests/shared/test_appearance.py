"""Ink, stroke width and slant say what they are called."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from handfed.shared.appearance import appearance
from handfed.shared.datasets import Dataset
from handfed.shared.samples import Samples
from handfed.simulations import styles

LABELS = np.zeros(100, np.int32)


def seen(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What is seen of images on average: ink, stroke width, slant."""
    found = appearance(Samples(images, np.zeros(len(images), np.int32)))
    assert found.shape == (len(images), 3)
    return np.asarray(found.mean(axis=0))


@pytest.fixture(scope="module")
def images(digits: Dataset) -> NDArray[np.uint8]:
    return digits.images[:200]


def bar(width: int) -> NDArray[np.uint8]:
    """An upright bar through the whole picture."""
    picture = np.zeros((1, 28, 28), np.uint8)
    picture[:, :, 10 : 10 + width] = 255
    return picture


def test_a_bar_is_as_wide_as_it_is_and_upright() -> None:
    for width in (2, 3, 5):
        ink, found, slant = seen(bar(width))
        assert ink == pytest.approx(width / 28)
        assert found == pytest.approx(width, rel=0.2)
        assert abs(slant) < 0.05


@pytest.mark.parametrize("shear", [-0.4, 0.2, 0.4])
def test_a_slanted_bar_has_its_slant(shear: float) -> None:
    assert seen(styles.affine(bar(4), shear=shear))[2] == pytest.approx(shear, abs=0.08)


def test_a_wider_pen_is_wider_and_has_more_ink(images: NDArray[np.uint8]) -> None:
    before, after = seen(images), seen(styles.stroke_width(images, 1.0))
    assert after[0] > before[0] * 1.2
    assert after[1] > before[1] * 1.1


def test_slanted_handwriting_is_slanted_more_and_has_as_much_ink(images: NDArray[np.uint8]) -> None:
    before, after = seen(images), seen(styles.affine(images, shear=0.2))
    assert after[2] - before[2] == pytest.approx(0.2, abs=0.08)
    assert after[0] == pytest.approx(before[0], rel=0.05)


def test_paper_alone_is_nothing() -> None:
    assert seen(np.zeros((3, 28, 28), np.uint8)).tolist() == [0, 0, 0]


def test_of_texts_the_paper_to_their_right_does_not_count(images: NDArray[np.uint8]) -> None:
    strips = [np.concatenate(list(images[:count]), axis=1) for count in (1, 2, 5)]
    found = appearance(Samples.of_texts(strips, [[0]] * 3))
    alone = [appearance(Samples.of_texts([strip], [[0]]))[0] for strip in strips]
    assert found == pytest.approx(np.array(alone))
