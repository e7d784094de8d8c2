"""How much memory a simulation takes, with all processes that it started.

Memory of several processes is the sum of their proportional set sizes, where what they share is counted once. Source:
proc(5), `smaps_rollup`, as psutil reads it. It is looked at every second, so a shorter peak may be missed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

import psutil

_EVERY_S: Final = 1.0


class PeakMemory:
    """The most memory that this process and its descendants held at once, as far as it was looked at."""

    def __init__(self) -> None:
        self.peak_bytes = 0

    def look(self) -> None:
        """Looks now."""
        self.peak_bytes = max(self.peak_bytes, held_bytes(psutil.Process()))


def held_bytes(root: psutil.Process) -> int:
    """What a process and all that descend from it hold now; 0 where it has ended."""
    try:
        return sum(map(_bytes, [root, *root.children(recursive=True)]))
    except psutil.NoSuchProcess:
        return 0


@contextlib.contextmanager
def watched() -> Iterator[PeakMemory]:
    """Looks at memory while the block runs, and once more at its end."""
    peak, over = PeakMemory(), threading.Event()

    def look_again() -> None:
        while not over.wait(_EVERY_S):
            peak.look()

    thread = threading.Thread(target=look_again, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has just ended
        return 0
