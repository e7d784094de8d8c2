"""What a device says of its releases, and when it looks after them."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from handfed.clients.device.periodic_process import PeriodicProcess
from handfed.clients.device.release_upkeep import FILE, Failure, Said, standings
from handfed.clients.edge.state import Quarantine, Reason, State
from handfed.shared.release_reports import Comparison, Condition, Standing

PAIR = ("0001-aaaaaaaaaaaa", "0002-aaaaaaaaaaaa")


def test_standings_tell_what_is_used_tried_and_refused_in_codes() -> None:
    refused = {
        "0007-aaaaaaaaaaaa": Quarantine(Reason.CRASH, "any"),
        "0006-aaaaaaaaaaaa": Quarantine(Reason.BY_HAND, "any"),
        "0005-aaaaaaaaaaaa": Quarantine(Reason.SELF_TEST, "any"),
    }
    state = State(current="0003-aaaaaaaaaaaa", on_trial="0004-aaaaaaaaaaaa", quarantined=refused)
    assert standings(state) == (
        Standing(7, Condition.CRASHED, in_use=False),
        Standing(5, Condition.FAILED_SELF_TEST, in_use=False),
        Standing(4, Condition.HEALTHY, in_use=False),
        Standing(3, Condition.HEALTHY, in_use=True),
    )
    assert standings(State()) == ()


def test_what_was_said_is_read_as_it_was_written(tmp_path: Path) -> None:
    said = Said(7, "text", 12.5, "1", PAIR, 3, Comparison(1, 2, 30, 1, 0), Failure(PAIR, 4, 1.5, 1))
    said.write(tmp_path)
    assert Said.read(tmp_path) == said
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_what_an_earlier_version_said_is_read(tmp_path: Path) -> None:
    content = b'{"sequence": 7, "text": "t", "at": 1.5, "revision": 3, "comparison": null}'
    (tmp_path / FILE).write_bytes(content)
    assert Said.read(tmp_path) == Said(7, "t", 1.5, revision=3)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"comparison": 3}', b"\xff"])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert Said.read(tmp_path) == Said()


class Moving:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def is_looking(process: PeriodicProcess) -> bool:
    return process._process is not None


def until_heard(process: PeriodicProcess, caplog: pytest.LogCaptureFixture, lines: int) -> None:
    while len(caplog.records) < lines:
        process.tend()
        time.sleep(0.01)


def test_a_look_is_started_when_it_is_due_and_told_where_it_is_new(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    clock = Moving()
    process = PeriodicProcess("no_such_module", tmp_path, 300.0, clock)
    process.tend()
    assert not is_looking(process)
    clock.at += 10.0
    until_heard(process, caplog, 1)
    assert "No module named no_such_module" in caplog.text
    clock.at += 450.0
    process.tend()
    assert is_looking(process)
    while is_looking(process):
        process.tend()
        time.sleep(0.01)
    assert len(caplog.records) == 1  # it said the same


def test_a_look_that_hangs_is_ended_and_none_is_started_where_nobody_wants_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sleeper.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    clock = Moving()
    process = PeriodicProcess("sleeper", tmp_path, 300.0, clock)
    clock.at += 10.0
    process.tend()
    assert is_looking(process)
    clock.at += 7300.0
    process.tend()
    assert not is_looking(process)
    never = PeriodicProcess("sleeper", tmp_path, 0.0, clock)
    clock.at += 1e6
    never.tend()
    assert not is_looking(never)
