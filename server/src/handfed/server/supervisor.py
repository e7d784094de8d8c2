"""Keeps the serving process going: started again where it dies, and ended with this one.

This process stays small: it imports neither Flower nor a database library.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
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
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._command, self._given, self._clock, self._sleep = list(command), given, clock, sleep

    def run(self) -> int:
        """Keeps it going until it ends well, cannot be started, or this process is told to end; its exit status."""
        return asyncio.run(self._keep_going())

    async def _keep_going(self) -> int:
        told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        pause = FIRST_PAUSE_S
        while True:
            started = self._clock()
            status = await self._once(told)
            if told.is_set() or status in {0, WRONG_USE}:
                return 0 if told.is_set() else status
            pause = FIRST_PAUSE_S if self._clock() - started >= SOUND_S else min(2 * pause, LONGEST_PAUSE_S)
            _log.warning("the server ended with status %d; it is started again in %g seconds", status, pause)
            if not await _comes_before(self._sleep(pause), told):
                return 0

    async def _once(self, told: asyncio.Event) -> int:
        process = await asyncio.create_subprocess_exec(*self._command, stdin=subprocess.PIPE)
        work = asyncio.ensure_future(process.communicate(self._given))
        if not await _comes_before(work, told):
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                process.terminate()
                try:
                    await asyncio.wait_for(work, END_S)
                except TimeoutError:
                    process.kill()
        return await process.wait()


async def _comes_before(work: Awaitable[object], told: asyncio.Event) -> bool:
    """Whether something is done before this process is told to end."""
    doing, ending = asyncio.ensure_future(work), asyncio.ensure_future(told.wait())
    await asyncio.wait({doing, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    return doing.done()


def supervised(module: str, given: bytes) -> int:
    """Keeps a Python module going.

    Args:
        module: Its name. It hears of this process's id, to end with it however that ends.
        given: What it reads on standard input.
    """
    return Supervisor(child(module), given).run()
