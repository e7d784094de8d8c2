"""Marks of processes that are at work with a release which has not proved itself: one that ends there has crashed.

Rules:
1. A mark is of one piece of work and has a token of its own: a program opens a release for several threads at once.
2. Numbers of processes are used again, so a mark names the process's start too; and the machine's, since what a power
   cut ended has not crashed.

Source: random(4) for the boot id, proc_pid_stat(5) for a process's start.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_TOKEN_BYTES: Final = 8


@dataclass(frozen=True)
class Mark:
    """A piece of work of a process.

    Attributes:
        release: The directory's name of the release.
        process: The process's number.
        started: When it started, as the system counts. Empty where it is not told.
        boot: Since which start of the machine.
        token: Tells it from others of the process.
    """

    release: str
    process: int
    started: str
    boot: str
    token: str = ""

    @classmethod
    def here(cls, release: str) -> Self:
        """A new one, of this process."""
        return cls(release, os.getpid(), start_of(os.getpid()), boot(), secrets.token_hex(_TOKEN_BYTES))

    @property
    def is_alive(self) -> bool:
        """Whether its process is still at work."""
        if self.boot != boot() or self.started != start_of(self.process):
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except OSError:  # somebody else's
            return True
        return True

    @property
    def has_crashed(self) -> bool:
        """Whether its process has ended, and no power cut was why."""
        return self.boot == boot() and not self.is_alive


def boot() -> str:
    """Names this start of the machine; empty where it has no name."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def start_of(process: int) -> str:
    """When a process started, in ticks since the machine did; empty where it has ended, or the system does not say."""
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return "" if state in {"Z", "X"} else fields[18]
    except (OSError, IndexError, ValueError):
        return ""
