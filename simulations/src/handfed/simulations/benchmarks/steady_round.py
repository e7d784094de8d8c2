"""A federated round against a central epoch: the same images, model, loss, batches and step, in turns in one process.

The central epoch is Keras' own `fit` over a `tf.data` pipeline, with the same loss, clipping, momentum and dropout. It
fixes the moments of batch normalisation too, as a federated round does: neither side computes what the other does not.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from handfed.shared.run_settings import RunSettings
from handfed.simulations.benchmarks.rounds import BATCH, federation, train
from handfed.simulations.running import silence, start_tensorflow

if TYPE_CHECKING:  # importing them starts TensorFlow
    from handfed.server.flower.queries import Device
    from handfed.server.flower.state import RunState
    from handfed.server.runs.schemas import Rejection, RoundResult
    from handfed.shared.datasets import Dataset

WARM: Final = 2  # rounds that compile, and are not counted
STEADY: Final = 7  # rounds that are
CHUNKS: Final = (1, 8)  # batches that Keras computes at once: its default, and what a person may tune it to


@dataclass(frozen=True)
class Costs:
    """CPU time, of user and system together, for the same images; medians.

    Attributes:
        round_s: Seconds of a federated round, from the end of what came before to its own.
        epochs_s: Seconds of a central epoch, by how many batches Keras computes at once.
        ratios: What a round took, divided by the epoch that came after it; likewise.
    """

    round_s: float
    epochs_s: dict[int, float]
    ratios: dict[int, float]


def side_by_side(augmentation: float) -> Costs:
    """Trains both in turns in this process, on one thread; call it in a fresh one.

    Args:
        augmentation: Strength of the deformations, in both; 0 for none.
    """
    silence()
    from handfed.shared.tf.runtime import keras

    rounds = WARM + STEADY
    settings = RunSettings(
        rounds=rounds + 1,  # the last one evaluates, and does not count
        qat_rounds=0,
        local_epochs=1,
        batch_size=BATCH,
        augmentation=augmentation,
        evaluate_every=rounds + 1,
    )
    whole = federation(settings)
    start_tensorflow(1)
    central = whole.dataset.take(np.flatnonzero(whole.partition.training))
    keras.utils.set_random_seed(settings.seed)
    turns = _Turns({chunk: _epoch(central, settings, chunk) for chunk in CHUNKS})
    train(whole, [turns])
    return turns.costs()


class _Turns:
    """A listener that runs central epochs after each round, and takes the CPU time of all.

    Args:
        epochs: One epoch of Keras each, by how many batches it computes at once.
    """

    def __init__(self, epochs: Mapping[int, Callable[[], object]]) -> None:
        self._epochs = epochs
        self._since = 0.0
        self._rounds: list[float] = []
        self._central: dict[int, list[float]] = {chunk: [] for chunk in epochs}

    def described(self, _devices: Mapping[int, Device], _rejections: tuple[Rejection, ...]) -> None:
        """The first round begins."""
        self._since = time.process_time()

    def round_started(self, *_: object) -> None:
        """It began earlier: choosing the devices belongs to it."""

    def round_ended(self, _result: RoundResult, _state: RunState) -> None:
        """Now it is the central epochs' turn."""
        self._rounds.append(self._taken())
        for chunk, epoch in self._epochs.items():
            epoch()
            self._central[chunk].append(self._taken())

    def costs(self) -> Costs:
        """Medians over the steady rounds."""
        counted = slice(WARM, WARM + STEADY)
        rounds = self._rounds[counted]
        central = {chunk: seconds[counted] for chunk, seconds in self._central.items()}
        return Costs(
            statistics.median(rounds),
            {chunk: statistics.median(seconds) for chunk, seconds in central.items()},
            {
                chunk: statistics.median(ours / theirs for ours, theirs in zip(rounds, seconds, strict=True))
                for chunk, seconds in central.items()
            },
        )

    def _taken(self) -> float:
        """CPU seconds since it was asked last."""
        since, self._since = self._since, time.process_time()
        return self._since - since


def _epoch(dataset: Dataset, settings: RunSettings, chunk: int) -> Callable[[], object]:
    """One epoch of Keras over all images, compiled at the first call."""
    from handfed.shared.tf import recognisers
    from handfed.shared.tf.losses import focal_loss
    from handfed.shared.tf.runtime import keras

    def loss(labels: Any, logits: Any) -> Any:  # noqa: ANN401 - tensors
        return focal_loss(labels[:, 0], logits, gamma=settings.focal_gamma)

    model = recognisers.build(settings.recogniser, len(dataset.alphabet))
    last = model.layers[-1]
    model = keras.Model(model.input, last(keras.layers.Dropout(settings.dropout)(last.input)))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    optimizer = keras.optimizers.SGD(settings.learning_rate, settings.momentum, global_clipnorm=settings.clip_norm)
    model.compile(optimizer, loss, steps_per_execution=chunk)
    pipeline = _pipeline(dataset, settings)
    return lambda: model.fit(pipeline, epochs=1, verbose=0)


def _pipeline(dataset: Dataset, settings: RunSettings) -> Any:  # noqa: ANN401 - a tf.data.Dataset
    """Shuffled batches: float32 (batch, 28, 28, 1) and int32 (batch, 1)."""
    from handfed.shared.tf.augment import Augmentation, augment
    from handfed.shared.tf.runtime import tf

    images = dataset.images.astype(np.float32) / np.float32(255)
    augmentation = Augmentation().times(settings.augmentation)

    def augmented(index: Any, batch: tuple[Any, Any]) -> tuple[Any, Any]:  # noqa: ANN401
        pixels, labels = batch
        seed = tf.stack([tf.cast(index, tf.int32), settings.seed])
        return augment(pixels, seed, augmentation)[..., None], labels

    batches = tf.data.Dataset.from_tensor_slices((images, dataset.labels[:, None]))
    batches = batches.shuffle(len(dataset), seed=settings.seed).batch(settings.batch_size)
    if augmentation:
        return batches.enumerate().map(augmented).prefetch(1)
    return batches.map(lambda pixels, labels: (pixels[..., None], labels)).prefetch(1)
