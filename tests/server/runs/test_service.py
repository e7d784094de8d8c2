"""The record of runs."""

from __future__ import annotations

import threading
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from sqlalchemy import text

from handfed.server.database import Database
from handfed.server.runs.schemas import (
    DeviceResult,
    RecordedDevice,
    RecordedRejection,
    RecordedRound,
    RecordedRun,
    Rejection,
    RoundResult,
    RunStart,
    RunStateError,
    UnknownRunError,
)
from handfed.server.runs.service import RunRecord
from handfed.shared.disclosure import ClassCount
from handfed.shared.errors import StorageError, UsageError

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
NAN = float("nan")
RUN = RunStart("digits", "cnn", "fedavg", 7, {"rounds": 3, "rate": 0.1, "names": ["a", "é"]}, 3, "in-process")
ROUND = RoundResult(
    number=1,
    phase="float",
    started_at=NOON,
    seconds=4.25,
    train_seconds=11.5,
    participants=3,
    accepted=2,
    examples=300,
    loss=1.25,
    accuracy=0.875,
    evaluated=80,
    bytes_down=2_400_000_000,
    bytes_up=1_600_000_000,
    devices=(
        DeviceResult(2**64 - 1, 200, 1.0, 6.0, 800_000, 40, 36, 0.5, 180, 5),
        DeviceResult(7, 100, 1.75, 5.5, 800_000),
    ),
    rejections=(Rejection(2**63, "not-finite", "conv/kernel: NaN or infinite"),),
    writer_bins=(*[0] * 18, 4, 8),
    class_counts=(ClassCount(0, 50, 41), ClassCount(7, 2**40, 9)),
)


