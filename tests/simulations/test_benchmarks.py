"""The benchmarks can be named and imported, and what they measure with measures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from handfed.shared.errors import HandfedError
from handfed.simulations.benchmarks.__main__ import BENCHMARKS, BY_DEFAULT, OF_A_SERVER, main
from handfed.simulations.benchmarks.figures import Figure
from handfed.simulations.benchmarks.lives import OnRecord, on_record
from handfed.simulations.benchmarks.processes import apart, spent

MB = 2**20


def test_every_benchmark_has_a_name_and_those_by_default_are_among_them() -> None:
    assert {"main-job", "start-up", "speed", "scale", "resume", "ablation", "augmentation"} <= set(BENCHMARKS)
    assert set(OF_A_SERVER) == {"federation", "load"}
    assert set(BY_DEFAULT) <= set(BENCHMARKS) | set(OF_A_SERVER)


def test_an_unknown_name_is_refused_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "speeed"])
    assert main() == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'speeed'" in said
    assert "speed, scale, resume" in said


def test_a_database_is_for_the_benchmarks_that_start_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, str | None]] = []

    def load(_directory: Path, _console: Console, database: str | None) -> None:
        ran.append(("load", database))

    monkeypatch.setitem(BENCHMARKS, "speed", lambda _directory, _console: ran.append(("speed", None)))
    monkeypatch.setitem(OF_A_SERVER, "load", load)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "load", "speed", "--database", "postgresql://here/one"])
    assert main() == 0
    assert ran == [("load", "postgresql://here/one"), ("speed", None)]


def test_naming_the_benchmarks_imports_neither_tensorflow_nor_flower() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, handfed.simulations.benchmarks.__main__; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "handfed.simulations.benchmarks.speed" in found
    assert not {"tensorflow", "flwr", "ray"} & set(found)


@pytest.mark.parametrize(
    ("value", "aim", "better", "met"),
    [
        (0.9, 1.0, "less", True),
        (1.0, 1.0, "less", True),
        (1.1, 1.0, "less", False),
        (5.0, 5.0, "more", True),
        (4.9, 5.0, "more", False),
        (float("nan"), 5.0, "less", False),
    ],
)
def test_a_figure_is_met_on_its_own_side_of_the_aim(value: float, aim: float, better: str, met: bool) -> None:
    assert Figure("", value, aim, better).met is met  # type: ignore[arg-type] # as parametrize types it


MEASURED = """
from handfed.simulations.benchmarks.processes import peak_memory_bytes
before = peak_memory_bytes()
held = b"x" * (200 << 20)
del held
print(before, peak_memory_bytes())
"""


def test_the_peak_of_a_process_is_its_own_and_stays_when_memory_is_given_back() -> None:
    here = b"x" * (300 * MB)
    printed = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True).stdout
    before, after = map(int, printed.split())
    assert before < len(here)  # what the process that started it holds does not count
    assert 190 * MB < after - before < 250 * MB


def test_a_function_apart_runs_in_another_process() -> None:
    assert apart(os.getpid) != os.getpid()
    with pytest.raises(ZeroDivisionError):
        apart(divmod, 1, 0)


CHILD = "import subprocess, sys, time; x = b'x' * (100 << 20); time.sleep(0.8)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}], check=True)"


def test_a_command_is_measured_with_what_it_starts() -> None:
    found = spent([sys.executable, "-c", PARENT], environment=os.environ, limit_s=30)
    assert found.wall_s > 0.8
    assert 100 * MB < found.peak_bytes < 300 * MB


def test_a_command_that_fails_is_told_with_what_it_said() -> None:
    with pytest.raises(HandfedError, match="no such thing"):
        spent([sys.executable, "-c", "raise SystemExit('no such thing')"], environment=os.environ, limit_s=30)


def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(HandfedError, match="failed after"):
        spent([sys.executable, "-c", "import time; time.sleep(60)"], environment=os.environ, limit_s=0.3)


def test_a_data_directory_without_a_run_has_nothing_on_record(tmp_path: Path) -> None:
    assert on_record(tmp_path) == OnRecord()
    (tmp_path / "handfed.db").touch()
    assert on_record(tmp_path) == OnRecord()
