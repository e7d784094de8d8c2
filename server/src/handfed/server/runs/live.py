"""What devices do just now, as the server sees messages go by: for people who look on, and nothing is decided by it.

It is in memory, and forgotten when the server ends. A run asks devices by one kind of message at a time; a message for
a device that has answered the one before begins the next exchange.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from handfed.server.clock import Clock, now

Activity = Literal["asked", "working", "answered"]
_ANSWERED: Final = "answered"


@dataclass(frozen=True)
class Doing:
    """What one device does.

    Attributes:
        activity: `asked` until it fetched the message, `working` until it has answered.
        since: Since when, in UTC.
    """

    activity: Activity
    since: datetime


@dataclass(frozen=True)
class Exchange:
    """One kind of message and the devices that were sent it.

    Attributes:
        kind: As `handfed.shared.wire` names it: `train`, `evaluate`, `query.describe`, ...; None before the first.
        began_at: When the first was sent, in UTC; None before the first.
        devices: What each does, by node id.
    """

    kind: str | None
    began_at: datetime | None
    devices: Mapping[int, Doing]


class LiveExchange:
    """The exchange that goes on; safe from any thread.

    Args:
        clock: Tells the time.
    """

    def __init__(self, clock: Clock = now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kind: str | None = None
        self._began_at: datetime | None = None
        self._devices: dict[int, Doing] = {}

    def asked(self, kind: str, nodes: Iterable[int]) -> None:
        """A run sent devices a message.

        Args:
            kind: Of the message.
            nodes: The devices' node ids.
        """
        asked, moment = list(nodes), self._clock()
        with self._lock:
            if kind != self._kind or any(self._has_answered(node) for node in asked):
                self._kind, self._began_at, self._devices = kind, moment, {}
            self._devices |= {node: Doing("asked", moment) for node in asked}

    def fetched(self, node: int) -> None:
        """A device was handed its message."""
        self._note(node, "working")

    def answered(self, node: int) -> None:
        """A device has sent its answer, or begins to."""
        self._note(node, _ANSWERED)

    def forget(self) -> None:
        """Another run begins, or the same anew: nobody was asked anything for it."""
        with self._lock:
            self._kind, self._began_at, self._devices = None, None, {}

    def now(self) -> Exchange:
        """What goes on."""
        with self._lock:
            return Exchange(self._kind, self._began_at, dict(self._devices))

    def _has_answered(self, node: int) -> bool:
        return node in self._devices and self._devices[node].activity == _ANSWERED

    def _note(self, node: int, activity: Activity) -> None:
        with self._lock:
            if node in self._devices and not self._has_answered(node):
                self._devices[node] = Doing(activity, self._clock())


Watch = Callable[[], Exchange]
