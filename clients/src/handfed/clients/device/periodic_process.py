"""Starts a look at the device's releases, or at its handwriting, from time to time, beside everything else.

Each look is a module of its own (`release_upkeep`, `handwriting_upkeep`), run in a process of its own. What it says
goes to the device's log where it is new: numbers of releases, counts, and what went wrong.
"""

from __future__ import annotations

import logging
import os
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from handfed.shared.parent import child

_FIRST_S: Final = 10.0  # so that a device that has just begun is no slower to take part
_LONGEST_S: Final = 7200.0  # after which a look has hung
_log = logging.getLogger(__name__)


class PeriodicProcess:
    """The process that looks, or none; for one thread.

    Args:
        module: What is run, with the device's folder as its argument.
        folder: The device's folder.
        every_s: Seconds between looks, on average; 0 for none.
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, module: str, folder: Path, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = module.rpartition(".")[2]
        self._command = child(module, folder)
        self._every_s, self._clock = every_s, clock
        self._due = clock() + min(_FIRST_S, every_s)
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._said = b""

    def tend(self) -> None:
        """Starts a look where one is due, and hears what came of the last."""
        if not self._every_s:
            return
        if self._process is not None:
            if self._process.poll() is not None:
                self._hear(self._process)
            elif self._clock() - self._began > _LONGEST_S:
                self.stop()
        elif self._clock() >= self._due:
            self._began = self._clock()
            self._due = self._began + self._every_s * random.uniform(0.5, 1.5)  # noqa: S311 - not all at once
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},  # NumPy takes all cores else
            )

    def stop(self) -> None:
        """Ends the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        _, said = process.communicate()
        self._process = None
        if said != self._said:
            self._said = said
            _log.info("%s: %s", self._what, "; ".join(said.decode(errors="replace").splitlines()))
