"""Ink and paper: how often, how much, and what never happens to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from handfed.shared.datasets import Dataset
from handfed.shared.tf.degrade import backgrounds, noise, polarity, salt_and_pepper, stroke_width

SEED = np.array([1, 2], np.int32)
Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def written(digits: Dataset) -> Floats:
    return digits.images[:1000].astype(np.float32) / np.float32(255)


def of_grey(shade: float, count: int = 600) -> Floats:
    return np.full((count, 28, 28), shade, np.float32)


@pytest.mark.parametrize("effect", [stroke_width, backgrounds, polarity])
def test_images_are_changed_with_the_probability_that_was_asked_for(
    effect: Callable[..., Any], written: Floats
) -> None:
    for probability in (0.1, 0.7, 1.0):
        after = effect(written, SEED, probability).numpy()
        changed = (after != written).any(axis=(1, 2))  # the others keep every bit
        assert changed.mean() == pytest.approx(probability, abs=0.045)  # three standard errors at 0.7
        assert changed.all() or probability < 1


def test_half_of_the_strokes_become_thicker_and_half_thinner_and_none_both(written: Floats) -> None:
    after = stroke_width(written, SEED, 1.0).numpy()
    thicker, thinner = (after > written).any(axis=(1, 2)), (after < written).any(axis=(1, 2))
    assert not (thicker & thinner).any()
    assert thicker.mean() == pytest.approx(0.5, abs=0.05)
    ink = after.sum(axis=(1, 2)) / written.sum(axis=(1, 2))
    assert ink[thicker].min() > 1.05
    assert np.median(ink[thinner]) < 0.95
    assert len(np.unique(ink.round(6))) > 950  # each by its own amount


def test_a_thicker_stroke_grows_by_a_pixel_and_no_further() -> None:
    line = np.zeros((64, 28, 28), np.float32)
    line[:, :, 14] = 1.0
    after = stroke_width(line, SEED, 1.0).numpy()
    beside = after[:, 10, 13]
    grown = beside > 0
    assert 20 < grown.sum() < 44
    assert 0.25 <= beside[grown].min() < beside[grown].max() <= 0.75
    assert not after[:, :, :13].any()
    assert not after[:, :, 16:].any()


def test_a_thinner_stroke_is_still_dark(written: Floats) -> None:
    after = stroke_width(written, SEED, 1.0).numpy()
    darkness = [float(np.median(image[before > 0.6])) for image, before in zip(after, written, strict=True)]
    assert min(darkness) > 0.4
    hair = np.zeros((16, 28, 28), np.float32)
    hair[:, 4:24, 14] = 1.0  # its erosion is blank
    assert stroke_width(hair, SEED, 1.0).numpy()[:, 10, 14].min() > 0.99


def test_a_blank_image_has_no_stroke() -> None:
    assert not stroke_width(of_grey(0.0), SEED, 1.0).numpy().any()


def test_noise_is_gaussian_and_as_strong_as_was_drawn_for_an_image() -> None:
    added = noise(of_grey(0.5), SEED, 0.1).numpy() - 0.5
    deviations = added.std(axis=(1, 2))
    assert deviations.max() <= 0.1 * 1.1
    np.testing.assert_allclose(np.quantile(deviations, [0.1, 0.5, 0.9]), [0.01, 0.05, 0.09], atol=0.012)
    scaled = added / deviations[:, None, None]
    assert abs(scaled.mean()) < 0.01
    assert (np.abs(scaled) > 1.96).mean() == pytest.approx(0.05, abs=0.005)


def test_noise_differs_from_pixel_to_pixel_and_image_to_image() -> None:
    added = (noise(of_grey(0.5, 50), SEED, 0.1).numpy() - 0.5).reshape(50, -1)
    across = np.corrcoef(added)[~np.eye(50, dtype=bool)]
    assert np.abs(across).max() < 0.2


def test_salt_and_pepper_touches_at_most_its_fraction_of_the_pixels() -> None:
    after = salt_and_pepper(of_grey(0.5), SEED, 0.2).numpy()
    assert set(np.unique(after)) == {0.0, 0.5, 1.0}
    fractions = (after != 0.5).mean(axis=(1, 2))
    assert fractions.max() < 0.25
    np.testing.assert_allclose(np.quantile(fractions, [0.1, 0.5, 0.9]), [0.02, 0.1, 0.18], atol=0.025)
    assert (after == 1).sum() == pytest.approx((after == 0).sum(), rel=0.05)


def test_backgrounds_are_paper_lines_and_watermarks_a_third_each() -> None:
    under = backgrounds(of_grey(0.0), SEED, 1.0).numpy()
    lines = (under == 0).mean(axis=(1, 2)) > 0.4  # bare paper between them
    # A wave is a sum of two products of a function of y and one of x; with its mean, that is rank 3. Paper has more.
    rank = np.linalg.matrix_rank(under, tol=1e-3)
    bands = (rank <= 3) & ~lines
    for kind in (lines, bands, ~lines & ~bands):
        assert kind.mean() == pytest.approx(1 / 3, abs=0.06)
    assert (rank[~lines & ~bands] > 4).all()


def test_a_background_is_seen_and_never_dark() -> None:
    darkest = backgrounds(of_grey(0.0), SEED, 1.0).numpy().max(axis=(1, 2))
    assert darkest.min() > 0.05
    assert 0.4 < darkest.max() <= 0.45


def test_ink_stays_darker_than_its_background(written: Floats) -> None:
    after = backgrounds(written, SEED, 1.0).numpy()
    assert (after >= written).all()
    np.testing.assert_array_equal(after[written == 1], 1.0)
    ink, paper = np.where(written > 0.6, after, 1).min(axis=(1, 2)), np.where(written == 0, after, 0).max(axis=(1, 2))
    assert (ink - paper).min() > 0.1


def test_the_negative_of_an_image_is_exact(written: Floats) -> None:
    np.testing.assert_array_equal(polarity(written, SEED, 1.0), 1 - written)


@pytest.mark.parametrize("effect", [stroke_width, backgrounds, polarity, noise, salt_and_pepper])
def test_a_batch_of_none_or_one_is_a_batch(effect: Callable[..., Any], written: Floats) -> None:
    assert effect(written[:0], SEED, 0.5).shape == (0, 28, 28)
    assert effect(written[:1], SEED, 0.5).shape == (1, 28, 28)
