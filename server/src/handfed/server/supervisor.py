"""Keeps the serving process going: started again where it dies, and ended with this one.

This process stays small: it imports neither Flower nor a database library.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

from handfed.shared.parent import child

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
SOUND_S: Final = 60.0  # who lived that long did not die of how it was started
END_S: Final = 15.0  # that the process has to end
WRONG_USE: Final = 2  # exit status of what no repetition mends
_log = logging.getLogger(__name__)


class Supervisor:
    """Keeps one process going.

    Args:
        command: What is started.
        given: What it reads on standard input.
        clock: Seconds of a monotonic clock.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        command: Sequence[str],
        given: bytes,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._command, self._given, self._clock, self._sleep = list(command), given, clock, sleep
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = False

    def run(self) -> int:
        """Keeps it going until it ends well, cannot be started, or this process is told to end; its exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        pause = FIRST_PAUSE_S
        while True:
            started = self._clock()
            status = 0 if self._ending else self._once()
            if status in {0, WRONG_USE} or self._ending:
                return 0 if self._ending else status
            pause = FIRST_PAUSE_S if self._clock() - started >= SOUND_S else min(2 * pause, LONGEST_PAUSE_S)
            _log.warning("the server ended with status %d; it is started again in %g seconds", status, pause)
            self._sleep(pause)

    def _once(self) -> int:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)  # noqa: S603 - our own module
        if self._process.stdin is not None:
            self._process.stdin.write(self._given)
            self._process.stdin.close()
        return self._process.wait()

    def _end(self, _signal: int, _frame: FrameType | None) -> None:
        self._ending = True
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()


def supervised(module: str, given: bytes) -> int:
    """Keeps a Python module going.

    Args:
        module: Its name. It hears of this process's id, to end with it however that ends.
        given: What it reads on standard input.
    """
    return Supervisor(child(module), given).run()
