"""Passphrases and keyrings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import PasswordDeleteError

from handfed.clients.device.store import locks
from handfed.clients.device.store.locks import Cost, KeyringLock, PassphraseLock
from handfed.clients.device.store.sealing import Secrets
from handfed.shared.errors import DamagedStoreError, LockedStoreError, SettingError, StorageError

KEYS = Secrets.new().encrypting()
CHEAP = Cost(n=2**4)
WORDS = "three small rivers"


class MemoryKeyring(KeyringBackend):
    """A keyring of one process, behind the interface that every keyring has."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # of a library without types
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError(username)


@pytest.fixture
def memory() -> Iterator[MemoryKeyring]:
    before, ring = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def unasked() -> str:
    raise AssertionError("nobody is to be asked")


def test_the_passphrase_opens_its_lock() -> None:
    lock = PassphraseLock(WORDS, CHEAP).close(KEYS)
    assert locks.opened(lock, lambda: WORDS) == KEYS
    assert locks.kind_of(lock) == "passphrase"


def test_a_lock_says_nothing_of_the_keys_and_is_never_the_same_twice() -> None:
    assert KEYS.sealing is not None
    lock = PassphraseLock(WORDS, CHEAP).close(KEYS)
    assert KEYS.sealing.hex() not in lock
    assert KEYS.hashing.hex() not in lock
    first, second = json.loads(lock), json.loads(PassphraseLock(WORDS, CHEAP).close(KEYS))
    assert first["salt"] != second["salt"]
    assert first["keys"] != second["keys"]


def test_a_wrong_passphrase_is_told_apart_from_damage() -> None:
    lock = PassphraseLock(WORDS, CHEAP).close(KEYS)
    with pytest.raises(LockedStoreError, match="passphrase of the store is wrong"):
        locks.opened(lock, lambda: "three small river")
    for name, value in {"salt": "00" * 16, "n": 2**5, "keys": "00" * 92, "sha256": "00" * 32}.items():
        with pytest.raises(DamagedStoreError, match="lock is damaged"):
            locks.opened(json.dumps(json.loads(lock) | {name: value}), unasked)


@pytest.mark.parametrize("lock", ["", "{}", "[]", "null", '{"format": 1}', "\x00"])
def test_what_is_no_lock_is_damage(lock: str) -> None:
    with pytest.raises(DamagedStoreError):
        locks.opened(lock, unasked)


def test_a_lock_of_another_format_asks_for_an_update() -> None:
    fields = {"format": 2, "kind": "passphrase"}
    with pytest.raises(StorageError, match="newer Handfed"):
        locks.opened(json.dumps({**fields, "sha256": locks._sum(fields)}), unasked)


def test_a_lock_does_not_ask_for_all_memory() -> None:
    fields = json.loads(PassphraseLock(WORDS, CHEAP).close(KEYS)) | {"n": 2**40}
    del fields["sha256"]
    with pytest.raises(DamagedStoreError):
        locks.opened(json.dumps({**fields, "sha256": locks._sum(fields)}), unasked)


def test_letters_typed_in_two_ways_are_the_same() -> None:
    lock = PassphraseLock("caf\N{LATIN SMALL LETTER E WITH ACUTE} and more", CHEAP).close(KEYS)
    assert locks.opened(lock, lambda: "cafe\N{COMBINING ACUTE ACCENT} and more") == KEYS


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(SettingError, match="12 letters"):
        PassphraseLock("short")


def test_a_try_costs_64_mebibytes() -> None:
    cost = PassphraseLock(WORDS).cost
    assert (cost.n, cost.r, cost.p) == (65536, 8, 2)
    assert 128 * cost.n * cost.r == 64 * 2**20


def test_the_passphrase_of_a_service_is_the_first_line_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words").write_text(f"{WORDS}\nnot this\n")
    monkeypatch.setenv("HANDFED_PASSPHRASE_FILE", str(tmp_path / "words"))
    assert locks.passphrase_from_file() == WORDS
    (tmp_path / "words").write_text("\n")
    with pytest.raises(StorageError, match="is empty"):
        locks.passphrase_from_file()
    (tmp_path / "words").unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        locks.passphrase_from_file()
    monkeypatch.delenv("HANDFED_PASSPHRASE_FILE")
    with pytest.raises(LockedStoreError, match="HANDFED_PASSPHRASE_FILE"):
        locks.passphrase_from_file()


def test_the_keyring_opens_its_lock_without_asking(memory: MemoryKeyring) -> None:
    lock = KeyringLock().close(KEYS)
    assert locks.opened(lock, unasked) == KEYS
    assert locks.kind_of(lock) == "keyring"
    assert [service for service, _ in memory.kept] == ["handfed-device"]


def test_a_new_lock_leaves_the_old_one_working_until_it_is_discarded(memory: MemoryKeyring) -> None:
    old, new = KeyringLock().close(KEYS), KeyringLock().close(KEYS)
    assert locks.opened(old, unasked) == locks.opened(new, unasked) == KEYS
    locks.discard(old)
    assert locks.opened(new, unasked) == KEYS
    with pytest.raises(LockedStoreError, match="keyring of this user does not have"):
        locks.opened(old, unasked)
    assert len(memory.kept) == 1
    memory.kept.clear()
    locks.discard(new)  # of which nothing is left


def test_a_system_without_a_keyring_is_told_to_use_a_passphrase() -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    try:
        with pytest.raises(StorageError, match="use a passphrase instead"):
            KeyringLock().close(KEYS)
    finally:
        keyring.set_keyring(before)
