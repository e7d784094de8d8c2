"""How a simulation grows: memory by idle device, and time by message."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from handfed.shared.errors import HandfedError
from handfed.shared.run_settings import RunSettings
from handfed.simulations.benchmarks.figures import Figure, figures_table
from handfed.simulations.benchmarks.processes import apart, peak_memory_bytes
from handfed.simulations.datasets.mnist5k import MNIST5K
from handfed.simulations.running import silence, start_tensorflow
from handfed.simulations.scenario import Scenario

if TYPE_CHECKING:  # importing them imports Flower
    from flwr.app import Context
    from flwr.clientapp import ClientApp
    from flwr.serverapp import Grid

    from handfed.shared.datasets import Dataset
    from handfed.simulations.federation import Federation

DEVICES: Final = (100, 1_000, 10_000)
TRAINING: Final = 10  # devices in a round
EACH: Final = 3  # images of a device, the last of them held out
FIRST: Final = 500  # images that the first device holds out beside: the largest batch is as large in every run
ROUNDS: Final = 4
MESSAGES: Final = 200  # at once
TURNS: Final = 5  # of which the first is not counted

SLOPE_AIM: Final = 4.0  # KB a device
MESSAGE_AIM: Final = 5.0  # ms a message


@dataclass(frozen=True)
class Peaks:
    """The most memory that a run held, in bytes.

    Attributes:
        rounds: Until the last round was on record.
        whole: Until its release was published and read with.
    """

    rounds: int
    whole: int


def run(directory: Path, console: Console) -> None:
    """Memory of whole runs with more and more devices, then messages to devices that do nothing."""
    peaks = {devices: apart(peaks_of, devices, directory / f"scale-{devices}") for devices in DEVICES}
    table = Table(
        "devices",
        "MB, last round on record",
        "MB, release published",
        caption=f"Most memory until then. {TRAINING} devices train in each of {ROUNDS} rounds; all evaluate the last.",
    )
    for devices, peak in peaks.items():
        table.add_row(f"{devices:,}", f"{peak.rounds / 1e6:,.1f}", f"{peak.whole / 1e6:,.1f}")
    console.print(table)
    console.print(figures_table(_figures(peaks), caption="A message carries the arrays of a recogniser, both ways."))


def _figures(peaks: Mapping[int, Peaks]) -> list[Figure]:
    least, most = peaks[min(peaks)], peaks[max(peaks)]
    more = (max(peaks) - min(peaks)) * 1000
    return [
        Figure("KB an idle device, in the rounds", (most.rounds - least.rounds) / more, SLOPE_AIM, "less"),
        Figure("KB an idle device, whole run", (most.whole - least.whole) / more, SLOPE_AIM, "less"),
        *(
            Figure(f"ms a message, engine {engine}", apart(ms_a_message, engine), MESSAGE_AIM, "less")
            for engine in ("in-process", "pool")
        ),
    ]


class _Watch:
    """A listener that looks at memory when a round is on record."""

    def __init__(self) -> None:
        self.peak = 0

    def described(self, *_: object) -> None:
        """Nothing to see yet."""

    def round_started(self, *_: object) -> None:
        """Nothing to see yet."""

    def round_ended(self, *_: object) -> None:
        """It is told after the record."""
        self.peak = peak_memory_bytes()


def peaks_of(devices: int, directory: Path) -> Peaks:
    """Runs a federation of so many devices; call it in a fresh process."""
    silence()
    from handfed.server.database import open_database
    from handfed.server.releases.service import ReleaseRecord
    from handfed.server.runs.service import RunRecord
    from handfed.shared.data_directory import database_url
    from handfed.simulations.engines import Workers
    from handfed.simulations.federation import Place, simulate

    start_tensorflow(1)
    watch = _Watch()
    with open_database(database_url(directory, None)) as database:
        simulate(
            _federation(devices),
            Place(RunRecord(database), ReleaseRecord(database), directory),
            engine="in-process",
            workers=Workers(),
            listeners=[watch],
            progress=lambda *_: None,
        )
    return Peaks(watch.peak, peak_memory_bytes())


def _federation(devices: int) -> Federation:
    """Devices with a few images each, and more images that nobody has: the handwriting is as large in every run."""
    from handfed.simulations.federation import Federation
    from handfed.simulations.partition import Partition

    dataset = _handwriting(max(DEVICES) * EACH + FIRST)
    place = np.arange(len(dataset)) - FIRST
    device = np.maximum(place // EACH, 0).astype(np.int32)
    held_out = ((place < 0) | (place % EACH == EACH - 1)) & (device < devices)
    settings = RunSettings(
        rounds=ROUNDS,
        qat_rounds=1,
        participation=TRAINING / devices,
        local_epochs=1,
        evaluate_every=ROUNDS,
        float_margin=1.0,
    )
    partition = Partition(
        np.where(device < devices, device, -1).astype(np.int32), held_out, np.zeros_like(held_out), devices, "image"
    )
    return Federation(dataset, partition, Scenario(devices=devices, run=settings))


def _handwriting(images: int) -> Dataset:
    """So many digits; those of mnist5k, again and again."""
    dataset = MNIST5K.load()
    return dataset.take(np.resize(np.arange(len(dataset)), images))


def ms_a_message(engine: str) -> float:
    """Milliseconds of a message to a device that answers at once, and of its answer; call it in a fresh process.

    Raises:
        HandfedError: A device did not answer.
    """
    silence()
    from flwr.app import RecordDict
    from flwr.serverapp import ServerApp

    from handfed.server.flower.exchange import record, send
    from handfed.shared import wire
    from handfed.shared.tf.training import trainer
    from handfed.simulations.engines import ENGINES, Workers

    start_tensorflow(1)
    cnn = trainer("cnn", 10)
    content = RecordDict({wire.ARRAYS: record(cnn.initial(), cnn.schema(quantized=False))})
    app, times = ServerApp(), []

    @app.main()
    def main(grid: Grid, _context: Context) -> None:
        for _ in range(TURNS):
            started = time.perf_counter()
            replies = list(send(grid, "query", content, range(1, MESSAGES + 1), deadline_s=60.0))
            times.append(time.perf_counter() - started)
            if len(replies) < MESSAGES or any(reply.has_error() for reply in replies):
                raise HandfedError("a device that does nothing failed at it")

    ENGINES[engine](app, echo, devices=MESSAGES, run_config={}, progress=lambda *_: None, workers=Workers())
    return 1000 * statistics.median(times[1:]) / MESSAGES


def echo() -> ClientApp:
    """What a device runs that sends back what it was sent."""
    from flwr.app import Message
    from flwr.clientapp import ClientApp

    app = ClientApp()

    @app.query()
    def answer(message: Message, _context: Context) -> Message:
        return Message(message.content, reply_to=message)

    return app
