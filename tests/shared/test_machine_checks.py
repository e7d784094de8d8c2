"""What a machine has is seen, and what it lacks is said with how to mend it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from handfed.shared import machine_checks as machine
from handfed.shared.checkup import Outcome


def test_room_on_a_disk_is_that_of_the_nearest_folder_there_is(tmp_path: Path) -> None:
    check = machine.disk(tmp_path / "not" / "yet", needed_bytes=1, wanted_bytes=1)
    assert check.outcome is Outcome.OK
    assert str(tmp_path) in check.found
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize(
    ("needed", "wanted", "outcome"), [(1, 10**18, Outcome.WARNING), (10**18, 10**18, Outcome.FAILURE)]
)
def test_a_small_disk_warns_and_a_full_one_fails(tmp_path: Path, needed: int, wanted: int, outcome: Outcome) -> None:
    check = machine.disk(tmp_path, needed_bytes=needed, wanted_bytes=wanted)
    assert check.outcome is outcome
    assert "free some" in check.mend


def test_memory_below_what_is_wanted_is_a_warning() -> None:
    assert machine.memory(wanted_bytes=1).outcome is Outcome.OK
    if Path("/proc/meminfo").exists():
        assert machine.memory(wanted_bytes=10**18).outcome is Outcome.WARNING


def test_a_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n")
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("1000000000\n")
    monkeypatch.setattr(machine, "_MEMORY_INFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "_MEMORY_LIMIT", tmp_path / "memory.max")
    assert machine.memory(wanted_bytes=1).found == "2.0 GB available"
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory(wanted_bytes=1).found == "4.1 GB available"
    (tmp_path / "meminfo").unlink()
    assert machine.memory(wanted_bytes=10**18).outcome is Outcome.OK


def test_this_python_and_flower_are_the_right_ones() -> None:
    assert machine.python().outcome is Outcome.OK
    assert machine.flower("handfed-server").outcome is Outcome.OK


def test_another_python_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_PYTHONS", ((3, 1), (3, 2)))
    assert machine.python().outcome is Outcome.FAILURE


def test_another_flower_is_a_failure_that_names_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "version", lambda _: "1.42.0")
    check = machine.flower("handfed-server")
    assert (check.outcome, check.mend) == (Outcome.FAILURE, "pip install flwr==1.41.0")


def test_what_is_not_installed_is_said() -> None:
    assert "is not installed" in machine.flower("handfed-nothing").found


def test_tensorflow_is_looked_at_and_not_imported() -> None:
    before = set(sys.modules)
    machine.tensorflow()
    assert "tensorflow" not in set(sys.modules) - before


def test_the_clock_of_the_disk_is_compared_and_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_FILE_CLOCK_TOLERANCE_S", 60.0)  # a busy disk takes its time
    assert machine.file_clock(tmp_path, now=time.time()).outcome is Outcome.OK
    assert machine.file_clock(tmp_path, now=time.time() - 3600).outcome is Outcome.WARNING
    assert machine.file_clock(tmp_path / "none", now=0).outcome is Outcome.OK
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("answer", "outcome", "word"),
    [("yes", Outcome.OK, "synchronised"), ("no", Outcome.WARNING, "not"), ("", Outcome.OK, "does not tell")],
)
def test_what_timedatectl_says_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, outcome: Outcome, word: str
) -> None:
    program = tmp_path / "timedatectl"
    program.write_text(f"#!/bin/sh\necho {answer}\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "_TIMEDATECTL_TIMEOUT_S", 60)
    check = machine.ntp()
    assert check.outcome is outcome
    assert word in check.found


def test_without_timedatectl_nothing_is_said_to_be_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.ntp().outcome is Outcome.OK


def test_files_that_others_may_open_are_named_with_their_remedy(tmp_path: Path) -> None:
    folder, file, fine = tmp_path / "folder", tmp_path / "key", tmp_path / "fine"
    folder.mkdir(mode=0o755)
    for path, mode in ((file, 0o640), (fine, 0o600)):
        path.write_bytes(b"")
        path.chmod(mode)
    check = machine.private("secrets", [folder, file, fine, tmp_path / "none"])
    assert check.outcome is Outcome.FAILURE
    assert check.mend == f"chmod 700 {folder}; chmod 600 {file}"
    assert machine.private("secrets", [fine]).outcome is Outcome.OK
    assert machine.private("secrets", []).found == "none yet"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").touch(0o600)
    os.chown(tmp_path / "key", 12_345, -1)
    assert "belongs to another user" in machine.private("secrets", [tmp_path / "key"]).found


@pytest.mark.parametrize(("count", "text"), [(0, "0 MB"), (20_000_000, "20 MB"), (1_500_000_000, "1.5 GB")])
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert machine.size(count) == text
