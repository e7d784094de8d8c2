"""A store at rest, encrypted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import keyring
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from keyring.backend import KeyringBackend

from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.locks import Cost, KeyringLock, PassphraseLock
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import DamagedStoreError, LockedStoreError, SettingError
from handfed.shared.tasks import TASKS

Make = Callable[..., Incoming]
WORDS = "three small rivers"
LOCK = PassphraseLock(WORDS, Cost(n=2**4))
ALPHABET = Alphabet(tuple("abcdefghijklmnopqrstuvwxyz"))


def everything(store: Store) -> object:
    usable = store.handwriting(TASKS["words"], ALPHABET)
    return (
        store.contents(),
        store.writers(),
        [(part.images.tobytes(), part.labels.tolist()) for part in (usable.training, usable.held_out)],
    )


def filled(folder: Path, words: Make, now: datetime) -> Store:
    store = Store.open(folder, ask=lambda: WORDS)
    incoming = words(["qzvxj", "river", "ab"] * 10, ["Wilhelmina Ahlquist", "Bob", "Cy"] * 10)
    store.take_in(
        Incoming(incoming.dataset, incoming.task, "words", source="Autumn term"), by="Headmaster Quill", now=now
    )
    store.note_consent("Bob", "given", by="Headmaster Quill", now=now)
    return store


SECRETS = (b"qzvxj", b"river", b"Wilhelmina", b"Autumn", b"Quill")


def found(folder: Path, *traces: bytes) -> list[bytes]:
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    return [trace for trace in traces if trace in content]


def test_what_was_there_in_plain_is_on_no_file_afterwards(tmp_path: Path, words: Make, now: datetime) -> None:
    with filled(tmp_path, words, now) as store:
        before = everything(store)
        pixels = store._database.connection.execute("SELECT image FROM samples").fetchone()[0][:32]
        hashing = store._database.connection.execute("SELECT value FROM settings WHERE name = 'hashing-key'").fetchone()
        assert found(tmp_path, *SECRETS, pixels, *hashing) == [*SECRETS, pixels, *hashing]
        assert store.encrypt(LOCK)
        assert found(tmp_path, *SECRETS, pixels, *hashing) == []
        assert everything(store) == before
    with Store.open(tmp_path, ask=lambda: WORDS) as store:
        assert everything(store) == before
        store.decrypt()
        assert everything(store) == before
        assert found(tmp_path, *SECRETS, pixels, *hashing) == [*SECRETS, pixels, *hashing]
        assert store.lock_kind() is None


@hypothesis_settings(max_examples=10)
@given(texts=st.lists(st.text("abcxyz", min_size=1, max_size=6), min_size=1, max_size=8), name=st.text(min_size=1))
def test_encrypting_and_decrypting_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, words: Make, now: datetime, texts: list[str], name: str
) -> None:
    with Store.open(tmp_path_factory.mktemp("store"), ask=lambda: WORDS) as store:
        store.take_in(words(texts, [name] * len(texts)), by="me", now=now)
        before = everything(store)
        store.encrypt(LOCK)
        assert everything(store) == before
        store.decrypt()
        assert everything(store) == before


def test_what_comes_later_is_sealed_too_and_duplicates_are_still_known(
    tmp_path: Path, words: Make, characters: Make, now: datetime
) -> None:
    with filled(tmp_path, words, now) as store:
        store.encrypt(LOCK)
        again = words(["qzvxj", "river", "ab"] * 10, ["Wilhelmina Ahlquist", "Bob", "Cy"] * 10)
        assert store.take_in(again, by="me", now=now).duplicates == 30
        new = characters(["0"], ["Nightingale"])
        store.take_in(new, by="me", now=now)
        store.note_consent("Cy", "given", by="Nurse Peach", now=now)
        assert found(tmp_path, b"Nightingale", b"Peach", new.dataset.images[0].tobytes()[:32]) == []
        assert len(store.writers()) == 4


def test_a_wrong_passphrase_opens_nothing_and_is_no_damage(tmp_path: Path, words: Make, now: datetime) -> None:
    with filled(tmp_path, words, now) as store:
        store.encrypt(LOCK)
    with Store.open(tmp_path, ask=lambda: "three small rabbits") as store:
        for use in (
            store.contents,
            store.writers,
            lambda: store.alphabet(TASKS["words"]),
            lambda: store.forget("Bob", now=now),
            lambda: store.take_in(words(["ab"]), by="me", now=now),
            store.decrypt,
        ):
            with pytest.raises(LockedStoreError):
                use()
        assert store.lock_kind() == "passphrase"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE samples SET image = zeroblob(length(image)) WHERE id = 3",
        "UPDATE samples SET label = (SELECT label FROM samples WHERE id = 4) WHERE id = 3",
        "UPDATE samples SET image = x'00' WHERE id = 3",
    ],
)
def test_damage_is_told_apart_from_a_wrong_passphrase(tmp_path: Path, words: Make, now: datetime, damage: str) -> None:
    with filled(tmp_path, words, now) as store:
        store.encrypt(LOCK)
    connection = sqlite3.connect(tmp_path / "samples.db")
    connection.execute(damage)
    connection.commit()
    connection.close()
    with (
        Store.open(tmp_path, ask=lambda: WORDS) as store,
        pytest.raises(DamagedStoreError, match=r"of row 3 of samples.*backup"),
    ):
        store.handwriting(TASKS["words"], ALPHABET)


def test_damage_of_a_store_in_plain_shows_nothing_of_it(tmp_path: Path, words: Make, now: datetime) -> None:
    with filled(tmp_path, words, now) as store:
        store._database.connection.execute("UPDATE samples SET label = x'7175697a80' WHERE id = 3")
        with pytest.raises(DamagedStoreError, match=r"^the store is damaged: label of row 3 of samples") as caught:
            store.handwriting(TASKS["words"], ALPHABET)
        assert "quiz" not in f"{caught.value}{caught.value.__cause__}"
        store._database.connection.execute("UPDATE samples SET label = x'6162', width = width + 1 WHERE id = 3")
        with pytest.raises(DamagedStoreError, match="sample 3 is not of its size"):
            store.handwriting(TASKS["words"], ALPHABET)


def test_a_new_passphrase_takes_the_place_of_the_old_one(tmp_path: Path, words: Make, now: datetime) -> None:
    with filled(tmp_path, words, now) as store:
        store.encrypt(LOCK)
        old = store._database.connection.execute("SELECT value FROM settings WHERE name = 'lock'").fetchone()[0]
        store.change_lock(PassphraseLock("another long phrase", Cost(n=2**4)))
        assert found(tmp_path, old[-300:].encode()) == []
    with Store.open(tmp_path, ask=lambda: "another long phrase") as store:
        assert len(store.writers()) == 3
    with Store.open(tmp_path, ask=lambda: WORDS) as store, pytest.raises(LockedStoreError):
        store.writers()


def test_who_has_the_store_open_goes_on_when_another_encrypts_it(tmp_path: Path, words: Make, now: datetime) -> None:
    with filled(tmp_path, words, now) as trainer, Store.open(tmp_path, ask=lambda: WORDS) as other:
        before, revision = everything(trainer), trainer.revision()
        other.encrypt(LOCK)
        assert trainer.revision() != revision
        assert everything(trainer) == before
        other.decrypt()
        assert everything(trainer) == before


def test_a_passphrase_is_asked_for_once_and_not_by_who_needs_none(tmp_path: Path, words: Make, now: datetime) -> None:
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        return WORDS

    with filled(tmp_path, words, now) as store:
        store.encrypt(LOCK)
    with Store.open(tmp_path, ask=ask) as store:
        assert (store.lock_kind(), store.revision() > 0, asked) == ("passphrase", True, [])
        store.contents()
        store.forget("Bob", now=now)
        assert asked == [1]


def test_encrypting_twice_and_decrypting_plain_are_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path, ask=lambda: WORDS) as store:
        for use in (store.decrypt, lambda: store.change_lock(LOCK)):
            with pytest.raises(SettingError, match="is not encrypted"):
                use()
        store.encrypt(LOCK)
        with pytest.raises(SettingError, match="encrypted already"):
            store.encrypt(LOCK)


def test_the_keyring_is_left_tidy(tmp_path: Path, words: Make, now: datetime) -> None:
    class MemoryKeyring(KeyringBackend):
        priority = 1.0
        kept: dict[tuple[str, str], str] = {}  # noqa: RUF012 - of one test

        def get_password(self, service: str, username: str) -> str | None:
            return self.kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.kept[service, username]

    before = keyring.get_keyring()
    ring = MemoryKeyring()  # type: ignore[no-untyped-call] # of a library without types
    keyring.set_keyring(ring)
    try:
        with filled(tmp_path, words, now) as store:
            store.encrypt(KeyringLock())
            assert store.lock_kind() == "keyring"
            store.change_lock(KeyringLock())
            assert len(ring.kept) == 1
        with Store.open(tmp_path) as store:
            assert len(store.writers()) == 3
            store.decrypt()
        assert ring.kept == {}
    finally:
        keyring.set_keyring(before)
