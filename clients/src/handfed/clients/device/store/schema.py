"""The tables of `samples.db`, in numbered versions; the number is SQLite's `user_version`.

| table       | a row is                                                                                     |
|-------------|----------------------------------------------------------------------------------------------|
| `settings`  | one value: the store's own number, its keys, what it is set to, and its revision             |
| `imports`   | one `handfed device import`: when, what the person called it, the task and how many were new |
| `writers`   | a person: a random number, the name, its keyed hash, and the consent with who noted it, when |
| `samples`   | a picture with what it says                                                                  |
| `forgotten` | the keyed hash of the name of a writer who is to stay forgotten                              |
| `feedback`  | what a person said of a reading: the reading, its confidence and release, and of which sample |
| `trained`   | a sample that was trained on: the run that the first such run had started from, and its draw |
| `unlabelled` | a picture that nobody labelled                                                             |
| `sides`     | the keyed hash of the name of a writer who is no longer there, and on which side that was     |
| `dropped`   | what an imported sample was known by, which a person dropped or relabelled                   |

Rules:
1. Columns that are sealed where the store is encrypted: `imports.source`, `writers.name`, `writers.noted_by`,
   `samples.label`, `samples.image`, `feedback.reading`, `unlabelled.image`. Their plain form is UTF-8, and that of
   images uint8 row by row.
2. A sample's `fingerprint` is the keyed hash of its kind, size, pixels and label, or of the form's box that it comes
   from: what is there twice comes in once.
3. `held_out` is fixed when a writer and a sample come in (`handfed.clients.device.store.split`); it is NULL of writers
   without a name, whose samples are split one by one.
4. `samples.source` tells what was imported (`import`) from what a person of his or her own accord said of a reading
   (`feedback`), and from what the device had picked at random (`pick`); `samples.confirmed` is 1 where the person said
   that the reading was right. Feedback is import 0, which is always there. A table that keeps samples for later, such
   as a replay memory, names them by `samples.id` with ON DELETE CASCADE, so that forgetting reaches it.
5. Numbers of imports and samples are never used again (AUTOINCREMENT): a seal is bound to its row.
6. `samples.doubt` says why a sample is set aside for a second look, `samples.reviewed` that a person had one, and
   `samples.weight` what it counts in training (`handfed.clients.device.store.review`).
7. A change of the tables is one more entry of `MIGRATIONS`; an entry that was released is not changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from handfed.shared.errors import StorageError

Migration = Sequence[str]  # SQL statements

_FIRST: Final[Migration] = (
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value NOT NULL)",
    """CREATE TABLE imports (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        source BLOB,
        task TEXT NOT NULL,
        count INTEGER NOT NULL
    )""",
    """CREATE TABLE writers (
        id INTEGER PRIMARY KEY,
        name BLOB,
        name_hash BLOB UNIQUE,
        consent TEXT NOT NULL CHECK (consent IN ('unknown', 'given', 'withdrawn')),
        noted_by BLOB,
        noted_at TEXT,
        held_out INTEGER
    )""",
    """CREATE TABLE samples (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        import INTEGER NOT NULL REFERENCES imports,
        writer INTEGER NOT NULL REFERENCES writers,
        kind TEXT NOT NULL,
        height INTEGER NOT NULL,
        width INTEGER NOT NULL,
        image BLOB NOT NULL,
        label BLOB NOT NULL,
        fingerprint BLOB NOT NULL UNIQUE,
        held_out INTEGER NOT NULL,
        source TEXT NOT NULL,
        confirmed INTEGER NOT NULL
    )""",
    "CREATE INDEX samples_of_writer ON samples (writer)",
    "CREATE INDEX samples_of_import ON samples (import)",
    "CREATE TABLE forgotten (name_hash BLOB PRIMARY KEY, at TEXT NOT NULL)",
)
# `settings.pick-key` is sealed in no store: who has it learns nothing of a picture, and a service without a passphrase
# picks by it.
_FEEDBACK: Final[Migration] = (
    "INSERT INTO imports VALUES (0, '', NULL, '', 0)",
    """CREATE TABLE feedback (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        request_hash BLOB NOT NULL UNIQUE,
        sample INTEGER NOT NULL REFERENCES samples ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('correction', 'confirmation')),
        picked INTEGER NOT NULL,
        reading BLOB NOT NULL,
        confidence REAL,
        release INTEGER,
        at TEXT NOT NULL
    )""",
    "CREATE INDEX feedback_of_sample ON feedback (sample)",
    "CREATE INDEX feedback_at ON feedback (at)",
    "INSERT INTO settings VALUES ('pick-key', randomblob(32))",
    "ALTER TABLE samples ADD COLUMN weight REAL NOT NULL DEFAULT 1",
    "ALTER TABLE samples ADD COLUMN doubt TEXT",
    "ALTER TABLE samples ADD COLUMN reviewed INTEGER NOT NULL DEFAULT 0",
)

# What a replay memory is drawn from (`handfed.shared.continual.memory`).
_TRAINED: Final[Migration] = (
    """CREATE TABLE trained (
        sample INTEGER PRIMARY KEY REFERENCES samples ON DELETE CASCADE,
        base INTEGER NOT NULL,
        draw INTEGER NOT NULL
    )""",
)
# What has no label is no sample: whatever reads samples would else have to leave it out.
_UNLABELLED: Final[Migration] = (
    """CREATE TABLE unlabelled (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        import INTEGER NOT NULL REFERENCES imports,
        writer INTEGER NOT NULL REFERENCES writers,
        kind TEXT NOT NULL,
        height INTEGER NOT NULL,
        width INTEGER NOT NULL,
        image BLOB NOT NULL,
        fingerprint BLOB NOT NULL UNIQUE
    )""",
    "CREATE INDEX unlabelled_of_writer ON unlabelled (writer)",
    "CREATE INDEX unlabelled_of_import ON unlabelled (import)",
)
# The same picture said to be something else stays on its side (`feedback.picture` is its keyed hash, NULL of feedback
# that an older Handfed took); whoever comes back comes to the same side; what was looked at stays as it was settled.
_LASTING: Final[Migration] = (
    "ALTER TABLE feedback ADD COLUMN picture BLOB",
    "CREATE INDEX feedback_on_picture ON feedback (picture)",
    "CREATE TABLE sides (name_hash BLOB PRIMARY KEY, held_out INTEGER NOT NULL)",
    """CREATE TABLE dropped (
        fingerprint BLOB PRIMARY KEY,
        writer INTEGER NOT NULL REFERENCES writers ON DELETE CASCADE
    )""",
    "CREATE INDEX dropped_of_writer ON dropped (writer)",
)
MIGRATIONS: Final[Sequence[Migration]] = (_FIRST, (*_FEEDBACK, *_TRAINED), (*_UNLABELLED, *_LASTING))
WROTE_NOTHING: Final = (  # of writers
    "id NOT IN (SELECT writer FROM samples) AND id NOT IN (SELECT writer FROM unlabelled)"
    " AND id NOT IN (SELECT writer FROM dropped)"
)

# Every column that is sealed, as (table, column).
SEALED: Final = (
    ("imports", "source"),
    ("writers", "name"),
    ("writers", "noted_by"),
    ("samples", "label"),
    ("samples", "image"),
    ("feedback", "reading"),
    ("unlabelled", "image"),
)


def is_newest(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> bool:
    """Whether the tables are of the newest version.

    Raises:
        StorageError: A newer Handfed made the store.
    """
    return _version(connection, len(migrations)) == len(migrations)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Brings the tables to the newest version, in the transaction that is open: all steps or none.

    Args:
        connection: Of the store, within a transaction that writes.
        migrations: From no tables to the newest; entry `i` leads from version `i` to the next.

    Raises:
        StorageError: A newer Handfed made the store.
    """
    version = _version(connection, len(migrations))
    for migration in migrations[version:]:
        for statement in migration:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(migrations)}")


def _version(connection: sqlite3.Connection, newest: int) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > newest:
        raise StorageError(
            f"the store is of version {version}, and this Handfed knows versions up to {newest};"
            " update Handfed on this device"
        )
    return int(version)
