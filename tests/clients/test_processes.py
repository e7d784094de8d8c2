"""Processes that clients start: they import nothing that lies about, and none is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from handfed.clients.device import credentials, shadow_process
from handfed.clients.device.periodic_process import PeriodicProcess
from handfed.clients.device.shadow_process import Broken
from handfed.clients.edge import health
from handfed.clients.edge.state import Reason
from handfed.shared.manifest import MANIFEST

SOURCES = Path(__file__).parents[2] / "clients" / "src"


def upkeep(folder: Path) -> None:
    process = PeriodicProcess("handfed.clients.device.release_upkeep", folder, 1e-6)
    while process._process is None:
        process.tend()
    assert process._process.wait(60) == 1  # it has not joined
    process.stop()


def tried(folder: Path) -> None:
    assert health.examine(folder / "none").reason is Reason.UNUSABLE


def compared(folder: Path) -> None:
    assert shadow_process.compare(folder, folder / "1", folder / "2") == Broken("ManifestError")


@pytest.mark.parametrize("start", [upkeep, tried, compared])
def test_what_lies_in_the_working_directory_is_not_imported(
    start: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be anybody's, and the process is the user's who owns the device's key."""
    (tmp_path / "json.py").write_text("open('was-run', 'w')\nraise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, named)))  # an empty one names this directory
    start(tmp_path / "device")
    assert not (tmp_path / "was-run").exists()


def test_no_module_starts_python_by_another_way() -> None:
    found = [path.name for path in SOURCES.rglob("*.py") if "sys.executable" in path.read_text(encoding="utf-8")]
    assert found == []


PARENT = """
import subprocess, sys
from handfed.shared.parent import child
process = subprocess.Popen(child(*sys.argv[1:]))
print(process.pid, flush=True)
process.wait()
"""
HANGING = {
    "handfed.clients.edge.health": ["release"],
    "handfed.clients.device.shadow": ["device", "release", "release"],
    "handfed.clients.device.release_upkeep": ["device", "report"],
}


def is_at_work(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no means to it")
@pytest.mark.parametrize("module", HANGING)
def test_none_goes_on_without_its_parent(module: str, tmp_path: Path) -> None:
    """What they read here never comes: nobody writes to a pipe."""
    for directory, file in (("release", MANIFEST), ("device", credentials.ENROLMENT)):
        (tmp_path / directory).mkdir(mode=0o700)
        os.mkfifo(tmp_path / directory / file, 0o600)
    command = [sys.executable, "-c", PARENT, module, *HANGING[module]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as parent:
        assert parent.stdout is not None
        child = Path("/proc") / parent.stdout.readline().strip()
        assert is_at_work(child)
        parent.kill()
    end = time.monotonic() + 30
    while is_at_work(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_at_work(child)
