"""A whole federation on this machine, in one page: handwriting in, a published release and a report out.

dataset ─ partition ─> one Handwriting a device
                             │
ServerApp <── engine ──> ClientApp        (the ones that a real federation uses)
    │
    ├─ Recorder ─> database               each round, as it ends
    └─ Publisher ─> release               INT8, checked and judged by the devices
                             │
the simulation alone may look: held-out images, read by float and INT8 ─> report
"""

from __future__ import annotations

import json
import resource
import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flwr.app import Context
from numpy.typing import NDArray

from handfed.clients.trainer.app import Handwriting
from handfed.clients.trainer.app import create_app as client_app
from handfed.server.flower.app import ALPHABET_KEY
from handfed.server.flower.app import create_app as server_app
from handfed.server.flower.course import Device, Listener
from handfed.server.releases.publish import Origin, Publication, Publisher
from handfed.server.releases.service import ReleaseRecord
from handfed.server.runs.recorder import Recorder
from handfed.server.runs.schemas import Rejection, RoundResult, RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared.datasets import Dataset
from handfed.shared.errors import HandfedError
from handfed.shared.litert import Int8Model
from handfed.shared.run_settings import RunSettings
from handfed.shared.tf.training import trainer
from handfed.simulations.engines import Engine, Progress
from handfed.simulations.partition import Partition

TASK = "characters"
LATENCY_SAMPLES = 300


@dataclass(frozen=True)
class Federation:
    """What is simulated.

    Attributes:
        dataset: The handwriting of all devices together.
        partition: Which device has which sample, and what is held out.
        scheme: How it was partitioned, as on the command line.
        settings: How to train.
    """

    dataset: Dataset
    partition: Partition
    scheme: str
    settings: RunSettings

    def handwriting_of(self, context: Context) -> Handwriting:
        """One device's handwriting, by its partition id."""
        device = int(context.node_config["partition-id"])
        training = self.dataset.take(self.partition.training_rows(device))
        held_out = self.dataset.take(self.partition.held_out_rows(device))
        return Handwriting(self.dataset.alphabet, training.images, training.labels, held_out.images, held_out.labels)


