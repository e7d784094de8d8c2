"""Devices that train alone: the lower reference of a federation, on the same held-out handwriting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared import schedules
from handfed.shared.errors import SettingError
from handfed.shared.local_training import LocalTraining
from handfed.simulations.baselines import passes
from handfed.simulations.engines import Progress, Workers
from handfed.simulations.engines.pool import processes
from handfed.simulations.federation import Federation

STEPS: Final = 10  # of the learning rate
MOST_DEVICES: Final = 50  # that train; an even pick of them stands for all


@dataclass(frozen=True)
class Alone:
    """How devices read that trained alone.

    Attributes:
        devices: int64 (n,), which devices.
        examples: int64 (n,), training images of each.
        accuracy: float64 (n,), of everybody's held-out images, as a fraction.
        passes: Passes of each over its images.
    """

    devices: NDArray[np.int64]
    examples: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    passes: int

    def summary(self) -> dict[str, float | int]:
        """Figures over the devices, as `--json` prints them."""
        low, middle, high = np.quantile(self.accuracy, (0.1, 0.5, 0.9))
        return {
            "devices": len(self.devices),
            "passes": self.passes,
            "accuracy_mean": float(self.accuracy.mean()),
            "accuracy_p10": float(low),
            "accuracy_median": float(middle),
            "accuracy_p90": float(high),
            "accuracy_best": float(self.accuracy.max()),
        }


def alone(federation: Federation, workers: Workers, progress: Progress) -> Alone:
    """Has devices train alone, as many passes as in the federation, and evaluates each on all held-out images.

    Args:
        federation: What is simulated; of more than `MOST_DEVICES` that have images to train on, an even pick.
        workers: Processes and threads to compute with.
        progress: Told of each device that is done.

    Raises:
        SettingError: No device has images to train on.
    """
    training = federation.partition.training
    counts = np.bincount(federation.partition.device[training], minlength=federation.partition.devices)
    holding = np.flatnonzero(counts)
    if not len(holding):
        raise SettingError("no device has images to train on")
    chosen = holding[np.linspace(0, len(holding) - 1, min(MOST_DEVICES, len(holding))).round().astype(int)]
    count = max(1, round(passes(federation.settings, federation.settings.rounds)))
    found = []
    with processes(workers, _begin, (federation, count)) as pool:
        for done, accuracy in enumerate(pool.map(_accuracy_of, chosen.tolist()), start=1):
            progress("training alone", done, len(chosen))
            found.append(accuracy)
    return Alone(chosen, counts[chosen], np.array(found), count)


_work: tuple[Federation, int] | None = None  # of a worker process


def _begin(federation: Federation, count: int) -> None:
    global _work  # noqa: PLW0603 - what a pool's initializer leaves for its tasks
    _work = federation, count


def _accuracy_of(device: int) -> float:
    if _work is None:
        raise RuntimeError("the worker was not made ready")
    return accuracy_alone(*_work, device)


def accuracy_alone(federation: Federation, count: int, device: int) -> float:
    """How one device reads everybody's held-out images after `count` passes over its own, as a fraction."""
    settings, dataset, partition = federation.settings, federation.dataset, federation.partition
    mine = dataset.take(partition.training_rows(device))
    warm = federation.trainer()
    # Nothing is held out of a device's own training, so it cannot come to a plateau.
    schedule = "cosine" if settings.schedule == "plateau" else settings.schedule
    scheduled = replace(settings, schedule=schedule, warmup_rounds=0)
    frozen = settings.batch_statistics == "fixed"
    arrays = warm.initial()
    if frozen:
        arrays |= warm.measure_statistics(arrays, mine.samples)
    for step in range(STEPS):
        rate = schedules.rate(scheduled, step + 1, STEPS)
        epochs = count * (step + 1) // STEPS - count * step // STEPS
        training = replace(
            LocalTraining.of(settings, learning_rate=rate, freeze_statistics=frozen), epochs=epochs, steps=0
        )
        if epochs:
            arrays, _ = warm.train(arrays, mine.samples, training, quantized=False, seed=(device, step))
    held_out = dataset.take(np.flatnonzero(partition.held_out))
    return warm.evaluate(arrays, held_out.samples, quantized=False).accuracy
