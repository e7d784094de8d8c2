"""Running the `handfed` command as a user would, and taking its time."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handfed.shared.errors import HandfedError


def handfed(arguments: Sequence[str], *, data_dir: Path) -> dict[str, Any]:
    """Runs `handfed ... --json` and returns the object it prints.

    Raises:
        HandfedError: It failed; the message holds what it said.
    """
    done = subprocess.run(  # noqa: S603 - the command of this environment
        [str(command()), *arguments, "--json"], capture_output=True, text=True, env=environment(data_dir), check=False
    )
    if done.returncode:
        raise HandfedError(f"handfed {' '.join(arguments)} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def seconds(arguments: Sequence[str], *, data_dir: Path, repetitions: int) -> float:
    """Median wall seconds of a whole process, after one run that is not counted."""
    times = []
    for _ in range(repetitions + 1):
        started = time.perf_counter()
        subprocess.run(  # noqa: S603 - likewise
            [str(command()), *arguments], stdout=subprocess.DEVNULL, env=environment(data_dir), check=True
        )
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def command() -> Path:
    """The `handfed` that belongs to this Python."""
    return Path(sys.executable).parent / "handfed"


def environment(data_dir: Path) -> dict[str, str]:
    """The environment of a command that keeps everything in `data_dir`."""
    return {**os.environ, "HANDFED_DATA_DIR": str(data_dir)}
