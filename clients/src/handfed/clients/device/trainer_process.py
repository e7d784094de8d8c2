"""The trainer's process, as its parent has it: started for a message, kept warm, let go, and killed when it hangs.

TensorFlow lives in that process and in no other. Messages go there and answers come back over a pair of sockets, each
as the bytes of Flower's protobuf `Message` (`handfed.clients.trainer.child` is the other end).

Rules:
1. A message has a time; when that is over, or the process takes more memory than it may, it is killed, and the parent
   knows why. Killing is all that helps: a step that hangs in native code hears no signal.
2. Whoever is killed, or ends, is started anew for the next message, and does not come to it half done.
3. It dies with its parent.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from handfed.shared.errors import HandfedError
from handfed.shared.parent import child

TRAINER: Final = "handfed.clients.trainer.device_app:create"  # what a device answers with; imported by the child alone
_CHILD: Final = "handfed.clients.trainer.child"
_GLANCE_S: Final = 0.2
_END_S: Final = 5.0


class TrainerError(HandfedError):
    """The trainer's process gave no answer; the message may leave the device."""


@dataclass(frozen=True)
class Limits:
    """What the trainer's process may take.

    Attributes:
        threads: Of one operation; 0 lets TensorFlow use every core.
        niceness: How far it stands back behind other programs, 0 to 19.
        memory_bytes: Resident memory at which it is killed; 0 for no limit.
        step_s: Seconds that one message may take at most.
        idle_s: Seconds without a message after which it is let go.
    """

    threads: int = 0
    niceness: int = 10
    memory_bytes: int = 0
    step_s: float = 3600.0
    idle_s: float = 900.0


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    connection: Connection


class TrainerProcess:
    """The process, or none; for one thread.

    Args:
        folder: The device's folder.
        limits: What it may take.
        app: `module:function`; the function takes the folder and the threads and gives a Flower `ClientApp`.
    """

    def __init__(self, folder: Path, limits: Limits, app: str = TRAINER) -> None:
        self._folder = folder
        self._limits = limits
        self._app = app
        self._child: _Child | None = None
        self._used_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process's id; None where there is none."""
        return None if self._child is None else self._child.process.pid

    def answer(self, message: bytes, *, time_s: float, cancelled: Callable[[], str | None]) -> bytes:
        """Has a message answered.

        Args:
            message: Flower's protobuf `Message`, encoded.
            time_s: Seconds that it may take.
            cancelled: Says, while it is worked on, why it is not wanted any more; None where it is.

        Returns:
            The answer, of the same form.

        Raises:
            TrainerError: The process ended, or was killed, and why.
        """
        child = self._started()
        watchdog = _Watchdog(child.process, min(time_s, self._limits.step_s), self._limits.memory_bytes, cancelled)
        try:
            with watchdog:
                child.connection.send_bytes(message)
                return child.connection.recv_bytes()
        except (EOFError, OSError):
            status = _ended(child.process)
            raise TrainerError(watchdog.reason or f"the trainer's process ended ({status}); its log says why") from None
        finally:
            self._used_at = time.monotonic()
            if watchdog.reason or child.process.poll() is not None:
                self.stop()

    def let_go_if_idle(self) -> bool:
        """Ends the process where nothing was asked of it for a while; whether it did."""
        if self._child is None or time.monotonic() - self._used_at < self._limits.idle_s:
            return False
        self.stop()
        return True

    def stop(self) -> None:
        """Ends the process, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            child.connection.close()
            child.process.kill()
            child.process.wait()

    def _started(self) -> _Child:
        if self._child is not None and self._child.process.poll() is not None:
            self.stop()  # it was killed while it waited, as by a system short of memory
        if self._child is None:
            self._child = self._start()
        return self._child

    def _start(self) -> _Child:
        ours, theirs = Pipe()
        with theirs:
            limits = self._limits
            process = subprocess.Popen(  # noqa: S603 - this Python, and words of our own
                child(_CHILD, theirs.fileno(), limits.threads, limits.niceness, self._app, self._folder),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
                process_group=0,  # Ctrl+C is for the parent, which ends this one when it has said so
                env=_environment(limits.threads),
            )
        return _Child(process, ours)


class _Watchdog:
    """Kills a process that takes too long or too much, while a block runs.

    Attributes:
        reason: Why it was killed, in words that may leave the device; None where it was not.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], time_s: float, memory_bytes: int, cancelled: Callable[[], str | None]
    ) -> None:
        self.reason: str | None = None
        self._process = process
        self._time_s = time_s
        self._memory_bytes = memory_bytes
        self._cancelled = cancelled
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._end = time.monotonic() + self._time_s
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_GLANCE_S):
            self.reason = self._found()
            if self.reason is not None:
                self._process.kill()
                return

    def _found(self) -> str | None:
        if time.monotonic() > self._end:
            return f"the trainer's process hung or was too slow, and was killed after {self._time_s:.0f} s"
        if 0 < self._memory_bytes < resident_bytes(self._process.pid):
            return f"the trainer's process took more than {self._memory_bytes // 10**6} MB of memory, and was killed"
        return self._cancelled()


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 where the system does not tell (proc_pid_statm(5))."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _ended(process: subprocess.Popen[bytes]) -> str:
    """How a process ended that closed its end."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_S)
    if process.poll() is None:
        process.kill()
        process.wait()
    status = process.returncode
    return f"by signal {-status}" if status < 0 else f"with status {status}"


def _environment(threads: int) -> dict[str, str]:
    chosen = {name: str(threads) for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")} if threads else {}
    return {**os.environ, **chosen}
