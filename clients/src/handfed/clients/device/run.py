"""`handfed device run`, as a process: the lock, the signals, the log and the exit status.

The loop has a thread of its own, since a question to the server may be held for twenty seconds, and whoever stops a
device does not wait that long.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from handfed.clients.device import credentials
from handfed.clients.device.status import LOCK, Status
from handfed.clients.device.supervisor import DeviceSettings, RevokedError, Supervisor
from handfed.shared.errors import SettingError
from handfed.shared.files import held

_LOG_FORMAT: Final = "%(asctime)s %(levelname)s device: %(message)s"
_GLANCE_S: Final = 0.5
_AT_WORK_S: Final = 3.0  # for the trainer to be ended, and the server to be told
_WAITING_S: Final = 0.2
_TRIES: Final = 10  # at the lock, which who is ending, or who asks for the status, has for a moment


def now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


def run(folder: Path, settings: DeviceSettings) -> None:
    """Runs a device until it is stopped by SIGTERM or SIGINT.

    Args:
        folder: The device's folder.
        settings: How it runs.

    Raises:
        RevokedError: The server takes this device's key no more.
        SettingError: The device runs already.
        HandfedError: It is in no federation, or its folder cannot be used.
    """
    credentials.load(folder)
    with _alone(folder):
        _start_log()
        _run(folder, settings)


def _run(folder: Path, settings: DeviceSettings) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    status = Status(folder, now)
    supervisor = Supervisor(folder, settings, status, stop)
    failures: list[BaseException] = []
    work = threading.Thread(target=_kept, args=(supervisor, failures), name="loop", daemon=True)
    work.start()
    while work.is_alive() and not stop.wait(_GLANCE_S):
        pass
    stop.set()
    work.join(_AT_WORK_S if supervisor.is_at_work else _WAITING_S)
    if failures:
        status.complain(str(failures[0]))
        status.enter("revoked" if isinstance(failures[0], RevokedError) else "error")
        raise failures[0]
    supervisor.leave()
    status.enter("stopped")


def _kept(supervisor: Supervisor, failures: list[BaseException]) -> None:
    """Works, and keeps what ends it for the thread that waits."""
    try:
        supervisor.run()
    except BaseException as error:  # noqa: BLE001 - the edge of a thread: it is raised in the main one
        failures.append(error)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps a second device out of the folder.

    Raises:
        SettingError: One is there, and stays.
    """
    with ExitStack() as stack:
        for left in reversed(range(_TRIES)):
            try:
                stack.enter_context(held(folder / LOCK, what=f"the device in {folder}"))
                break
            except SettingError:
                if not left:
                    raise
                time.sleep(_WAITING_S)
        yield


def _start_log() -> None:
    """One line an event, to standard error, with ids and nothing else."""
    logging.basicConfig(format=_LOG_FORMAT, level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    flower = logging.getLogger("flwr")
    flower.handlers.clear()
    flower.setLevel(logging.WARNING)
    flower.propagate = True
