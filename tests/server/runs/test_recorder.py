"""What is written to the record as a run goes on, and that nothing is lost while it cannot be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from handfed.server.database import Database, errors_named, open_database
from handfed.server.flower.state import RunState
from handfed.server.runs.recorder import Recorder, once_writable
from handfed.server.runs.schemas import Rejection, RoundResult, RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared.errors import StorageError

ABSENT = Rejection(7, "wrong-version", "wire version 4 and not 5; update the device")
SILENT = Rejection(8, "no-reply", "no reply before the deadline")


def result(number: int, *rejections: Rejection) -> RoundResult:
    return RoundResult(
        number=number,
        phase="float",
        started_at=datetime(2026, 5, 6, 12, tzinfo=UTC),
        seconds=1.0,
        train_seconds=1.0,
        participants=2,
        accepted=1,
        examples=100,
        loss=1.0,
        accuracy=None,
        evaluated=0,
        bytes_down=1,
        bytes_up=1,
        devices=(),
        rejections=rejections,
    )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(f"sqlite:///{tmp_path / 'handfed.db'}") as opened:
        yield opened


def test_who_takes_no_part_is_on_record_with_the_first_round(database: Database) -> None:
    record = RunRecord(database)
    number = record.start(RunStart("digits", "cnn", "fedavg", 7, {}, 3, "federation"))
    recorder = Recorder(record, number)
    recorder.described({}, (ABSENT,))
    recorder.round_ended(result(1, SILENT), RunState(1, {}))
    recorder.round_ended(result(2), RunState(2, {}))
    database.close()
    found = [(each.round, each.device, each.reason) for each in record.rejections(number)]
    assert found == [(1, ABSENT.device, ABSENT.reason), (1, SILENT.device, SILENT.reason)]


def test_a_record_that_is_locked_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0})
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    pauses: list[float] = []

    def write() -> None:
        with errors_named("write to", engine.url), engine.begin() as connection:
            connection.execute(text("CREATE TABLE rounds (number)"))

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            other.close()

    once_writable(write, sleep=pause)
    engine.dispose()
    assert len(pauses) == 2


def test_what_the_record_refuses_is_not_tried_again() -> None:
    def write() -> None:
        raise StorageError("a value that no column holds")

    with pytest.raises(StorageError, match="no column"):
        once_writable(write)
