"""Sees to it that the run that shall go on does: a process for each run, begun again where it dies.

It compares what the record wants with what goes on, over and over, so that it does not matter what broke when: a run
that is `running` on record and has no process is given one, and it goes on from its checkpoint.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from handfed.server.flower.link import Ticket
from handfed.server.runs.control import RunQueue
from handfed.server.runs.schemas import RunStateError, UnknownRunError
from handfed.server.runs.service import RunRecord
from handfed.shared.errors import HandfedError
from handfed.shared.parent import child

MOST_DEATHS: Final = 5  # of a run's process, without a round between them
_LOOK_S: Final = 0.5
_BACK_OFF_S: Final = 2.0  # after the first death, and double after each further one
_END_S: Final = 10.0  # that a process has to end
_log = logging.getLogger(__name__)


class Runs(Protocol):
    """Flower's runs; see `handfed.server.flower.link`."""

    def begin(self) -> Ticket:
        """Begins one."""

    def end(self, run: int) -> None:
        """Ends one."""


@dataclass(frozen=True)
class Launch:
    """How a run's process is started.

    Attributes:
        directory: The data directory.
        database: URL of the database.
        inside: `host:port` of the inside of the door.
    """

    directory: Path
    database: str
    inside: str

    def __call__(self, number: int, token: str) -> subprocess.Popen[bytes]:
        """Starts the process of a run; it ends with this one."""
        command = child("handfed.server.flower.run_process", number, self.directory, self.inside)
        process = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 - our own module
        if process.stdin is not None:
            process.stdin.write(f"{self.database}\n{token}\n".encode())
            process.stdin.close()
        return process


@dataclass
class _Going:
    """A run that goes on: Flower's run and the process that has it."""

    number: int
    flower_run: int
    process: subprocess.Popen[bytes]
    rounds: int


class Conductor:
    """Works off the queue of runs.

    Args:
        queue: The queue.
        runs: The record.
        link: Flower's runs.
        launch: Starts a run's process, given its number and token.
        clock: Seconds of a monotonic clock.
    """

    def __init__(
        self,
        queue: RunQueue,
        runs: RunRecord,
        link: Runs,
        launch: Callable[[int, str], subprocess.Popen[bytes]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue, self._runs, self._link, self._launch, self._clock = queue, runs, link, launch, clock
        self._going: _Going | None = None
        self._deaths = 0
        self._not_before = 0.0
        self._over = threading.Event()

    def work(self) -> None:
        """Works until `close` is called; what goes wrong in one look is logged, and looked at again."""
        while not self._over.wait(_LOOK_S):
            try:
                self.look()
            except HandfedError as error:
                _log.warning("runs are not looked after just now: %s", error)
            except Exception:  # noqa: BLE001 - this thread is the only one that looks after runs
                _log.exception("runs are not looked after just now")
        self._end_process()

    def close(self) -> None:
        """Ends the work; the run that goes on is taken up by the next server."""
        self._over.set()

    def look(self) -> None:
        """Looks once, and does what is to be done."""
        if self._going is None:
            self._begin()
        elif self._going.process.poll() is not None:
            self._ended(self._going, self._going.process.returncode)
        elif self._runs.get(self._going.number).status == "stopped":
            _log.info("run %d was stopped", self._going.number)
            self._end_process()

    def _begin(self) -> None:
        if self._clock() < self._not_before:
            return
        number = self._queue.take()
        if number is None:
            return
        ticket = self._link.begin()
        process = self._launch(number, ticket.token)
        self._going = _Going(number, ticket.run, process, self._runs.get(number).rounds)
        _log.info("run %d goes on in process %d", number, process.pid)

    def _ended(self, going: _Going, status: int) -> None:
        self._link.end(going.flower_run)
        is_over = not self._queue.is_running(going.number)
        if is_over or self._runs.get(going.number).rounds > going.rounds:
            self._deaths = 0
        self._going = None
        if is_over:
            return
        self._deaths += 1
        _log.warning("the process of run %d ended with status %d", going.number, status)
        if self._deaths >= MOST_DEATHS:
            self._deaths = 0
            self._fail(going.number, status)
        self._not_before = self._clock() + _BACK_OFF_S * 2 ** max(self._deaths - 1, 0)

    def _fail(self, number: int, status: int) -> None:
        reason = f"its process died {MOST_DEATHS} times without a round between (status {status}); see the server's log"
        try:
            self._runs.fail(number, reason)
        except (RunStateError, UnknownRunError):
            _log.info("run %d was ended meanwhile", number)

    def _end_process(self) -> None:
        going, self._going = self._going, None
        if going is None:
            return
        going.process.terminate()
        try:
            going.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            going.process.kill()
            going.process.wait()
        self._link.end(going.flower_run)
