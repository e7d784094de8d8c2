"""One transaction of the store: the connection and the secrets that go with what it sees."""

from __future__ import annotations

import secrets as random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from handfed.clients.device.store.schema import SEALED
from handfed.clients.device.store.sealing import Secrets
from handfed.shared.errors import DamagedStoreError

# Names of settings.
HASHING: Final = "hashing-key"  # bytes, where the store is not encrypted
LOCK: Final = "lock"  # JSON of `handfed.clients.device.store.locks`, where it is
REQUIRE_CONSENT: Final = "require-consent"  # 1 or 0
REVISION: Final = "revision"  # counts the transactions that wrote
FEEDBACK: Final = "feedback"  # 0 where none is taken
KEEP_FEEDBACK: Final = "keep-feedback"  # days, or `LEARN_AND_ERASE`; for good where it is not set
CONFIRM: Final = "confirm"  # the fraction of readings that is picked for confirmation
PICK_KEY: Final = "pick-key"  # bytes
PERSONAL: Final = "personal"  # 1 where a personal layer is learnt
ASSESSED: Final = "assessed"  # the revision in which labels were assessed
TRAINED: Final = "trained"  # JSON: up to which number of a sample each of the last runs trained, by the run's number
TRAINED_UP_TO: Final = "trained-up-to"  # up to which number a run trained that was finished
ERASING: Final = "erasing"  # a random word, while something deleted is not yet gone from the disk

_WORD_BYTES: Final = 8
FEEDBACK_IMPORT: Final = 0  # the number of the import that all feedback belongs to


@dataclass(frozen=True)
class Session:
    """A transaction that is open.

    Attributes:
        connection: To the database, within the transaction.
        secrets: The store's, as of this transaction.
    """

    connection: sqlite3.Connection
    secrets: Secrets

    def unsealed(self, table: str, column: str, row: int, value: bytes) -> str:
        """The text in a sealed column.

        Raises:
            DamagedStoreError: It is not as it was written.
        """
        try:
            return self.secrets.unseal(table, column, row, value).decode()
        except (UnicodeDecodeError, AttributeError):  # their text would hold what is in the column
            raise DamagedStoreError(
                f"the store is damaged: {column} of row {row} of {table} is no text; put a backup in its place"
            ) from None

    def sealed(self, table: str, column: str, row: int, text: str) -> bytes:
        """What goes into a sealed column for a text."""
        return self.secrets.seal(table, column, row, text.encode())

    def fingerprint(self, kind: str, width: int, image: bytes, label: bytes) -> bytes:
        """What a sample is known by: the same pixels of the same size and kind with the same label are one.

        Args:
            kind: characters, words or lines.
            width: In pixels.
            image: Its pixels, row by row.
            label: UTF-8.
        """
        return self.secrets.hash("sample", kind.encode(), width.to_bytes(4, "big"), image, label)

    def next_id(self, table: str) -> int:
        """The number that the next row of a table gets; numbers are never used again."""
        found = self.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return 1 if found is None else int(found[0]) + 1


def setting(connection: sqlite3.Connection, name: str) -> Any:  # noqa: ANN401 - text, bytes or a number, by its name
    """A setting's value; None where it is not set."""
    found = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
    return None if found is None else found[0]


def set_setting(connection: sqlite3.Connection, name: str, value: str | bytes | float | None) -> None:
    """Sets a setting; None takes it away."""
    if value is None:
        connection.execute("DELETE FROM settings WHERE name = ?", (name,))
    else:
        connection.execute("REPLACE INTO settings VALUES (?, ?)", (name, value))


def to_erase(connection: sqlite3.Connection) -> None:
    """Puts on record, with what is deleted, that it is still to go from the disk."""
    set_setting(connection, ERASING, random.token_hex(_WORD_BYTES))


def reseal(connection: sqlite3.Connection, before: Secrets, after: Secrets) -> None:
    """Seals every sealed column anew, within the transaction that is open.

    Raises:
        DamagedStoreError: A value does not open.
    """
    for table, column in SEALED:
        changed = (
            (after.seal(table, column, row, before.unseal(table, column, row, value)), row)
            for row, value in _values(connection, table, column)
        )
        # The names come from the schema, and a statement takes no parameter in their place.
        connection.executemany(f"UPDATE {table} SET {column} = ? WHERE id = ?", changed)  # noqa: S608


def _values(connection: sqlite3.Connection, table: str, column: str) -> Iterator[tuple[int, bytes]]:
    """Each row's number and value, one at a time: a store may be larger than memory."""
    query = f"SELECT id, {column} FROM {table} WHERE id > ? AND {column} IS NOT NULL ORDER BY id LIMIT 1"  # noqa: S608
    row = -1
    while (found := connection.execute(query, (row,)).fetchone()) is not None:
        row = found[0]
        yield row, found[1]
