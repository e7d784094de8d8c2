"""The settings of augmentation reach training, and nothing else changes by them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from handfed.shared.datasets import Dataset
from handfed.shared.local_training import LocalTraining
from handfed.shared.run_settings import RunSettings
from handfed.shared.tf.training import Trainer

PLAIN = LocalTraining.of(
    RunSettings(local_epochs=1, augmentation=0.0, dropout=0.0), learning_rate=0.02, freeze_statistics=True
)
EVERYTHING = replace(
    PLAIN, augmentation=1.0, stroke_width=0.5, noise=0.2, salt_and_pepper=0.05, backgrounds=0.5, polarity=0.2
)
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer("cnn", 10, seed=0)


def train(trainer: Trainer, data: Dataset, settings: LocalTraining) -> Arrays:
    arrays, loss = trainer.train(trainer.initial(), data.samples, settings, quantized=False, seed=(0, 1))
    assert np.isfinite(loss)
    return arrays


@pytest.fixture(scope="module")
def plain(trainer: Trainer, digits: Dataset) -> Arrays:
    return train(trainer, digits.take(np.arange(32)), PLAIN)


@pytest.mark.parametrize("effect", ["stroke_width", "noise", "salt_and_pepper", "backgrounds", "polarity"])
def test_each_effect_changes_what_is_learned(effect: str, trainer: Trainer, digits: Dataset, plain: Arrays) -> None:
    changed = train(trainer, digits.take(np.arange(32)), replace(PLAIN, **{effect: 0.5}))  # type: ignore[arg-type]
    assert not np.array_equal(changed["conv1/kernel"], plain["conv1/kernel"])
    assert all(np.isfinite(array).all() for array in changed.values())


def test_the_same_seed_gives_the_same_arrays_and_the_function_is_traced_once(trainer: Trainer, digits: Dataset) -> None:
    first = train(trainer, digits.take(np.arange(32)), EVERYTHING)
    train(trainer, digits.take(np.arange(21)), replace(EVERYTHING, epochs=2, learning_rate=0.01))
    again = train(trainer, digits.take(np.arange(32)), EVERYTHING)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    function: Any = trainer._float.training(EVERYTHING)
    assert function.experimental_get_tracing_count() == 1
