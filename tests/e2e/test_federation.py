"""A whole federation through the real parts: real Flower apps, TensorFlow, LiteRT and SQLite, on real digits."""

from __future__ import annotations

import dataclasses
import gc
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import jsonschema
import numpy as np
import pytest
from flwr.app import Array, Context, Message
from flwr.clientapp import ClientApp

from handfed.server.database import open_database
from handfed.server.flower.course import Listener
from handfed.server.flower.state import RunState
from handfed.server.releases.exports.source import Source
from handfed.server.releases.publish import weights_sha256
from handfed.server.releases.service import ReleaseRecord
from handfed.server.runs.schemas import RecordedRun, RoundResult, RunStateError, UnknownRunError
from handfed.server.runs.service import RunRecord
from handfed.shared import wire
from handfed.shared.datasets import Dataset
from handfed.shared.errors import QuorumError, SettingError
from handfed.shared.files import held
from handfed.shared.litert import Int8Model
from handfed.shared.manifest import read_release, schema
from handfed.shared.run_settings import RunSettings
from handfed.simulations.engines import ENGINES, Workers
from handfed.simulations.faults import Faults, liars
from handfed.simulations.federation import Federation, Outcome, Place, simulate
from handfed.simulations.partition import split
from handfed.simulations.scenario import Scenario

NOW = datetime.now(UTC)
SETTINGS = RunSettings(rounds=6, qat_rounds=2, warmup_rounds=1, server_momentum=0.5, local_epochs=3, float_margin=0.1)


@pytest.fixture(scope="module")
def federation(digits: Dataset) -> Federation:
    part = digits.take(np.arange(1000))
    partition = split(part, scheme="dirichlet:1", devices=4, held_out=0.2, seed=0)
    return Federation(part, partition, Scenario(partition="dirichlet:1", devices=4, run=SETTINGS))


@pytest.fixture(scope="module")
def small(digits: Dataset) -> Federation:
    """Few images and short rounds, for rules that hold whatever is learnt."""
    part = digits.take(np.arange(240))
    partition = split(part, scheme="iid", devices=4, held_out=0.25, seed=0)
    run = dataclasses.replace(SETTINGS, rounds=3, qat_rounds=1, local_epochs=1, float_margin=1.0)
    return Federation(part, partition, Scenario(partition="iid", devices=4, run=run))


def changed(federation: Federation, faults: Faults | None = None, **settings: Any) -> Federation:
    """The same federation with other settings, or with faults."""
    scenario = federation.scenario
    run = dataclasses.replace(scenario.run, **settings)
    return dataclasses.replace(
        federation, scenario=dataclasses.replace(scenario, run=run, faults=faults or scenario.faults)
    )


def run(
    place: Place,
    federation: Federation,
    *,
    engine: str = "in-process",
    listeners: Sequence[Listener] = (),
    resume: int | None = None,
    report: Callable[[Outcome], None] = lambda _outcome: None,
) -> Outcome:
    return simulate(
        federation,
        place,
        engine=engine,
        workers=Workers(count=2),
        listeners=listeners,
        progress=lambda *_: None,
        resume=resume,
        report=report,
    )


