"""Versions of the tables."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from handfed.clients.device.store.database import Database
from handfed.clients.device.store.schema import MIGRATIONS, SEALED, is_newest, migrate
from handfed.clients.device.store.store import Store
from handfed.shared.errors import StorageError

ADDED = ("ALTER TABLE samples ADD COLUMN read_as BLOB", "CREATE TABLE replay (sample INTEGER PRIMARY KEY)")


def version(connection: sqlite3.Connection) -> int:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


def test_a_new_store_is_of_the_newest_version(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        assert version(store._database.connection) == len(MIGRATIONS)
        assert is_newest(store._database.connection)


def test_a_later_version_is_reached_from_here_with_nothing_lost(store: Store) -> None:
    store.require_consent(required=True)
    with store._database.writing() as connection:
        migrate(connection, [*MIGRATIONS, ADDED])
    connection = store._database.connection
    assert version(connection) == len(MIGRATIONS) + 1
    assert connection.execute("SELECT read_as FROM samples").fetchall() == []
    assert connection.execute("SELECT value FROM settings WHERE name = 'require-consent'").fetchone() == (1,)


def test_a_migration_that_fails_changes_nothing(store: Store) -> None:
    with pytest.raises(StorageError), store._database.writing() as connection:
        migrate(connection, [*MIGRATIONS, [*ADDED, "no SQL"]])
    connection = store._database.connection
    assert version(connection) == len(MIGRATIONS)
    assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'replay'").fetchone() is None


def test_a_store_of_a_newer_handfed_is_refused_and_left_alone(tmp_path: Path) -> None:
    database = Database(tmp_path)
    with database.writing() as connection:
        migrate(connection, [*MIGRATIONS, ADDED])
    database.close()
    before = (tmp_path / "samples.db").read_bytes()
    with pytest.raises(StorageError, match=f"version {len(MIGRATIONS) + 1}.*update Handfed"):
        Store.open(tmp_path)
    assert (tmp_path / "samples.db").read_bytes() == before


def test_every_sealed_column_is_one_of_the_tables_and_every_other_holds_no_text_of_a_person(store: Store) -> None:
    connection = store._database.connection
    blobs = {
        (table, column)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall()
        if kind == "BLOB"
    }
    hashes = {
        ("writers", "name_hash"),
        ("samples", "fingerprint"),
        ("forgotten", "name_hash"),
        ("feedback", "request_hash"),
        ("feedback", "picture"),
        ("unlabelled", "fingerprint"),
        ("sides", "name_hash"),
        ("dropped", "fingerprint"),
    }
    assert blobs - hashes == set(SEALED)


def test_a_store_of_the_first_version_takes_feedback_and_imports_go_on_counting(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    import numpy as np

    from handfed.clients.device.store.feedback import Feedback, give
    from handfed.clients.device.store.retention import picks_of

    database = Database(tmp_path)
    with database.writing() as connection:
        migrate(connection, MIGRATIONS[:1])
        connection.execute("INSERT INTO settings VALUES ('hashing-key', ?)", (bytes(32),))
        connection.execute("INSERT INTO imports VALUES (5, '2026-01-01', NULL, 'digits', 1)")
        connection.execute("INSERT INTO writers (id, consent, held_out) VALUES (7, 'unknown', 0)")
        connection.execute(
            "INSERT INTO samples VALUES (9, 5, 7, 'characters', 28, 28, ?, x'34', x'66', 0, 'import', 0)", (bytes(784),)
        )
    database.close()
    with Store.open(tmp_path) as store:
        taken = give(
            store, Feedback("characters", np.ones((28, 28), np.uint8), "4", "9"), by="me", now=datetime.now(UTC)
        )
        assert taken.number == 1
        assert store.newest_sample() == 10
        assert [each.number for each in store.contents().imports] == [5]
        assert len(picks_of(store).key) == 32
        assert store._database.connection.execute("SELECT weight, doubt FROM samples").fetchall() == 2 * [(1, None)]
