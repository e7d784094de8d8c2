"""Which recogniser is used now: the seam between whoever reads and where releases come from.

Rules:
1. Whoever reads asks a `Supply` once a picture, and uses what it gives for that picture alone.
2. A supply opens a release anew when the stamp of its source has changed, and else gives what it has.
3. What cannot be opened, or fails its self-test, is not taken up: what was used is used further, and it is tried again
   after a while.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from handfed.clients.device import folder as device_folder
from handfed.clients.edge import personal, releases
from handfed.clients.edge.recogniser import Recogniser
from handfed.clients.edge.store import STATE, Store
from handfed.shared.errors import HandfedError
from handfed.shared.manifest import MANIFEST

RETRY_S: Final = 30.0
_OPENING: Final = threading.Lock()  # LiteRT is imported and loads models with warnings held back, for all threads
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Where recognisers come from.

    Attributes:
        stamp: Gives a value that changes when another release is to be used; asked once a picture, so it is cheap.
        open: Opens the release to be used now, tested on this processor. Both raise a `HandfedError` when they cannot.
    """

    stamp: Callable[[], Hashable]
    open: Callable[[], Recogniser]

    @classmethod
    def of_releases(cls, reference: str | None, data_directory: Path, *, threads: int = 1) -> Self:
        """The release that a person names, or else the newest of a data directory, also as newer ones come.

        Args:
            reference: As `handfed.clients.edge.releases.find` takes it; None for the newest.
            data_directory: Where releases are.
            threads: Threads an inference may use.
        """

        def path() -> Path:
            return releases.newest(data_directory) if reference is None else releases.find(reference, data_directory)

        def stamp() -> Hashable:
            found = path()
            return (found, stamp_of(found / MANIFEST if found.is_dir() else found))

        def opened() -> Recogniser:
            recogniser = Recogniser.open(path(), threads=threads)
            if recogniser.manifest is not None:
                recogniser.self_test()
            return recogniser

        return cls(stamp, opened)

    @classmethod
    def of_device(cls, folder: Path, *, threads: int = 1) -> Self:
        """The release that a device pulled and uses, also as it switches and goes back.

        Args:
            folder: The device's folder.
            threads: Threads an inference may use.
        """
        store = Store(folder)
        known: tuple[Hashable, str | None] = (None, None)

        def stamp() -> Hashable:
            nonlocal known
            written = stamp_of(store.directory / STATE)
            if written is None or written != known[0]:
                known = (written, store.state().current)
            return known[1], stamp_of(folder / personal.FILE)

        return cls(stamp, lambda: Recogniser.of_device(folder, threads=threads))

    @classmethod
    def chosen(
        cls, reference: str | None, data_directory: Path, *, device: Path | None = None, threads: int = 1
    ) -> Self:
        """The release that a person names, or of a device that is named, or the newest of a data directory.

        Where the data directory holds none, it is this device's.

        Args:
            reference: As `handfed.clients.edge.releases.find` takes it; None for the newest.
            data_directory: Where releases are.
            device: Folder of the device that is named; None for none.
            threads: Threads an inference may use.

        Raises:
            StorageError: The data directory, or what the device holds, cannot be read.
        """
        located = device_folder.locate(device)
        is_meant = device is not None or not releases.are_in(data_directory)
        if reference is None and is_meant and Store(located).state().current is not None:
            return cls.of_device(located, threads=threads)
        return cls.of_releases(reference, data_directory, threads=threads)


class Supply:
    """Gives the recogniser to use; for one thread at a time, like the recogniser itself.

    Args:
        source: Where it comes from.
        now_s: A clock that only goes forwards, in seconds.
    """

    def __init__(self, source: Source, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._source, self._now_s = source, now_s
        self._recogniser: Recogniser | None = None
        self._stamp: Hashable = None
        self._retry_at: float | None = None

    def __call__(self) -> Recogniser:
        """The recogniser to use now.

        Raises:
            HandfedError: There is none, and there was none before.
        """
        try:
            stamp = self._source.stamp()
            due = self._retry_at is not None and self._now_s() >= self._retry_at
            if self._recogniser is not None and stamp == self._stamp and not due:
                return self._recogniser
            self._stamp, self._retry_at = stamp, None
            with _OPENING:
                opened = self._source.open()
        except HandfedError as error:
            return self._former(error)
        if self._recogniser is not None:
            _log.info("release %s is used now", opened.release)
        self._recogniser = opened
        return opened

    def _former(self, error: HandfedError) -> Recogniser:
        """What was used before, where there is something.

        Raises:
            HandfedError: There is nothing; the error that led here.
        """
        if self._recogniser is None:
            raise error
        if self._retry_at is None:
            _log.warning("another release cannot be used (%s); %s is still", error, self._recogniser.release)
            self._retry_at = self._now_s() + RETRY_S
        return self._recogniser


def stamp_of(path: Path) -> Hashable:
    """A value that changes when a file is written or replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size)
