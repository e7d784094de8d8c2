"""What a running device says of itself: `status.json`, which `handfed device status` reads.

    {"format": 1, "state", "since", "written_at", "started_at", "last_contact", "trained", "answered", "failed",
     "last_error": {"at", "text"} or null}

Rules:
1. It is written in one step, at each change of state and every minute: one that is older tells that the device hangs,
   or that its disk is full. Whether the device runs at all is told by the lock, which goes with its process.
2. Where it cannot be written, the device says so in its log, once, and goes on.
3. No label, writer or name of a file is in it. Times are RFC 3339, in UTC.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from handfed.shared.errors import StorageError
from handfed.shared.files import write_atomically

State = Literal["connecting", "waiting", "training", "outside-hours", "stopped", "revoked", "error"]

FILE: Final = "status.json"
LOCK: Final = "running.lock"
WELL: Final = ("waiting", "training", "outside-hours")
EVERY: Final = timedelta(minutes=1)

_FORMAT: Final = 1
_log = logging.getLogger(__name__)


@dataclass
class _Document:
    format: int
    state: State
    since: str
    written_at: str
    started_at: str
    last_contact: str | None = None
    trained: int = 0
    answered: int = 0
    failed: int = 0
    last_error: dict[str, str] | None = None


class Status:
    """The file, kept by the device that runs; may be used by several threads.

    Args:
        folder: The device's folder.
        now: Tells the time.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._path = folder / FILE
        self._now = now
        self._turn = threading.Lock()
        self._is_written = True
        begin = now()
        self._due = begin
        text = _text(begin)
        self._document = _Document(_FORMAT, "connecting", text, text, text)
        with self._turn:
            self._write()

    @property
    def state(self) -> State:
        """What the device does."""
        return self._document.state

    def enter(self, state: State) -> None:
        """Says what the device does from now on."""
        with self._turn:
            if state != self._document.state:
                self._document.state, self._document.since = state, _text(self._now())
                self._write()

    def contact(self) -> None:
        """Says that the server answered."""
        with self._turn:
            self._document.last_contact = _text(self._now())
            if self._now() >= self._due:
                self._write()

    def tick(self) -> None:
        """Says, once in a while, that the device is still there."""
        with self._turn:
            if self._now() >= self._due:
                self._write()

    def count(self, *, trained: bool, failed: bool) -> None:
        """Counts an answer.

        Args:
            trained: Whether training was asked for.
            failed: Whether it says that the device failed.
        """
        with self._turn:
            self._document.answered += not failed
            self._document.trained += trained and not failed
            self._document.failed += failed

    def complain(self, text: str) -> None:
        """Keeps the last thing that went wrong, in words for the operator.

        Args:
            text: The words, with no label, writer or name of a file.
        """
        with self._turn:
            self._document.last_error = {"at": _text(self._now()), "text": text}
            self._write()

    def _write(self) -> None:
        now = self._now()
        self._document.written_at, self._due = _text(now), now + EVERY
        try:
            write_atomically(self._path, json.dumps(asdict(self._document)).encode() + b"\n")
        except StorageError as error:
            if self._is_written:
                _log.warning("%s; the device goes on, and `handfed device status` tells old news", error)
            self._is_written = False
        else:
            self._is_written = True


def read(folder: Path) -> dict[str, Any] | None:
    """What the device said last; None where it never ran, or what it said cannot be read."""
    try:
        found = json.loads((folder / FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("format") == _FORMAT else None


def is_stale(document: dict[str, Any], now: datetime) -> bool:
    """Whether a device that runs should have said something since."""
    try:
        return now - datetime.fromisoformat(document["written_at"]) > 3 * EVERY
    except (KeyError, TypeError, ValueError):
        return True


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
