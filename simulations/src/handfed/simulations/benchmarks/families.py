"""Recognisers of characters side by side, each trained in one place by the same passes: float, INT8, size and time.

`bilstm` is shown as it is put together: LSTMs onwards alone, both ways, weighted by attention, and rows and columns
summed by a gate.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from handfed.clients import datasets
from handfed.shared.datasets import Dataset
from handfed.shared.litert import Int8Model
from handfed.shared.local_training import LocalTraining
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.shared.schedules import cosine_with_warmup
from handfed.simulations.benchmarks.writers_of_mnist import DATA, there
from handfed.simulations.partition import split

SEEDS: Final = (0, 1, 2)
PASSES: Final = 6
QAT_PASSES: Final = 1
RATE: Final = 0.003
AUGMENTATION: Final = 0.5  # what is deformed less is learnt in fewer passes
MEASURED: Final = 2_000  # images that give ranges
TIMED: Final = 300  # images, one at a time
ROWS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "lenet": ("lenet", {}),
    "cnn": ("cnn", {}),
    "resnet": ("resnet", {}),
    "mobilenet": ("mobilenet", {}),
    "LSTM over rows, onwards": ("bilstm", {"readings": ("rows",), "ways": 1, "attention": False}),
    "both ways": ("bilstm", {"readings": ("rows",), "attention": False}),
    "both ways, attention": ("bilstm", {"readings": ("rows",)}),
    "rows and columns, gated (bilstm)": ("bilstm", {}),
}


@dataclass(frozen=True)
class Trained:
    """What one training came to.

    Attributes:
        parameters: Numbers of the model.
        floating: Fraction of the strangers' digits that the float model reads right, from 0 to 1.
        int8: The same of the published file.
        size_bytes: Of that file.
        milliseconds: Median of reading one picture with it.
        seconds: Of training.
    """

    parameters: int
    floating: float
    int8: float
    size_bytes: int
    milliseconds: float
    seconds: float


def run(_directory: Path, console: Console) -> None:
    """Trains every row on nine in ten of the writers of MNIST, others by seed, and reads the rest's digits."""
    if not there(console):
        return
    from handfed.shared.tf.runtime import configure

    configure(1)
    dataset = datasets.read(str(DATA))
    table = Table("recogniser", "parameters", "float", "INT8", "INT8 file", "one digit", "training")
    for name, (family, shape) in ROWS.items():
        found = []
        for seed in SEEDS:
            found.append(trained(family, shape, dataset, seed))
            console.print(f"{name}, seed {seed}: {found[-1]}")  # what is measured so far
        table.add_row(name, *_cells(found))
    console.print(table)
    console.print(f"{PASSES} passes and {QAT_PASSES} quantization-aware over the digits of nine in ten writers,")
    console.print(
        f"nadam at {RATE}, augmentation {AUGMENTATION}; one core; mean and standard deviation of seeds {SEEDS}."
    )


def trained(family: str, shape: dict[str, Any], dataset: Dataset, seed: int) -> Trained:
    """Trains one row, in one place.

    Args:
        family: Of `handfed.shared.tf.recognisers`.
        shape: What its builder is given beside the usual.
        dataset: With writers.
        seed: Which writers are held out, the initial weights, shuffling and augmentation.
    """
    from handfed.shared.tf.export import to_int8
    from handfed.shared.tf.recognisers import BUILDERS
    from handfed.shared.tf.training import Trainer

    held_out = split(dataset, scheme="writer", devices=None, held_out=0.1, seed=seed).held_out
    training, strangers = (dataset.samples.take(np.flatnonzero(rows)) for rows in (~held_out, held_out))
    usual = BUILDERS[family]
    BUILDERS[family] = partial(usual, **shape)  # forms of a family that nobody publishes
    try:
        trainer = Trainer(family, 10, seed=seed)
        started = time.monotonic()
        arrays = trainer.initial()
        for number in range(1, PASSES + 1):
            rate = cosine_with_warmup(number, PASSES, peak=RATE, warmup=1)
            arrays, _ = trainer.train(arrays, training, _settings(rate), quantized=False, seed=(2 * seed, number))
        floating = trainer.evaluate(arrays, strangers, quantized=False).accuracy
        arrays = trainer.centred(arrays)
        measured = training.take(np.arange(0, len(training), len(training) // MEASURED))
        arrays |= trainer.calibrate(arrays, measured)
        for number in range(QAT_PASSES):
            order = (2 * seed + 1, number)
            arrays, _ = trainer.train(arrays, training, _settings(RATE / 10), quantized=True, seed=order)
        seconds = time.monotonic() - started
        model = Int8Model(to_int8(trainer.quantized_model(arrays)))
    finally:
        BUILDERS[family] = usual
    read = float((model.logits(strangers.images).argmax(axis=1) == strangers.labels).mean())
    parameters = sum(array.size for array in trainer.initial().values())
    return Trained(parameters, floating, read, model.size_bytes, _milliseconds(model, strangers), seconds)


def _cells(found: Sequence[Trained]) -> list[str]:
    def spread(values: list[float]) -> str:
        return f"{statistics.mean(values):.2%} ± {statistics.stdev(values) * 100:.2f}"

    return [
        f"{found[0].parameters:,}",
        spread([each.floating for each in found]),
        spread([each.int8 for each in found]),
        f"{found[0].size_bytes / 1000:.0f} KB",
        f"{min(each.milliseconds for each in found):.2f} ms",
        f"{statistics.mean(each.seconds for each in found):.0f} s",
    ]


def _settings(rate: float) -> LocalTraining:
    run = RunSettings(
        local_epochs=1,
        batch_size=32,
        optimiser="nadam",
        augmentation=AUGMENTATION,
        focal_gamma=0.0,
        label_prior=0.0,
    )
    return LocalTraining.of(run, learning_rate=rate, freeze_statistics=False)


def _milliseconds(model: Int8Model, samples: Samples) -> float:
    """Median of reading one picture."""
    times = []
    for row in range(TIMED):
        started = time.perf_counter()
        model.logits(samples.images[row : row + 1])
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)
