"""Augmentation deforms, but never beyond what was asked."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from handfed.shared.tf.augment import Augmentation, augment

SEED = np.array([1, 2], np.int32)


def square(count: int = 64) -> NDArray[np.float32]:
    images = np.zeros((count, 28, 28), np.float32)
    images[:, 10:18, 10:18] = 1.0
    return images


def centres(images: NDArray[np.float32]) -> NDArray[np.float32]:
    grid = np.arange(28)
    mass = images.sum(axis=(1, 2))
    moments = np.stack([(images.sum(axis=2) * grid).sum(axis=1), (images.sum(axis=1) * grid).sum(axis=1)], axis=1)
    found: NDArray[np.float32] = (moments / mass[:, None]).astype(np.float32)
    return found


def test_no_deformation_changes_nothing() -> None:
    images = np.random.default_rng(0).random((4, 28, 28)).astype(np.float32)
    np.testing.assert_allclose(augment(images, SEED, Augmentation().times(0.0)), images, atol=1e-5)


def test_the_same_seed_gives_the_same_images_and_another_seed_others() -> None:
    first, again = (augment(square(), SEED, Augmentation()).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, augment(square(), np.array([1, 3], np.int32), Augmentation()).numpy())


def test_images_of_a_batch_are_deformed_differently() -> None:
    images = augment(square(8), SEED, Augmentation()).numpy()
    assert len({image.tobytes() for image in images}) == 8


def test_a_shift_moves_by_at_most_its_pixels() -> None:
    moved = centres(augment(square(), SEED, Augmentation(0, 0, 0, 3.0, 0)).numpy()) - 13.5
    assert 2.0 < np.abs(moved).max() <= 3.0 + 1e-3
    assert abs(moved.mean()) < 0.6


def test_a_scale_changes_the_area_by_at_most_its_square() -> None:
    area = augment(square(), SEED, Augmentation(0, 0.2, 0, 0, 0)).numpy().sum(axis=(1, 2)) / 64
    assert area.min() >= 1 / 1.2**2 - 0.05
    assert area.max() <= 1 / 0.8**2 + 0.05
    assert area.std() > 0.05


@pytest.mark.parametrize("augmentation", [Augmentation(rotation=30), Augmentation(elastic=3), Augmentation().times(3)])
def test_pixels_stay_between_paper_and_ink(augmentation: Augmentation) -> None:
    images = augment(square(), SEED, augmentation).numpy()
    assert images.min() >= 0
    assert images.max() <= 1 + 1e-6