@dataclass(frozen=True)
class Readings:
    """What the simulation sees of the held-out images, all int32 (n,).

    Attributes:
        rows: Rows of the data set.
        labels: What was written.
        int8: What the published file reads.
        floating: What the float model reads.
        device: Whose image it is.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int32]
    int8: NDArray[np.int32]
    floating: NDArray[np.int32]
    device: NDArray[np.int32]


@dataclass(frozen=True)
class Outcome:
    """What a simulation gave.

    Attributes:
        run: Number of the run on record.
        publication: The release.
        rounds: What happened, round by round.
        readings: What float and INT8 read on the held-out images.
        latency_ms: Median of one inference on one core.
        wall_s: Seconds from start to release.
        peak_memory_bytes: The process's highest resident memory.
    """

    run: int
    publication: Publication
    rounds: tuple[RoundResult, ...]
    readings: Readings
    latency_ms: float
    wall_s: float
    peak_memory_bytes: int

    def summary(self) -> dict[str, object]:
        """The closing figures, as `--json` prints them and the record keeps them; rates are fractions."""
        verdict = self.publication.verdict
        return {
            "run": self.run,
            "release": self.publication.number,
            "model_path": str(self.publication.directory / "model.tflite"),
            "samples": verdict.samples,
            "accuracy_float": verdict.float_correct / verdict.samples,
            "accuracy_int8": verdict.int8_correct / verdict.samples,
            "accuracy_int8_calibrated_only": self.publication.calibrated.int8_correct / verdict.samples,
            "float_minus_int8": {
                **self.publication.difference.as_json(),
                "only_float": verdict.only_float,
                "only_int8": verdict.only_int8,
            },
            "size_bytes": len(self.publication.model),
            "latency_ms_median": self.latency_ms,
            "wall_s": round(self.wall_s, 2),
            "peak_memory_bytes": self.peak_memory_bytes,
            "weights_sha256": self.publication.weights_sha256,
        }


def simulate(
    federation: Federation,
    *,
    engine: Engine,
    engine_name: str,
    runs: RunRecord,
    releases: ReleaseRecord,
    directory: Path,
    listeners: Iterable[Listener],
    progress: Progress,
) -> Outcome:
    """Runs a federation to its release.

    Args:
        federation: What is simulated.
        engine: Carries the messages.
        engine_name: Its name, for the record.
        runs: The record of runs.
        releases: The record of releases.
        directory: The directory of all releases.
        listeners: Told of every round, after the record.
        progress: Told of every message.

    Raises:
        HandfedError: What ended the run; it is on record as failed, or stopped where a person stopped it.
    """
    started = time.monotonic()
    settings, dataset = federation.settings, federation.dataset
    run = runs.start(_start(federation, engine_name))
    rounds = _Rounds()
    try:
        publisher = Publisher(releases, directory, Origin(run, TASK, dataset.licence, federation.partition.split_by))
        engine(
            server_app(publisher, [Recorder(runs, run), rounds, *listeners]),
            client_app(federation.handwriting_of),
            devices=federation.partition.devices,
            run_config={**settings.to_mapping(), ALPHABET_KEY: json.dumps(dataset.alphabet.names)},
            progress=progress,
        )
        outcome = _outcome(federation, run, publisher.published(), tuple(rounds.kept), started)
        runs.finish(run, outcome.summary())
    except HandfedError as error:
        runs.fail(run, str(error))
        raise
    except KeyboardInterrupt:
        runs.stop(run)
        raise
    except Exception as error:
        runs.fail(run, type(error).__name__)
        raise
    return outcome


class _Rounds:
    """A listener that keeps the rounds for the report."""

    def __init__(self) -> None:
        self.kept: list[RoundResult] = []

    def described(self, devices: Mapping[int, Device], rejections: tuple[Rejection, ...]) -> None:
        pass

    def round_started(self, number: int, phase: str, asked: int) -> None:
        pass

    def round_ended(self, result: RoundResult) -> None:
        self.kept.append(result)


def _start(federation: Federation, engine_name: str) -> RunStart:
    settings = federation.settings
    kept: Mapping[str, object] = {
        **settings.to_mapping(),
        "data": federation.dataset.name,
        "partition": federation.scheme,
        "split_by": federation.partition.split_by,
    }
    return RunStart(
        TASK, settings.recogniser, settings.strategy, settings.seed, kept, federation.partition.devices, engine_name
    )


def _outcome(
    federation: Federation, run: int, publication: Publication, rounds: tuple[RoundResult, ...], started: float
) -> Outcome:
    readings, latency_ms = _read(federation, publication)
    return Outcome(
        run,
        publication,
        rounds,
        readings,
        latency_ms,
        time.monotonic() - started,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,  # Linux counts in KiB
    )


def _read(federation: Federation, publication: Publication) -> tuple[Readings, float]:
    dataset, settings = federation.dataset, federation.settings
    rows = np.flatnonzero(federation.partition.held_out)
    images = dataset.images[rows]
    model = Int8Model(publication.model)
    alpha = settings.alpha(dataset.alphabet.names)
    warm = trainer(
        settings.recogniser, len(dataset.alphabet), seed=settings.seed, alpha=tuple(alpha) if alpha else None
    )
    readings = Readings(
        rows,
        dataset.labels[rows],
        model.logits(images).argmax(axis=1).astype(np.int32),
        warm.logits(publication.floating, images, quantized=False).argmax(axis=1).astype(np.int32),
        federation.partition.device[rows],
    )
    return readings, _latency_ms(model, images)


def _latency_ms(model: Int8Model, images: NDArray[np.uint8]) -> float:
    """Median milliseconds of one inference of one image, after a first that is not counted."""
    model.logits(images[:1])
    times = []
    for row in range(min(LATENCY_SAMPLES, len(images))):
        started = time.perf_counter()
        model.logits(images[row : row + 1])
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)
