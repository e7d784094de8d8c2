"""As many recognisers as threads may read at once, and a queue with an end before them.

A lane is a supply, which one thread has at a time. Whoever finds lanes and queue full is told so at once, before any of
its picture is in memory.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from handfed.clients.edge.recogniser import Recogniser
from handfed.clients.edge.serving.supply import Supply
from handfed.shared.errors import HandfedError


class BusyError(HandfedError):
    """More is asked for than can be read at once."""


class Lanes:
    """Recognisers for many threads.

    Args:
        supplies: One for each thread that may read at once.
        waiting: How many more may wait for their turn.

    Raises:
        HandfedError: A supply has no recogniser.
    """

    def __init__(self, supplies: Sequence[Supply], *, waiting: int) -> None:
        self._free: queue.SimpleQueue[Supply] = queue.SimpleQueue()
        for supply in supplies:
            supply()
            self._free.put(supply)
        self._places = threading.BoundedSemaphore(len(supplies) + waiting)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, or before a lane, while the block runs.

        Raises:
            BusyError: There is none.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError("all places are taken; ask again in a moment")
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def recogniser(self, patience_s: float) -> Iterator[Recogniser]:
        """The recogniser to use now, this thread's own while the block runs; asked for within a `place`.

        Args:
            patience_s: How long to wait for a turn, in seconds.

        Raises:
            BusyError: It did not come to its turn.
        """
        try:
            supply = self._free.get(timeout=max(patience_s, 0))
        except queue.Empty:
            raise BusyError("others took too long; ask again in a moment") from None
        try:
            yield supply()
        finally:
            self._free.put(supply)