class Clock:
    """A clock that goes on by a minute whenever it is read."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        self.time += timedelta(minutes=1)
        return self.time


@pytest.fixture
def record(database: Database) -> RunRecord:
    return RunRecord(database, Clock())


def test_a_run_that_starts_is_running(record: RunRecord) -> None:
    number = record.start(RUN)
    assert record.get(number) == RecordedRun(
        id=number,
        status="running",
        rounds=0,
        started_at=NOON + timedelta(minutes=1),
        ended_at=None,
        error=None,
        summary=None,
        **asdict(RUN),
    )


def test_a_round_comes_back_as_it_was_recorded(record: RunRecord) -> None:
    number = record.start(RUN)
    record.add_round(number, ROUND)
    names = [field.name for field in fields(RecordedRound)]
    assert record.rounds(number) == (RecordedRound(**{name: getattr(ROUND, name) for name in names}),)
    assert record.device_rounds(number) == (
        RecordedDevice(1, 7, 100, 1.75, 5.5, 800_000, None, None, None, None, None),
        RecordedDevice(1, 2**64 - 1, 200, 1.0, 6.0, 800_000, 40, 36, 0.5, 180, 5),
    )
    assert record.rejections(number) == (RecordedRejection(1, 2**63, "not-finite", "conv/kernel: NaN or infinite"),)
    assert record.get(number).rounds == 1


def test_how_writers_differ_is_that_of_the_newest_round_that_tells(record: RunRecord) -> None:
    number = record.start(RUN)
    assert record.writers(number) is None
    record.add_round(number, replace(ROUND, writer_bins=(*[0] * 18, 4, 8)))
    record.add_round(number, replace(ROUND, number=2, writer_bins=(*[0] * 19, 20)))
    record.add_round(number, replace(ROUND, number=3, writer_bins=()))
    found = record.writers(number)
    assert found is not None
    assert found.count == 20
    assert found.p10 > 0.98


@pytest.mark.parametrize("device", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_every_device_number_is_kept(record: RunRecord, device: int) -> None:
    number = record.start(RUN)
    reply = Rejection(device, "no-reply", "")
    record.add_round(number, replace(ROUND, devices=(DeviceResult(device),), rejections=(reply,)))
    assert [row.device for row in record.device_rounds(number)] == [device]
    assert [row.device for row in record.rejections(number)] == [device]


def test_times_come_back_in_utc_whatever_zone_they_were_in(record: RunRecord) -> None:
    number = record.start(RUN)
    elsewhere = datetime(2026, 5, 6, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    record.add_round(number, replace(ROUND, started_at=elsewhere))
    (back,) = record.rounds(number)
    assert back.started_at == elsewhere
    assert back.started_at.tzinfo is UTC


def test_a_round_is_recorded_once_only(record: RunRecord) -> None:
    number = record.start(RUN)
    record.add_round(number, ROUND)
    with pytest.raises(RunStateError, match="round 1 of run 1 is on record already"):
        record.add_round(number, replace(ROUND, loss=9.0))
    assert [row.loss for row in record.rounds(number)] == [1.25]
    assert len(record.rejections(number)) == 1


def test_a_round_is_recorded_whole_or_not_at_all(record: RunRecord) -> None:
    number = record.start(RUN)
    twice = (DeviceResult(7), DeviceResult(8), DeviceResult(7))
    with pytest.raises(StorageError, match="cannot write to the database"):
        record.add_round(number, replace(ROUND, devices=twice))
    assert record.rounds(number) == ()
    assert record.device_rounds(number) == ()
    assert record.rejections(number) == ()
    record.add_round(number, ROUND)


@pytest.mark.parametrize(
    "changed",
    [
        {"phase": "later"},
        {"examples": 2**63},
        {"started_at": datetime(2026, 5, 6)},  # noqa: DTZ001 - the point
        {"devices": (DeviceResult(-1),)},
        {"devices": (DeviceResult(2**64),)},
    ],
)
def test_a_value_that_no_round_has_is_refused_as_a_storage_error(record: RunRecord, changed: dict[str, object]) -> None:
    number = record.start(RUN)
    with pytest.raises(StorageError, match="cannot write to the database") as caught:
        record.add_round(number, replace(ROUND, **changed))  # type: ignore[arg-type]
    assert "11.5" not in str(caught.value), "the message quotes the row"
    assert record.rounds(number) == ()


def test_figures_that_are_not_finite_are_unknown(record: RunRecord) -> None:
    number = record.start(replace(RUN, settings={"rate": NAN, "nested": [{"x": float("inf")}]}))
    device = DeviceResult(7, 1, NAN, float("inf"), 0, 1, 0, -float("inf"))
    record.add_round(number, replace(ROUND, loss=NAN, accuracy=NAN, train_seconds=NAN, devices=(device,)))
    record.finish(number, {"accuracy_int8": NAN, "wall_s": 1.5})
    assert record.get(number).settings == {"rate": None, "nested": [{"x": None}]}
    assert record.get(number).summary == {"accuracy_int8": None, "wall_s": 1.5}
    (row,) = record.rounds(number)
    assert (row.loss, row.accuracy, row.train_seconds) == (None, None, None)
    (back,) = record.device_rounds(number)
    assert (back.loss, back.seconds, back.held_out_loss) == (None, None, None)


def test_figures_may_come_from_numpy(record: RunRecord) -> None:
    number = record.start(replace(RUN, seed=np.int64(3), settings={"rate": np.float32(0.5)}))  # type: ignore[arg-type]
    device = DeviceResult(np.uint64(2**64 - 1), np.int32(5), np.float32(0.5))  # type: ignore[arg-type]
    record.add_round(number, replace(ROUND, examples=np.int64(5), loss=np.float32(0.5), devices=(device,)))  # type: ignore[arg-type]
    assert record.get(number).seed == 3
    assert record.rounds(number)[0].examples == 5
    (back,) = record.device_rounds(number)
    assert (back.device, back.examples, back.loss) == (2**64 - 1, 5, 0.5)


@pytest.mark.parametrize("detail", ["\x00", "\x1b[2J", "\ud800", "é\n\t字"])
def test_a_rejection_is_recorded_whatever_it_quotes(record: RunRecord, detail: str) -> None:
    number = record.start(RUN)
    record.add_round(number, replace(ROUND, rejections=(Rejection(1, "wrong-names", detail),)))
    (back,) = record.rejections(number)
    assert len(back.detail) == len(detail)
    assert "\x1b" not in back.detail


def test_a_run_that_is_done_keeps_its_closing_figures(record: RunRecord) -> None:
    number = record.start(RUN)
    record.finish(number, {"accuracy_int8": 0.98, "weights_sha256": "ab"})
    run = record.get(number)
    assert (run.status, run.summary, run.error) == (
        "done",
        {"accuracy_int8": 0.98, "weights_sha256": "ab"},
        None,
    )
    assert run.ended_at == NOON + timedelta(minutes=2)


def test_a_run_that_failed_keeps_the_reason_and_its_rounds(record: RunRecord) -> None:
    number = record.start(RUN)
    record.add_round(number, ROUND)
    record.fail(number, "too few devices")
    run = record.get(number)
    assert (run.status, run.error, run.summary, run.rounds) == ("failed", "too few devices", None, 1)


def test_a_run_can_be_stopped(record: RunRecord) -> None:
    number = record.start(RUN)
    record.stop(number)
    assert record.get(number).status == "stopped"


@pytest.mark.parametrize("end", ["done", "failed", "stopped"])
def test_the_record_of_a_run_that_ended_is_closed(record: RunRecord, end: str) -> None:
    number = record.start(RUN)
    if end == "done":
        record.finish(number, {})
    elif end == "failed":
        record.fail(number, "x")
    else:
        record.stop(number)
    before = record.get(number)
    for method, *arguments in (
        (record.add_round, ROUND),
        (record.finish, {}),
        (record.fail, "y"),
        (record.stop,),
    ):
        with pytest.raises(RunStateError, match=f"run 1 is {end}"):
            method(number, *arguments)
    assert record.get(number) == before


@pytest.mark.parametrize("number", [0, -1, 3, 2**31, 2**63, 2**70])
def test_an_unknown_run_is_an_error_of_use_that_names_those_there_are(record: RunRecord, number: int) -> None:
    record.start(RUN)
    record.start(RUN)
    for attempt in (record.get, record.stop, lambda unknown: record.add_round(unknown, ROUND)):
        with pytest.raises(UnknownRunError, match=f"run {number} is not on record; there are 1-2") as caught:
            attempt(number)
        assert isinstance(caught.value, UsageError)
        assert caught.value.exit_status == 2


def test_an_unknown_run_of_an_empty_record_says_how_to_make_one(record: RunRecord) -> None:
    with pytest.raises(UnknownRunError, match="handfed simulate"):
        record.get(1)


def test_runs_are_listed_newest_first(record: RunRecord) -> None:
    for _ in range(3):
        record.start(RUN)
    record.add_round(2, ROUND)
    record.stop(3)
    assert [(run.id, run.rounds) for run in record.list()] == [(3, 0), (2, 1), (1, 0)]
    assert [run.id for run in record.list(2)] == [3, 2]
    assert [run.id for run in record.list(status="running")] == [2, 1]


def test_rounds_are_listed_in_order_whatever_the_order_they_came_in(record: RunRecord) -> None:
    number = record.start(RUN)
    other = record.start(RUN)
    for round_number in (3, 1, 2):
        record.add_round(number, replace(ROUND, number=round_number))
    record.add_round(other, ROUND)
    assert [row.number for row in record.rounds(number)] == [1, 2, 3]
    assert [row.round for row in record.rejections(number)] == [1, 2, 3]
    assert [row.round for row in record.device_rounds(number)] == [1, 1, 2, 2, 3, 3]


def test_a_round_without_an_accepted_update_is_recorded(record: RunRecord) -> None:
    number = record.start(RUN)
    record.add_round(number, RoundResult(1, "qat", NOON, 1.0, 0.0, 3, 0, 0))
    (row,) = record.rounds(number)
    assert (row.phase, row.loss, row.accuracy, row.evaluated) == ("qat", None, None, 0)


def test_no_number_is_given_twice(database: Database, record: RunRecord) -> None:
    record.start(RUN)
    record.start(RUN)
    with database.write() as session:
        session.execute(text("DELETE FROM runs"))
    assert record.start(RUN) == 3


def test_of_many_threads_that_record_a_round_one_succeeds(database: Database, record: RunRecord) -> None:
    number = record.start(RUN)
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def attempt(loss: float) -> None:
        start.wait()
        try:
            RunRecord(database).add_round(number, replace(ROUND, loss=loss))
            outcomes.append("recorded")
        except RunStateError:
            outcomes.append("refused")

    threads = [threading.Thread(target=attempt, args=(float(place),)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["recorded"] + ["refused"] * 5
    assert len(record.device_rounds(number)) == 2
