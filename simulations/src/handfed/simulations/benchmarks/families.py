"""Recognisers of characters side by side, each trained in one place by the same passes: float, INT8, size and time.

`bilstm` is shown as it is put together: LSTMs onwards alone, both ways, weighted by attention, and rows and columns
summed by a gate.
"""

from __future__ import annotations

import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from handfed.clients import datasets
from handfed.shared.litert import Int8Model
from handfed.shared.local_training import LocalTraining
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.shared.schedules import cosine_with_warmup
from handfed.simulations.benchmarks.writers_of_mnist import DATA, there
from handfed.simulations.partition import split

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


def run(_directory: Path, console: Console) -> None:
    """Trains every row on nine in ten of the writers of MNIST, and reads the others' digits."""
    if not there(console):
        return
    from handfed.shared.tf.runtime import configure

    configure(1)
    dataset = datasets.read(str(DATA))
    held_out = split(dataset, scheme="writer", devices=None, held_out=0.1, seed=0).held_out
    training, strangers = (dataset.samples.take(np.flatnonzero(rows)) for rows in (~held_out, held_out))
    table = Table("recogniser", "parameters", "float", "INT8", "INT8 file", "one digit", "training")
    for name, (family, shape) in ROWS.items():
        figures = _row(family, shape, training, strangers)
        table.add_row(name, *figures)
        console.print(f"{name}: {', '.join(figures)}")  # what is measured so far
    console.print(table)
    console.print(
        f"{PASSES} passes and {QAT_PASSES} quantization-aware over {len(training):,} digits of other writers,"
    )
    console.print(
        f"nadam at {RATE}, augmentation {AUGMENTATION}; {len(strangers):,} digits of strangers; one core; seed 0."
    )


def _row(family: str, shape: dict[str, Any], training: Samples, strangers: Samples) -> list[str]:
    from handfed.shared.tf.export import to_int8
    from handfed.shared.tf.recognisers import BUILDERS
    from handfed.shared.tf.training import Trainer

    usual = BUILDERS[family]
    BUILDERS[family] = partial(usual, **shape)  # forms of a family that nobody publishes
    try:
        trainer = Trainer(family, 10, seed=0)
        started = time.monotonic()
        arrays = trainer.initial()
        for number in range(1, PASSES + 1):
            rate = cosine_with_warmup(number, PASSES, peak=RATE, warmup=1)
            arrays, _ = trainer.train(arrays, training, _settings(rate), quantized=False, seed=(0, number))
        floating = trainer.evaluate(arrays, strangers, quantized=False).accuracy
        measured = training.take(np.arange(0, len(training), len(training) // MEASURED))
        arrays |= trainer.calibrate(arrays, measured)
        for number in range(QAT_PASSES):
            arrays, _ = trainer.train(arrays, training, _settings(RATE / 10), quantized=True, seed=(1, number))
        seconds = time.monotonic() - started
        model = Int8Model(to_int8(trainer.quantized_model(arrays)))
    finally:
        BUILDERS[family] = usual
    read = float((model.logits(strangers.images).argmax(axis=1) == strangers.labels).mean())
    parameters = sum(array.size for array in trainer.initial().values())
    return [
        f"{parameters:,}",
        f"{floating:.2%}",
        f"{read:.2%}",
        f"{model.size_bytes / 1000:.0f} KB",
        f"{_milliseconds(model, strangers):.2f} ms",
        f"{seconds:.0f} s",
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
