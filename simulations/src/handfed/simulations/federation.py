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

import hashlib
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

import numpy as np
from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from handfed.clients.trainer.app import Handwriting
from handfed.clients.trainer.app import create_app as client_app
from handfed.server.flower.app import create_app as server_app
from handfed.server.flower.course import Listener
from handfed.server.flower.earlier import check, on_record
from handfed.server.flower.state import Model, RunState
from handfed.server.releases.publish import Origin, Publication, Publisher
from handfed.server.releases.service import ReleaseRecord
from handfed.server.runs.recorder import Recorder
from handfed.server.runs.schemas import RecordedRun, RoundResult, RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared import data_directory, inputs, tasks
from handfed.shared.alphabet import Alphabet
from handfed.shared.continual.memory import Seen
from handfed.shared.datasets import Dataset
from handfed.shared.errors import HandfedError, SettingError
from handfed.shared.files import held, write_atomically
from handfed.shared.litert import Int8Model
from handfed.shared.lookalikes import accuracies
from handfed.shared.reading import confidences, read, text_logits
from handfed.shared.run_settings import RunSettings, Value
from handfed.shared.samples import Samples
from handfed.shared.subject import Subject
from handfed.shared.tasks import Task
from handfed.shared.tf.training import Trainer, trainer
from handfed.shared.transcripts import Transcripts
from handfed.simulations.decoders import Decoders, decoders
from handfed.simulations.engines import ENGINES, Progress, Workers
from handfed.simulations.faults import liars
from handfed.simulations.memory import watched
from handfed.simulations.misbehaviour import flipped, misbehaving
from handfed.simulations.partition import Partition
from handfed.simulations.readings import Readings
from handfed.simulations.scenario import SCENARIO, Scenario

LATENCY_SAMPLES = 300