def last(place: Place) -> RecordedRun:
    return place.runs.list()[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("federation")
    with open_database(f"sqlite:///{directory}/handfed.db") as database:
        yield Place(RunRecord(database), ReleaseRecord(database), directory)


@pytest.fixture(scope="module")
def outcome(place: Place, federation: Federation) -> Outcome:
    return run(place, federation)


@pytest.fixture
def corrupting(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Makes an engine with one device whose replies, to messages of some kinds, are changed; gives its name."""

    def make(device: int, change: Callable[[Message], None], kinds: tuple[str, ...] = (wire.TRAIN,)) -> str:
        def engine(server_app: Any, make_client_app: Callable[[], ClientApp], **rest: Any) -> None:
            client_app = make_client_app()

            def corrupted(message: Message, context: Context) -> Message:
                reply = client_app(message, context)
                if context.node_id == device and message.metadata.message_type in kinds:
                    change(reply)
                return reply

            ENGINES["in-process"](server_app, lambda: corrupted, **rest)  # type: ignore[arg-type, return-value]

        monkeypatch.setitem(ENGINES, "corrupting", engine)
        return "corrupting"

    return make


def test_a_run_that_cannot_start_from_another_is_not_on_record(place: Place, small: Federation) -> None:
    before = len(place.runs.list())
    with pytest.raises(UnknownRunError):
        run(place, changed(small, start_from=999))
    assert len(place.runs.list()) == before


def test_the_devices_learn_to_read(outcome: Outcome) -> None:
    verdict = outcome.publication.verdict
    assert verdict.samples == 200
    assert verdict.accuracy_int8 > 0.85


@pytest.mark.usefixtures("outcome")
def test_what_was_loaded_before_a_run_is_not_gone_over_at_every_update() -> None:
    """Flower's bulyan and qfedavg collect garbage once an update: 48 of them took 24 seconds beside TensorFlow."""
    assert gc.get_freeze_count() > 100_000


def test_the_release_is_complete_and_its_manifest_is_of_the_published_schema(outcome: Outcome, place: Place) -> None:
    directory = outcome.publication.directory
    assert sorted(path.name for path in directory.iterdir()) == [
        "README.md",
        "browser.tflite",
        "manifest.json",
        "model.tflite",
    ]
    jsonschema.validate(json.loads((directory / "manifest.json").read_text()), schema())
    manifest, model = read_release(directory)
    assert manifest.release == place.releases.latest().number == outcome.publication.number  # type: ignore[union-attr]
    assert Int8Model(model).operators_with_floats() == []
    assert str(manifest.model.size_bytes)[:2] in (directory / "README.md").read_text()


def test_the_file_that_was_published_reads_what_the_devices_counted(outcome: Outcome, federation: Federation) -> None:
    """The devices' sums, over the wire, are those of a reader that sees every image."""
    readings, verdict = outcome.readings, outcome.publication.verdict
    assert int(readings.int8.correct.sum()) == verdict.int8_correct
    assert int(readings.floating.correct.sum()) == verdict.float_correct
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


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(place: Place, small: Federation) -> None:
    first, again, other = run(place, small), run(place, small), run(place, changed(small, seed=1))
    assert again.publication.weights_sha256 == first.publication.weights_sha256
    assert again.publication.model == first.publication.model
    assert again.publication.number != first.publication.number
    assert other.publication.weights_sha256 != first.publication.weights_sha256


def break_weights(reply: Message) -> None:
    carried = reply.content.array_records[wire.ARRAYS]
    for title, array in list(carried.items()):
        carried[title] = Array(array.numpy() * np.float32("nan"))


def claim_too_much(reply: Message) -> None:
    reply.content.metric_records[wire.METRICS][wire.NUM_EXAMPLES] = 10**12


@pytest.mark.parametrize(("change", "reason"), [(break_weights, "not-finite"), (claim_too_much, "impossible-count")])
def test_a_hostile_device_is_left_out_with_its_reason_and_the_run_goes_on(
    change: Callable[[Message], None],
    reason: str,
    place: Place,
    small: Federation,
    corrupting: Callable[..., str],
) -> None:
    outcome = run(place, small, engine=corrupting(2, change))
    rejections = place.runs.rejections(outcome.run)
    assert [(each.round, each.device, each.reason) for each in rejections] == [(n, 2, reason) for n in (1, 2, 3)]
    assert all(each.accepted == 3 for each in place.runs.rounds(outcome.run))


def send_no_arrays(reply: Message) -> None:
    reply.content.array_records.clear()
    reply.content.metric_records[wire.METRICS][wire.NUM_EXAMPLES] = 0


@pytest.mark.parametrize("change", [send_no_arrays, claim_too_much])
def test_a_device_that_measures_calibrates_or_judges_nonsense_is_left_out(
    change: Callable[[Message], None], place: Place, small: Federation, corrupting: Callable[..., str]
) -> None:
    hostile = corrupting(2, change, (wire.MEASURE, wire.CALIBRATE, wire.EVALUATE, wire.JUDGE))
    outcome = run(place, small, engine=hostile)
    theirs = int((small.partition.held_out & (small.partition.device == 1)).sum())
    assert theirs > 0
    verdict, readings = outcome.publication.verdict, outcome.readings
    others = readings.device != 1
    assert verdict.samples == int(small.partition.held_out.sum()) - theirs
    assert verdict.float_correct == int(readings.floating.correct[others].sum())
    assert verdict.int8_correct == int(readings.int8.correct[others].sum())


def test_a_run_below_its_quorum_fails_on_record_and_publishes_nothing(
    place: Place, federation: Federation, corrupting: Callable[..., str]
) -> None:
    released = len(place.releases.list())
    with pytest.raises(QuorumError, match="3 rounds in a row"):
        run(place, changed(federation, quorum=1.0), engine=corrupting(1, break_weights))
    failed = last(place)
    assert failed.status == "failed"
    assert "quorum" in (failed.error or "")
    assert failed.rounds == 3
    assert len(place.releases.list()) == released


def test_a_run_that_a_person_stops_is_stopped_on_record(
    place: Place, federation: Federation, corrupting: Callable[..., str]
) -> None:
    def interrupt(_: Message) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(place, federation, engine=corrupting(1, interrupt))
    assert last(place).status == "stopped"


def test_running_batch_statistics_are_frozen_at_their_round(place: Place, small: Federation) -> None:
    running = changed(small, rounds=4, batch_statistics="running", freeze_round=2)
    assert run(place, running).publication.verdict.samples == int(small.partition.held_out.sum())


def test_what_is_published_is_the_average_over_rounds_where_a_run_keeps_one(place: Place, small: Federation) -> None:
    found = run(place, changed(small, qat_rounds=2, rounds=4, server_averaging=0.5))
    checkpoint = place.runs.checkpoint(found.run)
    assert checkpoint is not None
    state = RunState.from_bytes(checkpoint)
    assert weights_sha256(state.outcome) != weights_sha256(state.arrays)
    publication = found.publication
    arrays = state.outcome if publication.trained.worse <= publication.calibrated.worse else state.calibrated
    manifest, model = read_release(publication.directory)
    assert manifest.weights_sha256 == weights_sha256(arrays or {})
    assert Source(publication.directory, manifest, model, state).floating()[1] is state.floating


def test_where_quantization_aware_rounds_do_harm_what_was_calibrated_is_published(
    place: Place, small: Federation
) -> None:
    written = dataclasses.replace(small.dataset, writers=np.tile(np.arange(60, dtype=np.int32), 4))
    harmed = changed(small, rounds=8, qat_rounds=2, local_epochs=3, learning_rate=0.3, qat_learning_rate=1.0)
    found = run(place, dataclasses.replace(harmed, dataset=written))
    checkpoint = place.runs.checkpoint(found.run)
    assert checkpoint is not None
    publication = found.publication
    assert publication.trained.worse > publication.calibrated.worse
    assert publication.verdict == publication.calibrated
    assert publication.weights_sha256 == weights_sha256(RunState.from_bytes(checkpoint).calibrated or {})
    assert place.runs.writers(found.run) is not None  # of the last round, and so of what is not published
    assert "writers" not in read_release(publication.directory)[0].metrics


def test_worker_processes_give_the_same_weights(place: Place, small: Federation) -> None:
    alone, together = (run(place, small, engine=engine) for engine in ("in-process", "pool"))
    assert together.publication.weights_sha256 == alone.publication.weights_sha256
    timeless: dict[str, Any] = {"started_at": NOW, "seconds": 0, "train_seconds": 0, "devices": ()}
    assert [dataclasses.replace(each, **timeless) for each in together.rounds] == [
        dataclasses.replace(each, **timeless) for each in alone.rounds
    ]


class Break(Exception):  # noqa: N818 - stands for a machine that stops
    pass


class BreaksAfter:
    """A listener that ends the process's part in a run after a round, when that round is on record."""

    def __init__(self, number: int) -> None:
        self._number = number

    def described(self, *_: object) -> None:
        pass

    def round_started(self, *_: object) -> None:
        pass

    def round_ended(self, result: RoundResult, _: RunState) -> None:
        if result.number == self._number:
            raise Break


def test_a_run_that_breaks_off_in_any_phase_goes_on_as_if_nothing_had_happened(place: Place, small: Federation) -> None:
    broken = changed(small, rounds=5, qat_rounds=2)
    whole = run(place, broken)
    with pytest.raises(Break):
        run(place, broken, listeners=[BreaksAfter(2)])
    number = last(place).id
    for at in (3, 4):  # the last float round, and the first quantization-aware one
        with pytest.raises(Break):
            run(place, broken, listeners=[BreaksAfter(at)], resume=number)
    resumed = run(place, broken, resume=number)
    assert resumed.run == number
    assert resumed.publication.weights_sha256 == whole.publication.weights_sha256
    assert [each.number for each in resumed.rounds] == [1, 2, 3, 4, 5]
    assert [each.loss for each in resumed.rounds] == [each.loss for each in whole.rounds]
    assert place.runs.get(number).status == "done"


def test_a_run_goes_on_only_with_the_handwriting_it_began_with_and_only_until_it_is_done(
    place: Place, federation: Federation, outcome: Outcome
) -> None:
    fewer = dataclasses.replace(federation, dataset=federation.dataset.take(np.arange(999)))
    with pytest.raises(SettingError, match="other handwriting"):
        run(place, fewer, resume=outcome.run)
    with pytest.raises(SettingError, match="another momentum"):
        run(place, changed(federation, momentum=0.5), resume=outcome.run)
    with pytest.raises(RunStateError, match="done"):
        run(place, federation, resume=outcome.run)


def test_a_run_that_ends_while_its_report_is_written_reports_when_it_goes_on(place: Place, small: Federation) -> None:
    def interrupted(_outcome: Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(place, small, report=interrupted)
    assert last(place).status == "stopped"
    releases = len(place.releases.list())
    reported: list[Outcome] = []
    resumed = run(place, small, resume=last(place).id, report=reported.append)
    assert reported == [resumed]
    assert last(place).status == "done"
    assert len(place.releases.list()) == releases


def test_nobody_resumes_a_run_that_another_process_is_at(
    place: Place, federation: Federation, outcome: Outcome
) -> None:
    with held(place.of_run(outcome.run) / "lock", what="it"), pytest.raises(SettingError, match="another process"):
        run(place, federation, resume=outcome.run)


def test_a_secure_run_reads_and_keeps_no_single_device_on_record(place: Place, small: Federation) -> None:
    outcome = run(place, changed(small, visibility="secure", clip_update=2.0))
    assert place.runs.device_rounds(outcome.run) == ()
    assert outcome.rounds[-1].evaluated == int(small.partition.held_out.sum())
    assert outcome.rounds[-1].accepted == 4


def test_faults_on_purpose_are_caught_and_on_record(place: Place, small: Federation) -> None:
    outcome = run(place, changed(small, Faults(nan=0.25, scaled=0.25), norm_bound=3.0))
    lie_of = liars(Faults(nan=0.25, scaled=0.25), 4, 0)
    for rejection in place.runs.rejections(outcome.run):
        assert rejection.reason == {"nan": "not-finite", "scaled": "too-long"}[lie_of[rejection.device - 1]]
    assert len(place.runs.rejections(outcome.run)) == 6


def test_an_update_of_old_arrays_is_caught_and_on_record(place: Place, small: Federation) -> None:
    outcome = run(place, changed(small, Faults(stale=0.25)))
    (stale,) = liars(Faults(stale=0.25), 4, 0)
    found = [(reply.round, reply.device - 1, reply.reason) for reply in place.runs.rejections(outcome.run)]
    assert found == [(2, stale, "other-start")]  # its first of the float rounds, and of the others, is an honest one
