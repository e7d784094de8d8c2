"""The private store of a device: handwriting that is trained on and evaluated with where it was written.

Rules:
1. Whatever changes the store is one transaction: after a crash it is there wholly or not at all.
2. What is forgotten, and what was there in plain before the store was encrypted, goes from the disk and not only from
   the tables. Should that be cut short, whoever opens the store next finishes it.
3. Each transaction looks up anew whether the store is encrypted, so that a trainer that keeps the store open goes on
   when its user encrypts it, and its samples are those that are there now.
4. No message of an error holds a label; names of writers are only in `WriterError`, which never leaves the device.

Source: docs/decisions/0016-private-store.md
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from handfed.clients.device.store import contents, handwriting, importing, locks, session, trained, writers
from handfed.clients.device.store.contents import Contents
from handfed.clients.device.store.database import FILE, Database
from handfed.clients.device.store.handwriting import Survey, Usable
from handfed.clients.device.store.importing import Imported, Incoming
from handfed.clients.device.store.locks import Lock
from handfed.clients.device.store.schema import is_newest, migrate
from handfed.clients.device.store.sealing import Secrets
from handfed.clients.device.store.session import Session, reseal, set_setting, setting, to_erase
from handfed.clients.device.store.writers import Consent, Forgotten, Writer
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import DamagedStoreError, SettingError, StorageError
from handfed.shared.tasks import Task


def _nobody(_: int) -> None:
    """Hears how far an import is, and does nothing."""


class Store:
    """The store, open; for one thread. Use `Store.open`.

    Args:
        database: The database, migrated.
        ask: Gives the passphrase, where the store needs one.
    """

    def __init__(self, database: Database, ask: Callable[[], str]) -> None:
        self._database = database
        self._ask = ask
        self._opened: tuple[str, Secrets] | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        ask: Callable[[], str] = locks.passphrase_from_file,
        make: bool = True,
        patience_s: float = 30.0,
    ) -> Self:
        """Opens a store, brings it to this version, and finishes what was cut short.

        Args:
            folder: The store's folder.
            ask: Gives the passphrase; called where the store is encrypted with one, when it is first used.
            make: Whether to make one where there is none.
            patience_s: How long to wait for another process that writes, in seconds.

        Raises:
            StorageError: There is none, it cannot be opened, or a newer Handfed made it.
        """
        if not make and not (folder / FILE).is_file():
            raise StorageError(f"there is no handwriting in {folder} yet; `handfed device import` brings some")
        database = Database(folder, patience_s=patience_s)
        try:
            _prepare(database)
            store = cls(database, ask)
            with contextlib.suppress(StorageError):  # of a full disk; who only trains goes on, and `is_erased` tells
                store.erase()
        except BaseException:
            database.close()
            raise
        return store

    def close(self) -> None:
        """Closes the store."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def revision(self) -> int:
        """A number that is another after each change: what was read at the same revision is still so."""
        with self._database.reading() as connection:
            return int(setting(connection, session.REVISION) or 0)

    def newest_sample(self) -> int:
        """The number of the last sample that came in; 0 before the first."""
        with self._database.reading() as connection:
            return trained.newest(connection)

    def trained_up_to(self) -> int:
        """The number of the last sample that a finished run could train on; 0 before the first such run."""
        with self._database.reading() as connection:
            return trained.up_to(connection)

    def note_trained(self, run: int, sample: int) -> None:
        """Notes that a round of a run trained on samples up to a number; no new revision.

        Args:
            run: Its number on the server's record.
            sample: The number, as of `newest_sample` before what was trained on was read.
        """
        with self._database.reading() as connection:
            if trained.is_noted(connection, run, sample):
                return
        with self._database.writing() as connection:
            trained.note(connection, run, sample)

    def settle(self, finished: Collection[int]) -> None:
        """Has what runs trained on count as trained on, since they are finished; no new revision."""
        with self._database.reading() as connection:
            if trained.is_settled(connection, finished):
                return
        with self._database.writing() as connection:
            trained.settle(connection, finished)

    def is_erased(self) -> bool:
        """Whether what was deleted is gone from the disk; otherwise the next opening tries again."""
        with self._database.reading() as connection:
            return setting(connection, session.ERASING) is None

    def handwriting(self, task: Task, alphabet: Alphabet, inputs: str = "") -> Usable:
        """What is trained on, and what is held out.

        Args:
            task: Its kind and height count; its alphabet does not.
            alphabet: The classes that labels count in, as the run has them.
            inputs: What is seen beside the ink, as the run has it; planes of strokes stay empty.

        Raises:
            LockedStoreError: The passphrase or key is wrong.
            DamagedStoreError: The store is damaged.
            SettingError: There are no such inputs.
        """
        with self._reading() as opened:
            return handwriting.handwriting(opened, task, alphabet, inputs)

    def survey(self, task: Task, alphabet: Alphabet, *, each: int) -> Survey:
        """The handwriting of a task, by whether runs had it.

        Args:
            task: Its kind and height count; its alphabet does not.
            alphabet: The classes that labels count in.
            each: Samples of a writer that are taken, of either side: the first.

        Raises:
            LockedStoreError: The passphrase or key is wrong.
            DamagedStoreError: The store is damaged.
        """
        with self._reading() as opened:
            up_to = trained.up_to(opened.connection)
            return handwriting.survey(opened, task, alphabet, up_to=up_to, each=each)

    def remember(self, rows: NDArray[np.int64], start_from: int) -> None:
        """Notes what was trained on, so that a later run's replay memory is drawn from it.

        Args:
            rows: int64 (n,), the store's numbers of the samples (`Usable.rows`).
            start_from: The run that the run which trained on them had started from; 0 for none.

        Raises:
            StorageError: The disk is full, or the store cannot be used.
        """
        with self._writing() as opened:
            handwriting.remember(opened, rows, start_from)

    def alphabet(self, task: Task) -> Alphabet:
        """The task's alphabet; where it has none of its own, the classes of what is usable here.

        Raises:
            DatasetError: There are fewer than two classes.
            LockedStoreError: The passphrase or key is wrong.
        """
        with self._reading() as opened:
            return handwriting.alphabet_of(opened, task)

    def take_in(
        self, incoming: Incoming, *, by: str, now: datetime, progress: Callable[[int], None] = _nobody
    ) -> Imported:
        """Imports handwriting: all of it, or nothing.

        Args:
            incoming: What is imported.
            by: Who imports it.
            now: Aware.
            progress: Told how many samples were looked at so far.

        Raises:
            StorageError: The disk is full, or the store cannot be used.
            UsageError: It cannot be imported like that; see `handfed.clients.device.store.importing.take_in`.
        """
        with self._writing() as opened:
            return importing.take_in(opened, incoming, by=by, at=_text_of(now), progress=progress)

    def contents(self) -> Contents:
        """What is in the store."""
        with self._reading() as opened:
            return contents.contents(opened)

    def writers(self) -> list[Writer]:
        """Who is in the store; for the operator's own terminal."""
        with self._reading() as opened:
            return writers.listed(opened)

    def writer(self, reference: str) -> Writer:
        """The writer who is meant, by name or `#number`.

        Raises:
            WriterError: There is no such writer.
        """
        with self._reading() as opened:
            number = writers.find(opened, reference)
            return next(writer for writer in writers.listed(opened) if writer.number == number)

    def note_consent(self, reference: str, consent: Consent, *, by: str, now: datetime) -> None:
        """Puts a writer's consent on record.

        Args:
            reference: The writer's name, or `#number`.
            consent: What it is now.
            by: Who notes it.
            now: Aware.

        Raises:
            WriterError: There is no such writer.
        """
        with self._writing() as opened:
            writers.note_consent(opened, writers.find(opened, reference), consent, by=by, at=_text_of(now))

    def require_consent(self, required: bool) -> None:
        """Sets whether only handwriting whose writers gave consent is used."""
        with self._writing() as opened:
            set_setting(opened.connection, session.REQUIRE_CONSENT, int(required))

    def forget(self, reference: str, *, now: datetime) -> tuple[Forgotten, bool]:
        """Deletes a writer with everything that he or she wrote, from the tables and from the disk.

        Args:
            reference: The writer's name, or `#number`.
            now: Aware.

        Returns:
            What went, and whether it is gone from the disk already: not so while another process reads the store.

        Raises:
            WriterError: There is no such writer.
            StorageError: The disk is full. Then the writer is as before; or deleted, and goes from the disk when the
                store is opened next.
        """
        with self._writing() as opened:
            went = writers.forget(opened, writers.find(opened, reference), at=_text_of(now))
            to_erase(opened.connection)
        return went, self.erase()

    def lock_kind(self) -> str | None:
        """What opens the store: a passphrase or the keyring; None where it is not encrypted."""
        with self._database.reading() as connection:
            lock = setting(connection, session.LOCK)
        return None if lock is None else locks.kind_of(lock)

    def encrypt(self, lock: Lock) -> bool:
        """Encrypts everything, in one transaction.

        Args:
            lock: What is to open it.

        Returns:
            Whether what was there in plain is gone from the disk already; not so while another process reads it.

        Raises:
            SettingError: It is encrypted already.
        """
        with self._writing() as opened:
            if opened.secrets.sealing is not None:
                raise SettingError("the store is encrypted already; `handfed device passphrase` changes what opens it")
            keys = opened.secrets.encrypting()
            reseal(opened.connection, opened.secrets, keys)
            _put_lock(opened, lock, keys)
        return self.erase()

    def decrypt(self) -> None:
        """Puts everything back in plain, in one transaction.

        Raises:
            SettingError: It is not encrypted.
        """
        with self._writing() as opened:
            lock = _lock_of(opened)
            plain = Secrets(opened.secrets.hashing)
            reseal(opened.connection, opened.secrets, plain)
            set_setting(opened.connection, session.LOCK, None)
            set_setting(opened.connection, session.HASHING, plain.hashing)
            to_erase(opened.connection)
        self.erase()
        locks.discard(lock)

    def change_lock(self, lock: Lock) -> bool:
        """Changes what opens an encrypted store.

        Returns:
            Whether the old lock is gone from the disk already.

        Raises:
            SettingError: It is not encrypted.
        """
        with self._writing() as opened:
            before = _lock_of(opened)
            _put_lock(opened, lock, opened.secrets)
        gone = self.erase()
        locks.discard(before)
        return gone

    def erase(self) -> bool:
        """Takes from the disk what was deleted, if anything was; whether nothing of it is left."""
        with self._database.reading() as connection:
            pending = setting(connection, session.ERASING)
        if pending is None:
            return True
        if not self._database.erase():
            return False
        with self._database.writing() as connection:
            # Should another process have deleted something since, that is still to go.
            if setting(connection, session.ERASING) == pending:
                set_setting(connection, session.ERASING, None)
        return True

    @contextlib.contextmanager
    def session(self, *, writes: bool) -> Iterator[Session]:
        """A transaction, for the parts of this package.

        Args:
            writes: Whether it writes.

        Raises:
            LockedStoreError: The passphrase or key is wrong.
            StorageError: The store cannot be used.
        """
        with self._writing() if writes else self._reading() as opened:
            yield opened

    @contextlib.contextmanager
    def plain(self, *, writes: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction without the store's keys, for the parts of this package that need none.

        Args:
            writes: Whether it writes; sealed columns it may only delete.

        Raises:
            StorageError: The store cannot be used.
        """
        with self._database.writing() if writes else self._database.reading() as connection:
            yield connection
            if writes:
                _count_up(connection)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._database.reading() as connection:
            yield Session(connection, self._secrets(connection))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        with self._reading():  # a passphrase is asked for before others have to wait
            pass
        with self._database.writing() as connection:
            yield Session(connection, self._secrets(connection))
            _count_up(connection)

    def _secrets(self, connection: sqlite3.Connection) -> Secrets:
        """The store's secrets as of a transaction.

        Raises:
            LockedStoreError: The passphrase or key is wrong.
            DamagedStoreError: The store has neither keys nor a lock, or the lock is damaged.
        """
        lock = setting(connection, session.LOCK)
        if lock is None:
            key = setting(connection, session.HASHING)
            if key is None:
                raise DamagedStoreError("the store is damaged: its keys are missing; put a backup in its place")
            return Secrets(key)
        if self._opened is None or self._opened[0] != lock:
            self._opened = lock, locks.opened(lock, self._ask)
        return self._opened[1]


def _prepare(database: Database) -> None:
    """Brings a store to this version, or makes it; who finds it ready does not wait for who writes.

    Raises:
        StorageError: A newer Handfed made it.
    """
    with database.reading() as connection:
        if is_newest(connection):
            return
    with database.writing() as connection:
        migrate(connection)
        if setting(connection, session.HASHING) is None and setting(connection, session.LOCK) is None:
            set_setting(connection, session.HASHING, Secrets.new().hashing)


def _count_up(connection: sqlite3.Connection) -> None:
    set_setting(connection, session.REVISION, int(setting(connection, session.REVISION) or 0) + 1)


def _put_lock(opened: Session, lock: Lock, keys: Secrets) -> None:
    set_setting(opened.connection, session.LOCK, lock.close(keys))
    set_setting(opened.connection, session.HASHING, None)
    to_erase(opened.connection)


def _lock_of(opened: Session) -> str:
    lock = setting(opened.connection, session.LOCK)
    if lock is None:
        raise SettingError("the store is not encrypted; `handfed device encrypt` does that")
    return str(lock)


def _text_of(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="seconds")