@dataclass(frozen=True)
class Federation:
    """What is simulated.

    Attributes:
        dataset: The handwriting of all devices together.
        partition: Which device has which sample, and what is held out.
        scenario: Everything else.
        seen: What of the data set its devices have trained on before, for a run that goes on from an earlier one.
        asked: What a person asked for, where this is a part of that; it is what a run is resumed by.
    """

    dataset: Dataset
    partition: Partition
    scenario: Scenario
    seen: Seen | None = None
    asked: Scenario | None = None

    @property
    def settings(self) -> RunSettings:
        """How the devices train."""
        return self.scenario.run

    @cached_property
    def task(self) -> Task:
        """What is recognised."""
        return tasks.find(self.scenario.task)

    @property
    def subject(self) -> Subject:
        """What a run is of."""
        return Subject(self.dataset.alphabet, self.task.kind, self.task.height, inputs.parse(self.settings.inputs))

    def trainer(self) -> Trainer:
        """This process's trainer of the recogniser."""
        alpha = self.settings.alpha(self.dataset.alphabet.names)
        return trainer(
            self.settings.recogniser,
            len(self.dataset.alphabet),
            seed=self.settings.seed,
            alpha=tuple(alpha) if alpha else None,
            height=self.task.height,
            channels=self.dataset.samples.channels,
            pruning=self.settings.pruning,
        )

    def handwriting_of(self, context: Context, _subject: Subject) -> Handwriting:
        """One device's handwriting, by its partition id; of the run's subject, since it has no other."""
        device = int(context.node_config["partition-id"])
        rows, without = self.partition.training_rows(device), self.partition.unlabelled_rows(device)
        training = self.dataset.take(rows)
        held_out = self.dataset.take(self.partition.held_out_rows(device))
        samples, alphabet = training.samples, self.dataset.alphabet
        if liars(self.scenario.faults, self.partition.devices, self.settings.seed).get(device) == "label_flipped":
            samples = replace(samples, labels=flipped(samples.labels, len(alphabet)))
        seen = None if self.seen is None else self.seen.take(rows)
        unlabelled = self.dataset.take(without).samples if len(without) else None
        return Handwriting(alphabet, samples, held_out.samples, held_out.writers, seen, unlabelled)

    def client_app(self) -> ClientApp:
        """What every device runs; an engine may call this in another process."""
        faults = self.scenario.faults
        return client_app(self.handwriting_of, [misbehaving(faults, self.settings.seed)] if faults else [])

    def carry(self, app: ServerApp, engine: str, workers: Workers, progress: Progress) -> None:
        """Has an engine run a `ServerApp` against the devices; raises whatever ended the run."""
        ENGINES[engine](
            app,
            self.client_app,
            devices=self.partition.devices,
            run_config={**self.settings.to_mapping(), **self.subject.to_config()},
            progress=progress,
            workers=workers,
        )

    def fingerprint(self) -> str:
        """SHA-256 of the handwriting, so that a run goes on with the data it began with."""
        digest = hashlib.sha256(self.dataset.images.tobytes())
        digest.update(self.dataset.labels.tobytes())
        for further in (self.dataset.samples.widths, self.dataset.writers):
            if further is not None:
                digest.update(further.tobytes())
        if self.seen is not None:
            digest.update(self.seen.base.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Place:
    """Where a simulation leaves what it makes.

    Attributes:
        runs: The record of runs.
        releases: The record of releases.
        directory: The data directory, for releases and scenarios.
    """

    runs: RunRecord
    releases: ReleaseRecord
    directory: Path

    def of_run(self, run: int) -> Path:
        """The directory of a run."""
        return data_directory.runs_in(self.directory) / f"{run:04d}"

    def write(self, federation: Federation, run: int) -> None:
        """Writes the scenario of a run to its directory."""
        self.of_run(run).mkdir(parents=True, exist_ok=True)
        scenario = federation.asked or federation.scenario
        write_atomically(self.of_run(run) / SCENARIO, scenario.to_toml().encode())


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
        peak_memory_bytes: The most memory of all its processes together.
        alphabet: The classes of the readings.
        of_texts: Whether they are of words or lines.
        decoders: How decoders read the held-out words or lines; None of characters.
    """

    run: int
    publication: Publication
    rounds: tuple[RoundResult, ...]
    readings: Readings
    latency_ms: float
    wall_s: float
    peak_memory_bytes: int
    alphabet: Alphabet
    of_texts: bool
    decoders: Decoders | None = None

    def summary(self) -> dict[str, object]:
        """The closing figures, as `--json` prints them and the record keeps them; rates are fractions."""
        return {
            "run": self.run,
            "model_path": str(self.publication.directory / "model.tflite"),
            **self.publication.summary(),
            **self.error_rates(),
            **self.tolerant(),
            **({} if self.decoders is None else self.decoders.as_json()),
            **({} if self.readings.writer is None else {"writers": self.readings.by(self.readings.writer).as_json()}),
            "expected_calibration_error": self.readings.reliability.expected_calibration_error(),
            "latency_ms_median": self.latency_ms,
            "wall_s": round(self.wall_s, 2),
            "peak_memory_bytes": self.peak_memory_bytes,
        }

    def error_rates(self) -> dict[str, float]:
        """Error rates of words or lines, by name; empty of characters."""
        if not self.of_texts:
            return {}
        int8, floating = self.readings.int8, self.readings.floating
        return {
            "cer_float": floating.cer,
            "cer_int8": int8.cer,
            "wer_float": floating.wer(self.alphabet),
            "wer_int8": int8.wer(self.alphabet),
        }

    def tolerant(self) -> dict[str, float]:
        """Accuracy where classes that may stand for one another are one, by name (`handfed.shared.lookalikes`)."""
        both = {"float": self.readings.floating, "int8": self.readings.int8}
        return {
            f"accuracy_{model}_{way}": rate
            for model, found in both.items()
            for way, rate in accuracies(found, self.alphabet).items()
        }


class Begun(Protocol):
    """Is told that a run begins, or goes on."""

    def __call__(self, run: RecordedRun, *, resumed: bool) -> None:
        """`run` has its number; `resumed` says whether it goes on where it broke off."""


def simulate(
    federation: Federation,
    place: Place,
    *,
    engine: str,
    workers: Workers,
    listeners: Iterable[Listener],
    progress: Progress,
    resume: int | None = None,
    begun: Begun = lambda _run, *, resumed: None,  # noqa: ARG005 - named in the call
    report: Callable[[Outcome], None] = lambda _outcome: None,
) -> Outcome:
    """Runs a federation to its release.

    Args:
        federation: What is simulated.
        place: Where its record and its release go.
        engine: Name of what carries the messages; one of `ENGINES`.
        workers: What it computes with.
        listeners: Told of every round, after the record.
        progress: Told of every message.
        resume: Number of a run that broke off, to go on with; it must have begun with this federation.
        begun: Told of the run once it is on record, before its first round.
        report: Tells people of the outcome; a run that is on record as done has told.

    Raises:
        SettingError: The run to resume began with other data, another process is at it, or the run to start from or to
            learn from does not fit.
        HandfedError: What ended the run; it is on record as failed, or stopped where a person stopped it.
    """
    started = time.monotonic()

    if resume is None:
        check(on_record(place.runs), federation.settings, Model.of(federation.settings, federation.subject))
    run = place.runs.start(start_of(federation, engine), partial(place.write, federation)) if resume is None else resume
    with held(place.of_run(run) / "lock", what=f"run {run}"), watched() as memory:
        state = None if resume is None else _taken_up(federation, place, run)
        with breaks_noted(place.runs, run):
            begun(place.runs.get(run), resumed=resume is not None)
            publisher = _publisher(federation, place, run)
            app = server_app(publisher, [Recorder(place.runs, run), *listeners], state, on_record(place.runs))
            federation.carry(app, engine, workers, progress)
            memory.look()
            outcome = _outcome(
                federation, run, publisher.published(), place.runs.results(run), started, memory.peak_bytes
            )
            report(outcome)
            place.runs.finish(run, outcome.summary())
    return outcome


@contextmanager
def breaks_noted(runs: RunRecord, run: int) -> Iterator[None]:
    """Puts on record what ends a run within it: failed, or stopped where a person stopped it."""
    try:
        yield
    except HandfedError as error:
        runs.fail(run, str(error))
        raise
    except KeyboardInterrupt:
        runs.stop(run)
        raise
    except Exception as error:
        runs.fail(run, type(error).__name__)
        raise


def _taken_up(federation: Federation, place: Place, run: int) -> RunState | None:
    """Where a run stands that broke off; None where it had not ended a round."""
    began_with, now = place.runs.get(run).settings, _kept(federation)
    if began_with.get("data_sha256") != now["data_sha256"]:
        raise SettingError(f"run {run} began with other handwriting than {federation.dataset.name} holds now")
    changed = [name for name in {**began_with, **now} if began_with.get(name) != now.get(name)]
    if changed:
        raise SettingError(f"run {run} began with another {', another '.join(changed)}; it goes on only as it began")
    place.runs.resume(run)
    checkpoint = place.runs.checkpoint(run)
    return None if checkpoint is None else RunState.from_bytes(checkpoint)


def _publisher(federation: Federation, place: Place, run: int) -> Publisher:
    origin = Origin(
        run,
        tasks.name_of(federation.scenario.task),
        federation.task.kind,
        federation.dataset.licence,
        federation.partition.split_by,
    )
    releases = data_directory.releases_in(place.directory)
    return Publisher(place.releases, releases, origin, partial(place.runs.writers, run))


def start_of(federation: Federation, engine: str) -> RunStart:
    """What the record of a run begins with."""
    settings, devices = federation.settings, federation.partition.devices
    kept = _kept(federation)
    return RunStart(
        tasks.name_of(federation.scenario.task),
        settings.recogniser,
        settings.strategy,
        settings.seed,
        kept,
        devices,
        engine,
    )


def _kept(federation: Federation) -> dict[str, Value]:
    """What the record keeps of a federation; paths of its data and its task are not among it."""
    return {
        **federation.scenario.to_mapping(),
        "data": federation.dataset.name,
        "task": tasks.name_of(federation.scenario.task),
        "data_sha256": federation.fingerprint(),
        "split_by": federation.partition.split_by,
    }


def _outcome(  # noqa: PLR0917 - an outcome has that many sources
    federation: Federation,
    run: int,
    publication: Publication,
    rounds: tuple[RoundResult, ...],
    started: float,
    peak_memory_bytes: int,
) -> Outcome:
    readings, latency_ms = _read(federation, publication)
    wall_s = time.monotonic() - started  # what follows tells people more; of lines it takes a minute
    return Outcome(
        run,
        publication,
        rounds,
        readings,
        latency_ms,
        wall_s,
        peak_memory_bytes,
        federation.dataset.alphabet,
        federation.task.of_texts,
        _decoders(federation, publication) if federation.task.of_texts else None,
    )


def _read(federation: Federation, publication: Publication) -> tuple[Readings, float]:
    dataset = federation.dataset
    rows = np.flatnonzero(federation.partition.held_out)
    samples = dataset.samples.take(rows)
    model, written = Int8Model(publication.model), samples.written()
    readings = Readings(
        rows,
        Transcripts(written, read(model, samples)),
        Transcripts(written, federation.trainer().read(publication.floating, samples, quantized=False)),
        confidences(model, samples, publication.temperature),
        federation.partition.device[rows],
        None if dataset.writers is None else dataset.writers[rows],
    )
    return readings, _latency_ms(model, samples)


def _decoders(federation: Federation, publication: Publication) -> Decoders:
    return decoders(
        federation.dataset,
        federation.partition,
        partial(text_logits, Int8Model(publication.model)),
        temperature=publication.temperature,
        seed=federation.settings.seed,
    )


def _latency_ms(model: Int8Model, samples: Samples) -> float:
    """Median milliseconds of one inference of one sample, once the model is laid out for its width."""
    times = []
    for row in range(min(LATENCY_SAMPLES, len(samples))):
        image = samples.take(np.array([row])).pictures
        if not row or samples.are_texts:
            model.logits(image)
        started = time.perf_counter()
        model.logits(image)
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)
