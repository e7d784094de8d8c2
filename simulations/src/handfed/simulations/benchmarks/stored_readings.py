"""What two trained INT8 models made of the same held-out digits, stored by device, and variants of it.

The champion is trained on half of the writers that are not held out; the candidate goes on from it with all of them, as
a release that follows another one does. A device holds digits of one writer or two, so that errors within it are alike.

A variant turns readings of the candidate over, drawn at random by a seed, until it is better than the champion by
exactly as many readings as asked for: a reading that was wrong becomes right, or the other way round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients import datasets
from handfed.shared.errors import DatasetError
from handfed.shared.local_training import LocalTraining
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.shared.schedules import cosine_with_warmup
from handfed.simulations.partition import split

PASSES: Final = 5
MORE_PASSES: Final = 2  # of the candidate, over twice as many writers
RATE: Final = 0.004
MEASURED: Final = 2_000  # images that give batch statistics and ranges
HELD_OUT: Final = 0.2  # of the writers


@dataclass(frozen=True)
class StoredReadings:
    """Which held-out samples each model reads right.

    Attributes:
        device: int (n,), who holds each sample, from 0.
        champion: bool (n,), whether the champion reads it right.
        candidate: Likewise of the candidate.
    """

    device: NDArray[np.int64]
    champion: NDArray[np.bool_]
    candidate: NDArray[np.bool_]

    @property
    def scores(self) -> NDArray[np.int64]:
        """Scores, int (n,): 1 where only the candidate is right, -1 where only the champion is, otherwise 0."""
        return self.candidate.astype(np.int64) - self.champion

    @property
    def counts(self) -> NDArray[np.int64]:
        """What each device counts, int (devices, 3): samples, only the candidate right, only the champion right."""
        columns = (np.ones_like(self.scores), self.scores > 0, self.scores < 0)
        return np.stack([np.bincount(self.device, weights=each) for each in columns], axis=1).astype(np.int64)

    def better_by(self, difference: float, *, seed: int, spread: float = 1.0) -> StoredReadings:
        """These readings with the candidate's turned over at random, until it is better by so much.

        Args:
            difference: Candidate's accuracy less the champion's, -1 to 1; rounded to whole readings, downwards.
            seed: Decides which.
            spread: Fraction of the devices on which readings may be turned over, above 0; they are drawn.
        """
        random = np.random.default_rng(seed)
        devices = int(self.device.max()) + 1
        drawn = random.permutation(devices) < spread * devices
        missing = math.floor(difference * len(self.device)) - int(self.scores.sum())
        among = np.flatnonzero((self.candidate != (missing > 0)) & drawn[self.device])
        turned = random.choice(among, abs(missing), replace=False)
        candidate = self.candidate.copy()
        candidate[turned] = missing > 0
        return replace(self, candidate=candidate)


def stored_readings(data: Path, *, devices: int, family: str = "cnn") -> StoredReadings:
    """Trains both and has them read what is held out.

    Args:
        data: Handwriting with its writers.
        devices: Among how many the held-out samples are dealt, writer by writer.
        family: Of the recognisers.

    Raises:
        DatasetError: The file is not what it should be, or does not name writers.
    """
    from handfed.shared.tf.runtime import configure

    configure(1)
    dataset = datasets.read(str(data))
    if dataset.writers is None:
        raise DatasetError(f"{data}: its writers are unknown, and devices are made of them; choose another file")
    held_out = split(dataset, scheme="writer", devices=None, held_out=HELD_OUT, seed=0).held_out
    rows = np.flatnonzero(held_out)
    strangers = dataset.samples.take(rows[np.argsort(dataset.writers[rows], kind="stable")])
    training = np.flatnonzero(~held_out)
    first = dataset.samples.take(training[dataset.writers[training] % 2 == 0])
    champion, arrays = trained(family, first, passes=PASSES, start=None)
    candidate, _ = trained(family, dataset.samples.take(training), passes=MORE_PASSES, start=arrays)
    right = [_right(content, strangers) for content in (champion, candidate)]
    return StoredReadings(np.arange(len(rows)) * devices // len(rows), *right)


def trained(
    family: str, training: Samples, *, passes: int, start: dict[str, Any] | None
) -> tuple[bytes, dict[str, Any]]:
    """Trains for a moment, in one place.

    Args:
        family: Of recognisers.
        training: Samples of ten classes.
        passes: Over all of them.
        start: Arrays to go on from; None to begin anew.

    Returns:
        The INT8 file, and the float arrays to go on from.
    """
    from handfed.shared.tf.export import to_int8
    from handfed.shared.tf.training import Trainer

    trainer = Trainer(family, 10, seed=0)
    peak = RATE if start is None else RATE / 4
    measured = training.take(np.arange(0, len(training), len(training) // MEASURED))
    arrays = trainer.initial() if start is None else dict(start)
    arrays |= trainer.measure_statistics(arrays, measured)
    for number in range(1, passes + 1):
        rate = cosine_with_warmup(number, passes, peak=peak, warmup=1)
        arrays, _ = trainer.train(arrays, training, _settings(rate), quantized=False, seed=(passes, number))
    quantized = arrays | trainer.calibrate(arrays, measured)
    quantized, _ = trainer.train(quantized, training, _settings(RATE / 10), quantized=True, seed=(passes, 0))
    return to_int8(trainer.quantized_model(quantized)), arrays


def _settings(rate: float) -> LocalTraining:
    run = RunSettings(local_epochs=1, batch_size=32, optimiser="nadam", focal_gamma=0.0, label_prior=0.0)
    return LocalTraining.of(run, learning_rate=rate, freeze_statistics=True)


def _right(content: bytes, samples: Samples) -> NDArray[np.bool_]:
    from handfed.shared.litert import Int8Model

    return np.asarray(Int8Model(content).logits(samples.pictures).argmax(axis=1) == samples.labels)
