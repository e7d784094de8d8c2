"""How many readings of each release people saw on this device, and how many of them they corrected.

    recogniser/tally.json     {"3": [1240, 31], ...}: readings and corrections, by the release's number

Whoever shows readings to people, or takes corrections, counts here; the device reports totals to its server
(`handfed.shared.release_reports.Use`). Rules:
1. It holds counts alone.
2. What is damaged counts from nothing again; a reading never fails for want of a count.
3. The last `_KEPT` releases are kept.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Final, NamedTuple

from handfed.clients.edge.store import DIRECTORY
from handfed.shared.errors import StorageError
from handfed.shared.files import make_private, write_atomically

FILE: Final = "tally.json"
_LOCK: Final = "tally.lock"
_KEPT: Final = 20


class Count(NamedTuple):
    """What was counted of a release.

    Attributes:
        readings: That people saw.
        corrections: Of these, how many they corrected.
    """

    readings: int
    corrections: int


class Tally:
    """The counts of a device, for any number of processes.

    Args:
        folder: The device's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._directory = folder / DIRECTORY

    def counts(self) -> dict[int, Count]:
        """What was counted, by release."""
        try:
            read = json.loads((self._directory / FILE).read_bytes())
            return {int(release): Count(int(found[0]), int(found[1])) for release, found in read.items()}
        except (OSError, ValueError, TypeError, AttributeError, IndexError, KeyError):
            return {}

    def add(self, release: int, *, readings: int = 0, corrections: int = 0) -> None:
        """Counts what was read, or corrected; of many readings, once for all of them.

        Args:
            release: The number of the release that read.
            readings: That people saw.
            corrections: That people made.

        Raises:
            StorageError: It cannot be written.
        """
        make_private(self._directory)
        try:
            lock = os.open(self._directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StorageError(f"cannot write {self._directory}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            counts = self.counts()
            before = counts.get(release, Count(0, 0))
            counts[release] = Count(before.readings + readings, before.corrections + corrections)
            kept = {str(number): counts[number] for number in sorted(counts)[-_KEPT:]}
            write_atomically(self._directory / FILE, json.dumps(kept).encode() + b"\n")
        finally:
            os.close(lock)
