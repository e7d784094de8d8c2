"""Under `feature:STYLE` a device's images look alike, and unlike those of another device."""

from __future__ import annotations

import numpy as np
import pytest

from handfed.shared.datasets import Dataset
from handfed.simulations.partition import SCHEMES, split
from handfed.simulations.partition.device_styles import Style, styled, styles_of
from handfed.simulations.partition.features import KINDS, Kind

EXAMPLES = ("iid", "dirichlet:0.3", "shards:2", "quantity:0.5")


@pytest.fixture(scope="module")
def few(digits: Dataset) -> Dataset:
    return digits.take(np.arange(600))


@pytest.mark.parametrize("scheme", EXAMPLES)
def test_other_schemes_leave_images_as_they_are(few: Dataset, scheme: str) -> None:
    partition = split(few, scheme=scheme, devices=10, held_out=0.2, seed=0)
    assert styled(few, partition, scheme, 0) is few
    assert styles_of(scheme, 10, 0) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_images_change_on_every_device_held_out_or_not(few: Dataset, kind: Kind) -> None:
    scheme = f"feature:{kind}"
    partition = split(few, scheme=scheme, devices=5, held_out=0.2, seed=1)
    result = styled(few, partition, scheme, 1)
    changed = (result.images != few.images).any(axis=(1, 2))
    for device in range(5):
        for rows in (partition.training_rows(device), partition.held_out_rows(device)):
            assert changed[rows].mean() > 0.9
    assert np.array_equal(result.labels, few.labels)
    assert result.alphabet == few.alphabet
    assert result.images.dtype == np.uint8
    assert (result.images.max(axis=(1, 2)) > 200).all()  # normalised


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_images_and_another_gives_others(few: Dataset, kind: Kind) -> None:
    scheme = f"feature:{kind}"
    partition = split(few, scheme=scheme, devices=4, held_out=0.2, seed=1)
    one, same, other = (styled(few, partition, scheme, seed).images for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("devices", [1, 3, 50])
def test_styles_are_spread_over_the_whole_range(kind: Kind, devices: int) -> None:
    trait = {"pen": "stroke", "scanner": "blur", "paper": "lines"}[kind]
    low, high = {"pen": (-1.6, 2.0), "scanner": (0.0, 0.9), "paper": (0.0, 60.0)}[kind]
    found = sorted(getattr(style, trait) for style in styles_of(f"feature:{kind}", devices, 5))
    parts = [int((value - low) / (high - low) * devices) for value in found]
    assert parts == list(range(devices))


def test_devices_with_thick_pens_hold_more_ink(digits: Dataset) -> None:
    partition = split(digits, scheme="feature:pen", devices=10, held_out=0.2, seed=0)
    result = styled(digits, partition, "feature:pen", 0)
    ink = [float(result.images[partition.device == device].mean()) for device in range(10)]
    stroke = [style.stroke for style in styles_of("feature:pen", 10, 0)]
    assert np.corrcoef(ink, stroke)[0, 1] > 0.95
    assert max(ink) > 1.7 * min(ink)


def test_a_style_says_what_is_special_about_it() -> None:
    assert Style().in_words() == "as written"
    assert Style(stroke=-1.23).in_words() == "strokes 1.2 px thinner"
    assert Style(stroke=0.5).in_words() == "strokes 0.5 px wider"
    assert Style(shade=51, lines=25.5, spacing=8.2).in_words() == "paper 20% grey, lines of 10% every 8 px"
    assert Style(blur=0.5, contrast=0.75, noise=0.02).in_words() == "blur 0.5 px, contrast 75%, noise 2.0%"


def test_a_style_of_nothing_changes_nothing(few: Dataset) -> None:
    assert np.array_equal(Style().apply(few.images, np.random.default_rng(0)), few.images)


def test_the_table_of_schemes_names_no_style_that_is_not_there() -> None:
    assert "feature:STYLE" in SCHEMES
    assert all(styles_of(f"feature:{kind}", 2, 0) for kind in KINDS)
