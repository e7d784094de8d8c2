"""Processes apart, so that one measurement does not stand in another one's memory, and what they cost.

How memory of several processes is counted: `handfed.simulations.memory`. Where processes of somebody else share it, it
counts for less. Source of what one has held: proc(5), `status`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import psutil

from handfed.shared.errors import HandfedError
from handfed.simulations.memory import held_bytes

SAMPLED_EVERY_S: Final = 0.2
_SAID: Final = 2000  # characters of what a failed command said

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Spent:
    """What a command took, with every process that it started.

    Attributes:
        wall_s: Seconds from its start to its end.
        peak_bytes: The most memory that they held at once.
    """

    wall_s: float
    peak_bytes: int


def apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls a function in a fresh Python process and returns what it gives.

    Args:
        function: Of a module's top level; what it takes and gives can be pickled.
        args: What it takes.
        kwargs: What it takes, by name.

    Raises:
        Exception: What the function raised.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def peak_memory_bytes() -> int:
    """The most memory that this process has held since it began.

    `getrusage` would not do: its figure begins at that of the process which started this one.

    Raises:
        HandfedError: The system does not say.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "VmHWM":
            return int(value.split()[0]) * 1024
    raise HandfedError("this system does not say how much memory a process has held; measure on Linux")


def spent(command: Sequence[str], *, environment: Mapping[str, str], limit_s: float) -> Spent:
    """Runs a command to its end and looks at its memory on the way.

    Args:
        command: Program and arguments.
        environment: Its environment variables.
        limit_s: Seconds after which it is killed.

    Raises:
        HandfedError: It failed or took too long; the message holds the end of what it said.
    """
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - a command of this environment
            list(command), stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, env=dict(environment)
        )
        try:
            while process.poll() is None and time.perf_counter() - started < limit_s:
                peak = max(peak, held_bytes(psutil.Process(process.pid)))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(SAMPLED_EVERY_S)
        finally:
            _kill(process)
        wall_s = time.perf_counter() - started
        if process.returncode:
            said.seek(0)
            end = said.read().decode(errors="replace")[-_SAID:]
            raise HandfedError(f"{' '.join(command)} failed after {wall_s:.0f} s:\n{end}")
    return Spent(wall_s, peak)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends what still runs of a command, and what it started."""
    if process.poll() is None:  # it has not been waited for, so its number is still its own
        root = psutil.Process(process.pid)
        for each in [*root.children(recursive=True), root]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    process.wait()
