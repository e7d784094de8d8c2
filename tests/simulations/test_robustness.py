"""The set of deformations that models are measured on: fixed, and read as on a device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from handfed.shared import strips
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.images import normalise_all
from handfed.shared.litert import Int8Model
from handfed.shared.reading import read
from handfed.shared.samples import Samples
from handfed.shared.transcripts import Transcripts
from handfed.simulations.datasets.mnist5k import MNIST5K
from handfed.simulations.robustness import AS_WRITTEN, DEFORMATIONS, accuracies, deformed, text_accuracies, texts
from handfed.simulations.styles import Images

PINNED = {
    "rotation": "1bb887531e2f9b91d5e96b47507ddc8fcb23b33440fa31e596b1b5ab8716a8fc",
    "scale": "aee0c64fb067f2c09da804335f746903edad643b4fd93e39927be648403b7569",
    "shift": "e8721a27f6a4af14090f8b61dca7d81f12990ebf4e6322f4c24dccc6ca81fec0",
    "elastic": "144e4603ffaf18e8077507be4d5790dc88f5edaf6230174ade12252c69100479",
    "noise": "d984a15827b4ddba836935c5abcf9b66418102b705560e7450710e3f5fde5828",
    "salt-and-pepper": "bb08f53093fe95a181a37d5872153dcc342e70a564eece0a7595d5a8ff68ee1d",
    "paper": "28a5531ad5de179ed144143d9d290b9da8ca9ae4b7b4a48bd709380a674db3dd",
    "watermark": "f065926a6704ef629a875dd567c9a3559582e358af32c81d30136d8bb4516546",
    "thin-stroke": "fe1d6534c6ad53b265d8148c80f7bd66fb6f55a2c3468bc5d9ee4ab0b84e4058",
    "thick-stroke": "690af4c6d5247e0ec3554656ff3dc888c33dcf4ce47b72c01a82d94a887b4432",
    "dark-on-light": "baaca6591da9a60c3a252f23d720b4d039fedfe3526228f94c95aca4ca770437",
    "all-together": "23a0827934c84a28026ce970b1267f6b7a768c97daab631c37ad833067832b92",
}


@pytest.fixture(scope="module")
def first() -> Dataset:
    """The first five images of each digit."""
    return MNIST5K.load().take(np.flatnonzero(np.arange(5_000) % 500 < 5))


@pytest.mark.parametrize("name", DEFORMATIONS)
def test_the_set_never_changes(first: Dataset, name: str) -> None:
    """A figure of one release is compared with that of another: what changes here makes all of them void."""
    assert hashlib.sha256(deformed(first.images)[name].tobytes()).hexdigest() == PINNED[name]


def test_each_image_is_deformed_in_every_way(first: Dataset) -> None:
    found = deformed(first.images)
    assert tuple(found) == DEFORMATIONS
    for images in found.values():
        assert images.dtype == np.uint8
        assert images.shape == first.images.shape
        assert (images != first.images).any(axis=(1, 2)).mean() > 0.95  # a scale that is drawn may be 1


def test_an_image_is_deformed_the_same_however_many_follow(first: Dataset) -> None:
    few, many = deformed(first.images[:7]), deformed(first.images)
    assert all(np.array_equal(few[name], many[name][:7]) for name in DEFORMATIONS)


def test_another_seed_draws_anew_what_is_drawn(first: Dataset) -> None:
    one, other = deformed(first.images, 0), deformed(first.images, 1)
    fixed = {"thin-stroke", "thick-stroke", "dark-on-light"}
    assert {name for name in DEFORMATIONS if np.array_equal(one[name], other[name])} == fixed


def test_all_together_turns_some_strokes_thin_and_some_thick(first: Dataset) -> None:
    before = first.images.sum(axis=(1, 2), dtype=np.int64)
    after = (255 - deformed(first.images)["all-together"]).astype(np.int64)
    ink = np.where(after > 160, after, 0).sum(axis=(1, 2)) / before
    assert (ink > 1).any()
    assert (ink < 0.5).any()


def ink_of(images: Images) -> NDArray[np.int32]:
    """Stands for a model: how much ink an image holds."""
    ink: NDArray[np.int32] = images.sum(axis=(1, 2), dtype=np.int32)
    return ink


def test_by_default_a_picture_is_read_as_a_device_sees_it(first: Dataset) -> None:
    images = normalise_all(first.images)
    labels = ink_of(images)
    seen, raw = (accuracies(ink_of, images, labels, normalised=normalised) for normalised in (True, False))
    assert list(seen) == list(raw) == [AS_WRITTEN, *DEFORMATIONS]
    assert raw[AS_WRITTEN] == 1
    assert raw["dark-on-light"] == 0
    assert seen["dark-on-light"] == seen[AS_WRITTEN] > 0.9


def test_a_model_and_a_function_are_read_alike(digits: Dataset, trained_model_bytes: bytes) -> None:
    model, part = Int8Model(trained_model_bytes), digits.take(np.arange(4_000, 4_200))

    def read(images: Images) -> NDArray[np.int32]:
        best: NDArray[np.int32] = model.logits(images).argmax(axis=1).astype(np.int32)
        return best

    found = accuracies(model, part.images, part.labels)
    assert found == accuracies(read, part.images, part.labels)
    assert found[AS_WRITTEN] > 0.85
    assert found["all-together"] < found[AS_WRITTEN]


def test_a_picture_that_shows_no_ink_is_one_that_was_not_read() -> None:
    blank, labels = np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.int32)
    blank[0, 10:18, 12:16] = 255
    found = accuracies(lambda images: np.zeros(len(images), np.int32), blank, labels)
    assert found[AS_WRITTEN] == 0.5
    assert found["thin-stroke"] == 0.5


def test_without_images_there_is_nothing_to_measure() -> None:
    with pytest.raises(DatasetError, match="no image to deform; hold out some"):
        accuracies(ink_of, np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int32))


@pytest.fixture(scope="module")
def numbers(first: Dataset) -> Samples:
    """Three digits in a row, as words."""
    rows = [np.concatenate([first.images[start + each][:, 4:24] for each in range(3)], axis=1) for start in (0, 9, 20)]
    return Samples.of_texts([strips.normalise(np.pad(row, 2), 32) for row in rows], [[0, 0, 0]] * 3)


def test_texts_are_deformed_in_the_same_ways_and_differ_from_what_was_written(numbers: Samples) -> None:
    found = texts(numbers)
    assert tuple(found) == (AS_WRITTEN, *DEFORMATIONS)
    for name, pictures in found.items():
        assert [each.shape for each in pictures] == [each.shape for each in found[AS_WRITTEN]]
        if name != AS_WRITTEN:
            assert not any(np.array_equal(*pair) for pair in zip(pictures, found[AS_WRITTEN], strict=True))


def test_texts_that_were_turned_or_shifted_are_about_as_wide_once_they_are_normalised(numbers: Samples) -> None:
    widths = np.array([0] if numbers.widths is None else numbers.widths)
    for name in ("rotation", "shift", "dark-on-light"):
        again = np.array([strips.normalise(picture, 32).shape[1] for picture in texts(numbers)[name]])
        assert (np.abs(again - widths) <= 0.25 * widths).all()


def test_what_is_read_of_deformed_texts_is_counted_in_characters(
    numbers: Samples, int8_of: Callable[..., bytes]
) -> None:
    from handfed.shared.tf.runtime import tf

    weights = np.random.default_rng(0).normal(0, 0.3, (32, 8, 1, 3)).astype(np.float32)
    model = Int8Model(int8_of(lambda seen: tf.nn.conv2d(seen, weights, (1, 8), "VALID"), (32, 40, 1)))
    found = text_accuracies(model, numbers)
    assert tuple(found) == (AS_WRITTEN, *DEFORMATIONS)
    expected = Transcripts(numbers.written(), read(model, numbers)).cer
    assert found[AS_WRITTEN] == pytest.approx(max(1 - expected, 0), abs=0.35)  # with paper around, and normalised again
    with pytest.raises(DatasetError, match="hold out some"):
        text_accuracies(model, numbers.take(np.arange(0)))
