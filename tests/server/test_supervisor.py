"""What dies is started again; what ends well is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from handfed.server.supervisor import LONGEST_PAUSE_S, SOUND_S, Supervisor

PATIENCE_S = 120.0
COUNT = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); n = len(p.read_text()) + 1; p.write_text('x' * n);"


def supervised(counter: Path, then: str, clock: list[float]) -> tuple[int, list[float]]:
    counter.write_text("")
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    command = [sys.executable, "-c", COUNT + then, str(counter)]
    status = Supervisor(command, b"", clock=lambda: clock.pop(0), sleep=sleep).run()
    return status, pauses


def test_what_dies_is_started_again_after_ever_longer_pauses(tmp_path: Path) -> None:
    status, pauses = supervised(tmp_path / "count", "sys.exit(0 if n == 8 else 1)", [0.0] * 20)
    assert status == 0
    assert pauses == [2, 4, 8, 16, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_what_lived_long_is_started_again_soon(tmp_path: Path) -> None:
    clock = [0.0, 1.0, 1.0, 2.0, 2.0, 2.0 + SOUND_S, 100.0]
    _, pauses = supervised(tmp_path / "count", "sys.exit(0 if n == 4 else 1)", clock)
    assert pauses == [2, 4, 1]


def test_wrong_use_is_not_repeated(tmp_path: Path) -> None:
    assert supervised(tmp_path / "count", "sys.exit(2)", [0.0] * 4) == (2, [])


def told_to_end(told: Path, then: str, *, first: str = "", **constants: float) -> float:
    """How long it takes to end, with a child that says what it was given; a process of its own, as it takes signals.

    What it would wait for in vain takes an hour.
    """
    script = (
        "import sys; from handfed.server import supervisor;"
        f"vars(supervisor).update({constants});"
        "child = 'import signal, sys, time, pathlib; ' + sys.argv[3] +"
        "    'pathlib.Path(sys.argv[1]).write_text(sys.stdin.read());' + sys.argv[2];"
        "sys.exit(supervisor.Supervisor([sys.executable, '-c', child, sys.argv[1]], b'settings').run())"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(told), then, first], env=dict(os.environ)) as process:
        end = time.monotonic() + PATIENCE_S
        while not (told.exists() and told.read_text()) and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.5)  # for what it does then
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        return time.monotonic() - asked


def test_it_gives_what_it_was_given_and_ends_with_its_process_at_once(tmp_path: Path) -> None:
    told_to_end(tmp_path / "told", "time.sleep(3600)", END_S=3600.0)
    assert (tmp_path / "told").read_text() == "settings"


def test_what_does_not_end_is_killed(tmp_path: Path) -> None:
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    assert told_to_end(tmp_path / "told", "time.sleep(3600)", first=stubborn, END_S=0.5) >= 0.5


def test_it_ends_between_two_starts_too(tmp_path: Path) -> None:
    told_to_end(tmp_path / "told", "sys.exit(1)", FIRST_PAUSE_S=3600.0, LONGEST_PAUSE_S=3600.0)
