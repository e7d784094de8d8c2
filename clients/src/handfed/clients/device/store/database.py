"""`samples.db` as an open SQLite database: who may read it, its transactions, and that what is deleted is gone.

Rules:
1. The file has mode 0600 and its folder 0700, whatever the umask. SQLite gives its `-wal` and `-shm` files the mode of
   the file they belong to.
2. Readers see the store as it was when they began and never wait for a writer (write-ahead log); of two writers one
   waits.
3. Nothing of the store lies outside of its folder: what SQLite puts aside while it works stays in memory.
4. What is deleted is overwritten (`secure_delete`). The log holds pages as they were, and SQLite promises nothing
   of copies in unused parts of pages, so `erase` empties the log, rebuilds the file and empties the log again.

Source: https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_secure_delete,
https://sqlite.org/lang_vacuum.html
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from handfed.clients.device import folder as device_folder
from handfed.shared.errors import DamagedStoreError, StorageError
from handfed.shared.files import sync_directory

FILE: Final = "samples.db"
_MODE: Final = 0o600
_PATIENCE_S: Final = 30.0
_LOG_BYTES: Final = 2**20  # that the log keeps on the disk after a large import

# Python 3.11 gives SQLite's codes as numbers; the lowest byte is the kind of error.
_PRAGMAS: Final = (
    "temp_store = MEMORY",
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = ON",
    f"journal_size_limit = {_LOG_BYTES}",
    "foreign_keys = ON",
)
_UNCHANGED: Final = "nothing was changed"
_ON_DISK: Final = "what was deleted goes from the disk when the store is opened next"
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class Database:
    """The open database; for one thread.

    Args:
        folder: The store's folder; made when it is not there.
        patience_s: How long to wait for another process that writes, in seconds.

    Raises:
        StorageError: The folder or the file cannot be made or opened.
    """

    def __init__(self, folder: Path, *, patience_s: float = _PATIENCE_S) -> None:
        self.path = folder / FILE
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        is_new = not self.path.exists()
        device_folder.make_private(folder)
        _make_private(self.path)
        if is_new:  # SQLite syncs what it writes, and not the folders that its file is in
            _sync_names(folder, *(each.parent for each in missing))
        with self.explained():
            self.connection = sqlite3.connect(self.path, timeout=patience_s, isolation_level=None)
            try:
                for pragma in _PRAGMAS:
                    self.connection.execute(f"PRAGMA {pragma}")
            except BaseException:
                self.connection.close()
                raise

    def close(self) -> None:
        """Closes it; the last process to close it empties the log."""
        self.connection.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees the store as it is now, whatever others write meanwhile.

        Raises:
            StorageError: The store cannot be read.
        """
        with self.explained():
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                self.connection.rollback()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that writes: all of it is kept when the block ends, and nothing when it fails.

        Raises:
            StorageError: The disk is full, another process writes for too long, or the store is damaged.
        """
        with self.explained():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.commit()
            except BaseException:
                self.connection.rollback()
                raise

    def erase(self) -> bool:
        """Takes from the disk what was deleted.

        Returns:
            Whether it is gone; not so while another process reads what was there before.

        Raises:
            StorageError: The disk is full, or the store is damaged.
        """
        with self.explained(_ON_DISK):
            # The first pass overwrites what was deleted, even should the disk be too full for the rest.
            return self._log_is_emptied() and self._is_rebuilt() and self._log_is_emptied()

    def _log_is_emptied(self) -> bool:
        busy, _, _ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def _is_rebuilt(self) -> bool:
        try:
            self.connection.execute("VACUUM")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in _BUSY:
                return False
            raise
        return True

    @contextlib.contextmanager
    def explained(self, state: str = _UNCHANGED) -> Iterator[None]:
        """Turns SQLite's errors into ours; none names what the store holds.

        Args:
            state: How things are should the block fail.

        Raises:
            StorageError: The block failed.
        """
        try:
            yield
        except sqlite3.Error as error:
            raise self._explanation(error, state) from error

    def _explanation(self, error: sqlite3.Error, state: str) -> StorageError:
        kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if kind == sqlite3.SQLITE_FULL:
            return StorageError(f"the disk of {self.path} is full; {state}: free space and try again")
        if kind == sqlite3.SQLITE_IOERR:
            return StorageError(
                f"{self.path} cannot be read or written ({error}); {state}: see whether the disk is full"
            )
        if kind in _DAMAGED:
            return DamagedStoreError(f"{self.path} is damaged ({error}); put a backup in its place")
        if kind in _BUSY:
            return StorageError(f"another process writes to {self.path} for very long; wait for it and try again")
        return StorageError(f"{self.path}: {error}")


def _sync_names(*directories: Path) -> None:
    """Makes new files and folders last through a power cut.

    Raises:
        StorageError: A folder cannot be synced.
    """
    try:
        for directory in directories:
            sync_directory(directory)
    except OSError as error:
        raise StorageError(f"cannot write to {directories[0]}: {error.strerror}; choose another with --data") from error


def _make_private(path: Path) -> None:
    """Makes a file unless it is there, and gives it its mode before anything is in it.

    Raises:
        StorageError: It cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, _MODE)
        try:
            os.fchmod(handle, _MODE)
        finally:
            os.close(handle)
    except OSError as error:
        raise StorageError(f"cannot open {path}: {error.strerror}; choose another folder with --data") from error
