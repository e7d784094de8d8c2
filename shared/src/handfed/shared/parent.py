"""A process of our own, and that it ends with its parent, whatever it is at.

Source: prctl(2), PR_SET_PDEATHSIG. The signal comes when the parent's thread ends that started the process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def child(module: str, *arguments: object) -> list[str]:
    """The command of a process that runs a module of ours.

    Nothing is imported from the working directory (`-P`): that may be anybody's, and the process is the user's who owns
    the device's key.

    Args:
        module: Its name. It hears of this process's id first, for `die_with`.
        arguments: What it is told besides.
    """
    return [sys.executable, "-P", "-m", module, str(os.getpid()), *map(str, arguments)]


def die_with(parent: int) -> None:
    """Has the system kill this process when its parent ends, where it can: on Linux.

    Args:
        parent: The parent's process id.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before that
            os._exit(1)
