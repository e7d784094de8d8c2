"""What a device says of itself, and what `handfed device status` makes of it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from handfed.clients.device import status as device_status
from handfed.clients.device.cli import commands
from handfed.clients.device.journal import Journal
from handfed.clients.device.run_cli import check_platform, examine
from handfed.clients.device.status import LOCK, Status
from handfed.clients.device.store.store import Store
from handfed.shared.errors import UsageError
from handfed.shared.files import held

BEGIN = datetime(2027, 3, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = BEGIN

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_each_change_of_state_is_written_at_once(tmp_path: Path, clock: Clock) -> None:
    status = Status(tmp_path, clock)
    clock.time += timedelta(seconds=5)
    status.enter("waiting")
    found = device_status.read(tmp_path)
    assert found is not None
    assert (found["state"], found["since"], found["started_at"]) == (
        "waiting",
        "2027-03-01T12:00:05+00:00",
        "2027-03-01T12:00:00+00:00",
    )


def test_contacts_are_written_once_a_minute(tmp_path: Path, clock: Clock) -> None:
    status = Status(tmp_path, clock)
    for _ in range(3):
        clock.time += timedelta(seconds=25)
        status.contact()
    found = device_status.read(tmp_path)
    assert found is not None
    assert found["last_contact"] == "2027-03-01T12:01:15+00:00"
    clock.time += timedelta(seconds=25)
    status.contact()
    assert device_status.read(tmp_path) == found


def test_nobody_else_may_read_it(tmp_path: Path, clock: Clock) -> None:
    Status(tmp_path, clock)
    assert (tmp_path / device_status.FILE).stat().st_mode & 0o777 == 0o600


def test_where_it_cannot_be_written_the_log_says_so_once(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    status = Status(tmp_path, clock)
    (tmp_path / device_status.FILE).unlink()
    (tmp_path / device_status.FILE).mkdir()
    status.enter("waiting")
    status.enter("training")
    assert [record.getMessage() for record in caplog.records if "goes on" in record.getMessage()] != []
    assert len(caplog.records) == 1


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"format": 2}', b"\xff"])
def test_what_is_no_status_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / device_status.FILE).write_bytes(content)
    assert device_status.read(tmp_path) is None
    assert not examine(tmp_path, BEGIN)["well"]


def test_a_device_is_well_while_it_runs_and_says_so(tmp_path: Path, clock: Clock) -> None:
    status = Status(tmp_path, clock)
    status.enter("waiting")
    assert not examine(tmp_path, BEGIN)["running"]
    with held(tmp_path / LOCK, what="the device"):
        assert examine(tmp_path, BEGIN)["well"]
        late = examine(tmp_path, BEGIN + timedelta(minutes=4))
        assert (late["running"], late["stale"], late["well"]) == (True, True, False)
        status.enter("connecting")
        assert not examine(tmp_path, BEGIN)["well"]


def test_status_shows_what_happened_and_fails_where_it_is_not_well(tmp_path: Path, clock: Clock) -> None:
    status = Status(tmp_path, clock)
    status.count(trained=True, failed=False)
    status.complain("the server refuses connections")
    status.enter("stopped")
    Store.open(tmp_path / "store").close()
    shown = CliRunner().invoke(commands, ["status", "--data", str(tmp_path)])
    assert shown.exit_code == 1
    assert "does not run: it was stopped" in shown.output
    assert "1 times trained, 1 answers, 0 failures" in shown.output
    assert "the server refuses connections" in shown.output


def test_status_as_json_is_one_object(tmp_path: Path) -> None:
    printed = CliRunner().invoke(commands, ["status", "--data", str(tmp_path), "--json"])
    assert printed.exit_code == 1
    assert json.loads(printed.output) == {
        "running": False,
        "well": False,
        "state": None,
        "stale": False,
        "handwriting": None,
    }


def test_windows_is_told_that_it_is_not_supported() -> None:
    with pytest.raises(UsageError, match="does not run on Windows"):
        check_platform("Windows")
    check_platform("Linux")
    check_platform("Darwin")


def test_hours_that_are_none_are_refused_before_anything_runs(tmp_path: Path) -> None:
    refused = CliRunner().invoke(commands, ["run", "--data", str(tmp_path), "--hours", "night"])
    assert "written like 22:00-06:00" in str(refused.exception)


def test_a_journal_keeps_a_node_with_its_key(tmp_path: Path) -> None:
    Journal(tmp_path).begin("aa", 2**64 - 1)
    assert Journal(tmp_path).node_id("aa") == 2**64 - 1
    assert Journal(tmp_path).node_id("bb") is None


def test_a_journal_keeps_the_message_that_is_worked_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin("aa", 7)
    message = os.urandom(50)
    journal.take(message)
    assert Journal(tmp_path).message == message
    Journal(tmp_path).begin("aa", 7)
    assert Journal(tmp_path).message == message
    Journal(tmp_path).begin("bb", 8)  # another key's message is nobody's to answer
    assert Journal(tmp_path).message == b""


@pytest.mark.parametrize("content", [b"", b"null", b'{"format": 9, "node": "7"}', b"{\xff"])
def test_a_journal_that_cannot_be_read_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "session.json").write_bytes(content)
    journal = Journal(tmp_path)
    assert journal.node_id("aa") is None
    assert journal.message == b""
