"""A whole federation through the real parts: real Flower apps, TensorFlow, LiteRT and SQLite, on real digits."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from flwr.app import Array, Context, Message
from flwr.clientapp import ClientApp

from handfed.server.database import open_database
from handfed.server.releases.service import ReleaseRecord
from handfed.server.runs.schemas import RecordedRun
from handfed.server.runs.service import RunRecord
from handfed.shared import wire
from handfed.shared.datasets import Dataset
from handfed.shared.errors import QuorumError
from handfed.shared.litert import Int8Model
from handfed.shared.manifest import read_release, schema
from handfed.shared.run_settings import RunSettings
from handfed.simulations.engines import ENGINES, Engine
from handfed.simulations.federation import Federation, Outcome, simulate
from handfed.simulations.partition import split

SETTINGS = RunSettings(rounds=6, qat_rounds=2, warmup_rounds=1, server_momentum=0.5, local_epochs=3, float_margin=0.1)


@pytest.fixture(scope="module")
def federation(digits: Dataset) -> Federation:
    part = digits.take(np.arange(1000))
    return Federation(part, split(part, scheme="dirichlet:1", devices=4, held_out=0.2, seed=0), "dirichlet:1", SETTINGS)


class Place:
    """A data directory with its record."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database = open_database(f"sqlite:///{directory}/handfed.db")
        self.runs, self.releases = RunRecord(self.database), ReleaseRecord(self.database)

    def simulate(self, federation: Federation, engine: Engine = ENGINES["in-process"]) -> Outcome:
        return simulate(
            federation,
            engine=engine,
            engine_name="in-process",
            runs=self.runs,
            releases=self.releases,
            directory=self.directory / "releases",
            listeners=[],
            progress=lambda *_: None,
        )

    def last(self) -> RecordedRun:
        return self.runs.list()[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    found = Place(tmp_path_factory.mktemp("federation"))
    yield found
    found.database.close()


@pytest.fixture(scope="module")
def outcome(place: Place, federation: Federation) -> Outcome:
    return place.simulate(federation)


def corrupting(device: int, change: Callable[[Message], None], kinds: tuple[str, ...] = (wire.TRAIN,)) -> Engine:
    """The in-process engine with one device whose replies, to messages of these kinds, are changed."""

    def engine(server_app: Any, client_app: ClientApp, **rest: Any) -> None:
        def corrupted(message: Message, context: Context) -> Message:
            reply = client_app(message, context)
            if context.node_id == device and message.metadata.message_type in kinds:
                change(reply)
            return reply

        ENGINES["in-process"](server_app, corrupted, **rest)  # type: ignore[arg-type]

    return engine


def test_the_devices_learn_to_read(outcome: Outcome) -> None:
    verdict = outcome.publication.verdict
    assert verdict.samples == 200
    assert verdict.int8_correct / verdict.samples > 0.85


def test_the_release_is_complete_and_its_manifest_is_of_the_published_schema(outcome: Outcome, place: Place) -> None:
    directory = outcome.publication.directory
    assert sorted(path.name for path in directory.iterdir()) == ["README.md", "manifest.json", "model.tflite"]
    jsonschema.validate(json.loads((directory / "manifest.json").read_text()), schema())
    manifest, model = read_release(directory)
    assert manifest.release == place.releases.latest().number == outcome.publication.number  # type: ignore[union-attr]
    assert Int8Model(model).operators_with_floats() == []
    assert str(manifest.model_size_bytes)[:2] in (directory / "README.md").read_text()


def test_the_file_that_was_published_reads_what_the_devices_counted(outcome: Outcome, federation: Federation) -> None:
    """The devices' sums, over the wire, are those of a reader that sees every image."""
    readings, verdict = outcome.readings, outcome.publication.verdict
    assert int((readings.int8 == readings.labels).sum()) == verdict.int8_correct
    assert int((readings.floating == readings.labels).sum()) == verdict.float_correct
    assert len(readings.rows) == int(federation.partition.held_out.sum())


def test_every_round_is_on_record_with_its_devices(outcome: Outcome, place: Place) -> None:
    rounds = place.runs.rounds(outcome.run)
    assert [(each.number, each.phase) for each in rounds] == [(n, "float" if n <= 4 else "qat") for n in range(1, 7)]
    assert all(each.accepted == 4 and each.evaluated == 200 and each.bytes_up > 0 for each in rounds)
    assert rounds[-1].loss < rounds[0].loss  # type: ignore[operator]
    devices = place.runs.device_rounds(outcome.run)
    assert len(devices) == 6 * 4
    assert sum(device.examples for device in devices if device.round == 1) == 800
    recorded = place.runs.get(outcome.run)
    assert recorded.status == "done"
    assert recorded.summary is not None
    assert recorded.summary["weights_sha256"] == outcome.publication.weights_sha256


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    outcome: Outcome, place: Place, federation: Federation
) -> None:
    again = place.simulate(federation)
    assert again.publication.weights_sha256 == outcome.publication.weights_sha256
    assert again.publication.model == outcome.publication.model
    assert again.publication.number != outcome.publication.number
    short = dataclasses.replace(SETTINGS, rounds=2, qat_rounds=1, seed=1, float_margin=1.0)
    other = place.simulate(dataclasses.replace(federation, settings=short))
    assert other.publication.weights_sha256 != outcome.publication.weights_sha256


