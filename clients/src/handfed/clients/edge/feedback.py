"""Feedback on its way from whoever reads to the device's private store, and picks on their way back.

Rules:
1. What `Desk.take` has returned is on the disk.
2. A picture is kept as the recogniser saw it, normalised; the file is not.
3. Confidence and release are known where the release in use reads the picture as the person says that it was read. Of
   what another release said, the reading alone is kept.
4. Only a device that keeps handwriting takes feedback: one that is in a federation, or has a store already.
5. In a federation it is counted how many readings of each release people saw and corrected (`tally`). What a page reads
   in the browser is not seen here and not counted, and so neither is a correction of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from handfed.clients.device.folder import store_in
from handfed.clients.device.store import feedback as records
from handfed.clients.device.store import locks
from handfed.clients.device.store.database import FILE
from handfed.clients.device.store.feedback import Feedback, Taken
from handfed.clients.device.store.picks import Picks
from handfed.clients.device.store.retention import picks_of, sweep
from handfed.clients.device.store.store import Store
from handfed.clients.device.store.writers import Consent
from handfed.clients.edge.recogniser import Recogniser
from handfed.clients.edge.tally import Tally
from handfed.shared.errors import LockedStoreError, SettingError, StorageError

_ENROLMENT: Final = "enrolment.json"  # as `handfed.clients.device.credentials` has it, which needs more libraries
_PATIENCE_S: Final = 10.0
_T = TypeVar("_T")


class NoStoreError(StorageError):
    """The device keeps no handwriting, and nobody has asked it to."""


@dataclass(frozen=True)
class Remark:
    """What a person says of a reading.

    Attributes:
        read: What was read; None for what the release in use reads.
        correct: What it says; None where the reading is right.
        writer: Who wrote it, by a name or pseudonym; None where it is not known.
        pick: The id that came with a reading that the device picked at random; None where none came.
        consent: Of the writer, whose consent is unknown so far.
        by: What read: a program of the device, or a page in its browser.
    """

    read: str | None = None
    correct: str | None = None
    writer: str | None = None
    pick: str | None = None
    consent: Consent = "unknown"
    by: Literal["browser", "program"] = "program"


def feedback_of(recogniser: Recogniser, picture: NDArray[np.uint8], remark: Remark, picks: Picks) -> Feedback:
    """What is to be kept.

    Args:
        recogniser: Of the release in use.
        picture: uint8 (height, width), grey.
        remark: What the person says.
        picks: Of the device.

    Raises:
        ImageError: The picture holds no ink, or is of another form.
        SettingError: The id is that of another picture.
    """
    kind, image = recogniser.task.kind, recogniser.normalised(picture)
    if remark.pick is not None and not picks.is_of(remark.pick, kind, image):
        raise SettingError("the id is not that of this picture; send it with the picture whose reading it came with")
    reading = recogniser.read_normalised(image, alternatives=0)
    read = reading.text if remark.read is None else remark.read
    is_known = read == reading.text
    return Feedback(
        kind,
        image,
        reading=read,
        label=read if remark.correct is None else remark.correct,
        confidence=reading.confidence if is_known else None,
        release=recogniser.release if is_known else None,
        picked=remark.pick is not None,
        writer=remark.writer,
        consent=remark.consent,
    )


class Desk:
    """Takes feedback; for any thread. One thread of its own has the store open.

    Args:
        folder: The device's folder.
        by: Who notes consents.
        ask: Gives the passphrase, where the store needs one.
    """

    def __init__(self, folder: Path, *, by: str, ask: Callable[[], str] = locks.passphrase_from_file) -> None:
        self._folder, self._by, self._ask = folder, by, ask
        self._thread = ThreadPoolExecutor(1, "feedback")
        self._store: Store | None = None
        self._picks: Picks | None = None
        self._seen: Counter[int] = Counter()  # readings of each release that are not in the tally yet
        self._counting = Lock()
        with suppress(StorageError):  # reading goes on; whoever gives feedback hears of it
            self.tend()

    @property
    def picks(self) -> Picks | None:
        """What is picked for confirmation; None where the device keeps no handwriting yet."""
        return self._picks

    def take(self, recogniser: Recogniser, picture: NDArray[np.uint8], remark: Remark) -> Taken:
        """Keeps what a person says of a reading; it is on the disk when this returns.

        Args:
            recogniser: Of the release in use; this thread's own.
            picture: uint8 (height, width), grey.
            remark: What the person says.

        Raises:
            NoStoreError: The device keeps no handwriting.
            LockedStoreError: The store is encrypted, and its passphrase is not at hand.
            HandfedError: As of `feedback_of` and `handfed.clients.device.store.feedback.give`.
        """
        return self.keep(self.feedback(recogniser, picture, remark), is_counted=remark.by != "browser")

    def feedback(self, recogniser: Recogniser, picture: NDArray[np.uint8], remark: Remark) -> Feedback:
        """What `keep` is to keep; arguments and errors as of `take`."""
        return feedback_of(recogniser, picture, remark, self._in_thread(self._current_picks))

    def keep(self, feedback: Feedback, *, is_counted: bool = True) -> Taken:
        """Keeps it; it is on the disk when this returns.

        Args:
            feedback: What is kept.
            is_counted: Whether the reading was counted, and a correction of it is to be, too.

        Raises:
            HandfedError: As of `handfed.clients.device.store.feedback.give`, or as of `take`.
        """
        return self._in_thread(lambda: self._kept(feedback, is_counted=is_counted))

    def count_reading(self, release: int | None) -> None:
        """Counts a reading that goes to people; it is in the tally after the next `tend`, or when this closes.

        Args:
            release: The number of the release that read; None of a bare file, which is not counted.
        """
        if release is not None:
            with self._counting:
                self._seen[release] += 1

    def tend(self) -> None:
        """Deletes what was kept as long as it may be, looks at the settings anew, and adds up what was read.

        Raises:
            StorageError: The store cannot be used.
        """
        self._in_thread(self._tended)

    def close(self) -> None:
        """Closes the store."""
        self._thread.submit(self._closed)
        self._thread.shutdown()

    def _in_thread(self, work: Callable[[], _T]) -> _T:
        return self._thread.submit(work).result()

    def _kept(self, feedback: Feedback, *, is_counted: bool) -> Taken:
        try:
            taken = records.give(self._opened(), feedback, by=self._by, now=datetime.now(UTC))
        except LockedStoreError as error:
            raise LockedStoreError(f"nothing was kept: {error}") from error
        if is_counted and taken.kind == "correction" and not taken.known and feedback.release is not None:
            self._add_up({feedback.release: 0}, corrections=1)
        return taken

    def _add_up(self, seen: Mapping[int, int], *, corrections: int = 0) -> None:
        """Puts readings, or a correction of them, into the tally of a device that has joined."""
        if (self._folder / _ENROLMENT).is_file():
            tally = Tally(self._folder)
            for release, readings in seen.items():
                with suppress(StorageError):  # a count is worth no answer
                    tally.add(release, readings=readings, corrections=corrections)

    def _tended(self) -> None:
        with self._counting:
            seen, self._seen = self._seen, Counter()
        self._add_up(seen)
        if self._store is not None or (store_in(self._folder) / FILE).is_file():
            sweep(self._opened(), datetime.now(UTC))
            self._current_picks()

    def _current_picks(self) -> Picks:
        self._picks = picks_of(self._opened())
        return self._picks

    def _opened(self) -> Store:
        if self._store is None:
            folder = store_in(self._folder)
            if not (folder / FILE).is_file() and not (self._folder / _ENROLMENT).is_file():
                raise NoStoreError(
                    "this device keeps no handwriting, so nothing was kept: have it join a federation with"
                    " `handfed join CODE`, or bring handwriting with `handfed device import`"
                )
            self._store = Store.open(folder, ask=self._ask, patience_s=_PATIENCE_S)
        return self._store

    def _closed(self) -> None:
        self._add_up(self._seen)
        if self._store is not None:
            self._store.close()
            self._store = None


def picks_here(folder: Path) -> Picks | None:
    """What a device picks for confirmation; None where it keeps no handwriting, or its store cannot be read.

    Args:
        folder: The device's folder.
    """
    if not (store_in(folder) / FILE).is_file():
        return None
    try:
        with Store.open(store_in(folder), make=False, patience_s=1.0) as store:
            return picks_of(store)
    except StorageError:  # reading goes on without
        return None
