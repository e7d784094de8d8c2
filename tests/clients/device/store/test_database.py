"""The file: its modes, its transactions, and errors."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from handfed.clients.device.store.database import Database
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.store import Store
from handfed.shared.errors import DamagedStoreError, StorageError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_nobody_else_may_read_it_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with Store.open(tmp_path / "store") as store:
            store.require_consent(required=True)
            assert mode(tmp_path / "store") == 0o700
            files = {path.name: mode(path) for path in (tmp_path / "store").iterdir()}
    finally:
        os.umask(before)
    assert files == {"samples.db": 0o600, "samples.db-wal": 0o600, "samples.db-shm": 0o600}


def test_a_store_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    Store.open(tmp_path / "store").close()
    (tmp_path / "store").chmod(0o755)
    (tmp_path / "store" / "samples.db").chmod(0o644)
    Store.open(tmp_path / "store").close()
    assert (mode(tmp_path / "store"), mode(tmp_path / "store" / "samples.db")) == (0o700, 0o600)


def test_to_look_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"no handwriting in .* yet"):
        Store.open(tmp_path / "store", make=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot make the folder .*file/store"):
        Store.open(tmp_path / "file" / "store")


def test_a_file_that_is_no_store_is_damage(tmp_path: Path) -> None:
    (tmp_path / "samples.db").write_bytes(b"no database at all, " * 500)
    with pytest.raises(DamagedStoreError, match="backup"):
        Store.open(tmp_path)


def test_a_block_that_fails_leaves_no_change(store: Store) -> None:
    before = store.revision()
    with contextlib.suppress(RuntimeError), store._writing() as opened:
        opened.connection.execute("INSERT INTO forgotten VALUES (x'00', 'now')")
        raise RuntimeError
    assert store.contents().forgotten == 0
    assert store.revision() == before


def test_of_two_who_write_one_waits_and_then_says_so(tmp_path: Path) -> None:
    with Store.open(tmp_path) as first, Store.open(tmp_path, patience_s=0.1) as second:
        with first._database.writing(), pytest.raises(StorageError, match="another process writes"):
            second.require_consent(required=True)
        second.require_consent(required=True)


def test_who_opens_does_not_wait_for_who_writes(tmp_path: Path) -> None:
    with Store.open(tmp_path) as first, first._database.writing(), Store.open(tmp_path, patience_s=0.1) as second:
        assert second.contents().kinds == ()


def test_a_full_disk_is_said_and_nothing_is_lost(
    store: Store, characters: Callable[..., Incoming], now: datetime
) -> None:
    some, many = characters(["0", "1"] * 5), characters(["0"] * 2000, seed=1)
    store.take_in(some, by="me", now=now)
    connection = store._database.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(StorageError, match="is full; nothing was changed"):
        store.take_in(many, by="me", now=now)
    connection.execute("PRAGMA max_page_count = 1000000")
    assert [each.count for each in store.contents().imports] == [10]
    assert store.take_in(many, by="me", now=now).samples == 2000


def test_nothing_is_put_aside_outside_of_the_folder(tmp_path: Path) -> None:
    database = Database(tmp_path)
    assert database.connection.execute("PRAGMA temp_store").fetchone() == (2,)  # in memory
    assert database.connection.execute("PRAGMA secure_delete").fetchone() == (1,)
    assert database.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()