def break_weights(reply: Message) -> None:
    kernel = reply.content.array_records[wire.ARRAYS]["conv1/kernel"].numpy()
    reply.content.array_records[wire.ARRAYS]["conv1/kernel"] = Array(kernel * np.float32("nan"))


def claim_too_much(reply: Message) -> None:
    reply.content.metric_records[wire.METRICS][wire.NUM_EXAMPLES] = 10**12


@pytest.mark.parametrize(("change", "reason"), [(break_weights, "not-finite"), (claim_too_much, "impossible-count")])
def test_a_hostile_device_is_left_out_with_its_reason_and_the_run_goes_on(
    change: Callable[[Message], None], reason: str, place: Place, federation: Federation
) -> None:
    settings = dataclasses.replace(SETTINGS, rounds=3, qat_rounds=1, float_margin=1.0)
    outcome = place.simulate(dataclasses.replace(federation, settings=settings), corrupting(2, change))
    rejections = place.runs.rejections(outcome.run)
    assert [(each.round, each.device, each.reason) for each in rejections] == [(n, 2, reason) for n in (1, 2, 3)]
    assert all(each.accepted == 3 for each in place.runs.rounds(outcome.run))


def send_no_arrays(reply: Message) -> None:
    reply.content.array_records.clear()
    reply.content.metric_records[wire.METRICS][wire.NUM_EXAMPLES] = 0


@pytest.mark.parametrize("change", [send_no_arrays, claim_too_much])
def test_a_device_that_measures_calibrates_or_judges_nonsense_is_left_out(
    change: Callable[[Message], None], place: Place, federation: Federation
) -> None:
    settings = dataclasses.replace(SETTINGS, rounds=2, qat_rounds=1, float_margin=1.0)
    hostile = corrupting(2, change, (wire.MEASURE, wire.CALIBRATE, wire.EVALUATE, wire.JUDGE))
    outcome = place.simulate(dataclasses.replace(federation, settings=settings), hostile)
    theirs = int((federation.partition.held_out & (federation.partition.device == 1)).sum())
    assert theirs > 0
    verdict, readings = outcome.publication.verdict, outcome.readings
    others = readings.device != 1
    assert verdict.samples == 200 - theirs
    assert verdict.float_correct == int((readings.floating == readings.labels)[others].sum())
    assert verdict.int8_correct == int((readings.int8 == readings.labels)[others].sum())


def test_a_run_below_its_quorum_fails_on_record_and_publishes_nothing(place: Place, federation: Federation) -> None:
    released = len(place.releases.list())
    settings = dataclasses.replace(SETTINGS, quorum=1.0)
    with pytest.raises(QuorumError, match="3 rounds in a row"):
        place.simulate(dataclasses.replace(federation, settings=settings), corrupting(1, break_weights))
    last = place.last()
    assert last.status == "failed"
    assert "quorum" in (last.error or "")
    assert last.rounds == 3
    assert len(place.releases.list()) == released


def test_a_run_that_a_person_stops_is_stopped_on_record(place: Place, federation: Federation) -> None:
    def interrupt(_: Message) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.simulate(federation, corrupting(1, interrupt))
    assert place.last().status == "stopped"


def test_running_batch_statistics_are_frozen_at_their_round(place: Place, federation: Federation) -> None:
    settings = dataclasses.replace(
        SETTINGS, rounds=5, qat_rounds=1, batch_statistics="running", freeze_round=3, float_margin=1.0
    )
    outcome = place.simulate(dataclasses.replace(federation, settings=settings))
    assert outcome.publication.verdict.samples == 200
