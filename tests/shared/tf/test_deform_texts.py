"""Words and lines are deformed whole: no letter is lost at an end, however long the text becomes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.shared.local_training import LocalTraining
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import WIDTH_STEP, Samples
from handfed.shared.tf import compiled
from handfed.shared.tf.augment import Augmentation, augment_pictures
from handfed.shared.tf.deform import deform
from handfed.shared.tf.objectives import Transcription
from handfed.shared.tf.runtime import tf
from handfed.shared.tf.training import Trainer

HEIGHT = 32
APART = 16  # columns from one bar to the next
NONE = dict.fromkeys(Augmentation().deformations(), 0.0)
HARDEST = {**Transcription.augmentation.times(1.5).deformations(), "elastic": 0.0}  # elastic ones may part a bar

bars = st.lists(st.integers(1, 40), min_size=1, max_size=8)  # of each text of a batch
numbers = st.integers(0, 2**31 - 1)


def texts(counts: list[int]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Texts of so many upright bars each, with the margins of normalised words, beside paper."""
    widths = np.array([4 + APART * (count - 1) + 3 + 4 for count in counts], np.int32)
    batch = np.zeros((len(counts), HEIGHT, widths.max(), 1), np.float32)
    for row, count in enumerate(counts):
        for bar in range(count):
            batch[row, 8:24, 4 + APART * bar : 7 + APART * bar] = 1.0
    return batch, widths


def inked(image: NDArray[np.float32]) -> NDArray[np.int64]:
    """Columns with ink in the middle rows, which a shear hardly moves."""
    return np.flatnonzero(image[14:18, :, 0].max(axis=0) > 0.3)


def pieces(columns: NDArray[np.int64]) -> int:
    return 1 + int((np.diff(columns) > 1).sum()) if len(columns) else 0


def seeded(number: int) -> NDArray[np.int32]:
    return np.array([number, 1], np.int32)


@settings(max_examples=40)
@given(bars, numbers)
def test_no_letter_of_a_text_is_lost_at_an_end(counts: list[int], number: int) -> None:
    batch, widths = texts(counts)
    deformed, longer = (found.numpy() for found in deform(batch, seeded(number), widths, **HARDEST))
    assert [pieces(inked(image)) for image in deformed] == counts
    assert all(inked(image).max() < width for image, width in zip(deformed, longer, strict=True))


@settings(max_examples=40)
@given(bars, numbers)
def test_a_text_that_is_drawn_out_finds_room_and_one_that_is_pressed_keeps_its_steps(
    counts: list[int], number: int
) -> None:
    batch, widths = texts(counts)
    deformed, longer = deform(batch, seeded(number), widths, **{**NONE, "scale": 0.2})
    assert (longer.numpy() >= widths).all()
    assert (longer.numpy() <= np.ceil(widths / 0.8)).all()
    assert deformed.shape[2] % WIDTH_STEP == 0
    assert 0 <= deformed.shape[2] - longer.numpy().max() < WIDTH_STEP


@settings(max_examples=20)
@given(bars, numbers)
def test_a_text_is_deformed_alike_whatever_stands_beside_it(counts: list[int], number: int) -> None:
    alone, widths = texts(counts)
    wider = np.pad(alone, [(0, 0), (0, 0), (0, 100), (0, 0)])
    np.testing.assert_array_equal(
        deform(alone, seeded(number), widths, **HARDEST)[0], deform(wider, seeded(number), widths, **HARDEST)[0]
    )


def test_no_end_of_a_long_line_leaves_the_picture() -> None:
    width = 1600
    line = np.zeros((64, HEIGHT, width, 1), np.float32)
    line[:, 15:17] = 1.0
    widths = np.full(64, width, np.int32)
    turned = deform(line, seeded(3), widths, **{**NONE, "rotation": 5.0})[0].numpy()[:, :, [8, -9], 0]
    middles = np.einsum("nhe,h->ne", turned, np.arange(HEIGHT)) / turned.sum(axis=1)
    lifts = middles - 15.5
    assert 1.5 < np.abs(lifts).max() <= 2.1
    np.testing.assert_allclose(lifts[:, 0], -lifts[:, 1], atol=0.1)


def test_training_counts_the_steps_of_texts_as_they_became(monkeypatch: pytest.MonkeyPatch) -> None:
    given_before, made, used = [], [], []
    augment, loss = augment_pictures, Transcription.loss

    def spied_augment(batch: Any, seed: Any, augmentation: Augmentation, widths: Any) -> Any:
        given_before.append(widths)
        found = augment(batch, seed, augmentation, widths)
        made.append(found[1])
        return found

    def spied_loss(self: Transcription, labels: Any, outputs: Any, widths: Any, **others: Any) -> Any:
        used.append(widths)
        return loss(self, labels, outputs, widths, **others)

    monkeypatch.setattr(compiled, "augment_pictures", spied_augment)
    monkeypatch.setattr(Transcription, "loss", spied_loss)
    batch, _ = texts([2, 3])
    samples = Samples.of_texts(list((255 * batch[..., 0]).astype(np.uint8)), [[0, 0], [0, 0, 0]])
    training = LocalTraining.of(RunSettings(), learning_rate=0.01, freeze_statistics=True)
    trainer = Trainer("crnn", 1, seed=0, height=HEIGHT)
    trainer.train(
        trainer.initial(),
        samples,
        training,
        quantized=False,
        seed=(0, 0),
    )
    assert [widths.dtype for widths in given_before] == [tf.int32]
    assert used[0] is made[0]
    assert used[0] is not given_before[0]
