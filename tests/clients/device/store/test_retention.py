"""Feedback goes from tables and disk when it was kept as long as it may be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from handfed.clients.device.store.feedback import Feedback, give
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.retention import FeedbackSettings, Retention, learned, sweep, write_settings
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import SettingError
from handfed.shared.tasks import TASKS

Make = Callable[..., Incoming]
DIGITS = Alphabet(tuple("0123456789"))


def said(characters: Make, seed: int, label: str = "9", **more: object) -> Feedback:
    image = characters([label], seed=seed).dataset.images[0]
    return Feedback("characters", image, "4", label, **more)  # type: ignore[arg-type]


def content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


@pytest.mark.parametrize("text", ["always", "learn-and-erase", "1", "90"])
def test_settings_read_as_they_are_written(text: str) -> None:
    assert str(Retention.parse(text)) == text


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "never", "99999", "²"])
def test_other_settings_are_refused(text: str) -> None:
    with pytest.raises(SettingError):
        Retention.parse(text)


def test_days_are_kept_and_no_more(store: Store, tmp_path: Path, characters: Make, now: datetime) -> None:
    incoming = characters(["1"], ["Bob"], seed=9)
    store.take_in(incoming, by="me", now=now)
    old, new = said(characters, 1, writer="Wilhelmina"), said(characters, 2, writer="Ada")
    give(store, old, by="me", now=now)
    on_import = Feedback("characters", incoming.dataset.images[0], "Quetzal", "1")
    give(store, on_import, by="me", now=now)
    give(store, new, by="me", now=now + timedelta(days=5))
    assert sweep(store, now + timedelta(days=400)) == 0  # for good, unless it is set
    write_settings(store, FeedbackSettings(retention=Retention(7)))
    assert sweep(store, now + timedelta(days=7)) == 0
    revision = store.revision()
    assert sweep(store, now + timedelta(days=7, seconds=1)) == 1
    assert store.revision() > revision
    assert sweep(store, now + timedelta(days=7, seconds=1)) == 0
    assert {writer.name for writer in store.writers()} == {"Bob", "Ada"}
    assert store.contents().imports[0].left == 1  # an import is no feedback
    left = content(tmp_path / "store")
    assert [word for word in (b"Wilhelmina", b"Quetzal", old.image.tobytes()[:24]) if word in left] == []
    assert new.image.tobytes()[:24] in left


def test_a_writer_of_whom_nothing_was_left_comes_back_to_the_same_side(
    store: Store, characters: Make, now: datetime
) -> None:
    names = [f"writer {number}" for number in range(4)]  # chance would hardly hold all of them out
    made = characters(["0"] * 4, names, held_out=True)
    store.take_in(dataclasses.replace(made, unlabelled=True), by="me", now=now)  # of which nothing is kept
    write_settings(store, FeedbackSettings(retention=Retention(1)))
    give(store, said(characters, 1, writer=names[0]), by="me", now=now)
    assert sweep(store, now + timedelta(days=2)) == 1
    assert (store.writers(), store.contents().forgotten) == ([], 0)
    store.take_in(dataclasses.replace(made, held_out=None), by="me", now=now)
    assert [writer.held_out for writer in store.writers()] == [1] * 4


def test_a_repeated_remark_keeps_its_sample(store: Store, characters: Make, now: datetime) -> None:
    write_settings(store, FeedbackSettings(retention=Retention(7)))
    give(store, said(characters, 1), by="me", now=now)
    give(store, said(characters, 1, writer="Ada"), by="me", now=now + timedelta(days=5))
    assert sweep(store, now + timedelta(days=8)) == 0
    assert [(writer.name, writer.samples) for writer in store.writers()] == [("Ada", 1)]


def test_a_noted_consent_outlives_what_was_kept(store: Store, characters: Make, now: datetime) -> None:
    write_settings(store, FeedbackSettings(retention=Retention(7)))
    give(store, said(characters, 1, writer="Ada", consent="given"), by="me", now=now)
    store.note_consent("Ada", "withdrawn", by="me", now=now)
    assert sweep(store, now + timedelta(days=8)) == 1
    assert store.writer("Ada").consent == "withdrawn"


def test_what_was_learned_is_erased_where_it_is_so_set(
    store: Store, tmp_path: Path, characters: Make, now: datetime
) -> None:
    store.take_in(characters(["1"], ["Bob"], seed=9, held_out=False), by="me", now=now)
    mine = said(characters, 1, writer="Ada")
    give(store, mine, by="me", now=now)
    give(store, said(characters, 2, picked=True), by="me", now=now)
    usable = store.handwriting(TASKS["characters"], DIGITS)
    assert learned(store, usable.feedback) == 0  # kept for good
    write_settings(store, FeedbackSettings(retention=Retention.parse("learn-and-erase")))
    trained = len(usable.feedback)
    assert learned(store, (*usable.feedback, 1)) == trained  # the import, number 1, stays
    usable = store.handwriting(TASKS["characters"], DIGITS)
    assert (usable.feedback, len(usable.training), len(usable.held_out)) == ((), 1, 1)  # the pick is held out
    assert (mine.image.tobytes()[:24] in content(tmp_path / "store")) == (trained == 0)


def test_what_no_round_trains_with_goes_after_a_month(store: Store, characters: Make, now: datetime) -> None:
    write_settings(store, FeedbackSettings(retention=Retention.parse("learn-and-erase")))
    give(store, said(characters, 2, picked=True), by="me", now=now)
    assert sweep(store, now + timedelta(days=29)) == 0
    assert sweep(store, now + timedelta(days=31)) == 1


def test_a_sweep_needs_no_passphrase(tmp_path: Path, characters: Make, now: datetime) -> None:
    from handfed.clients.device.store.locks import Cost, PassphraseLock

    with Store.open(tmp_path) as store:
        give(store, said(characters, 1), by="me", now=now)
        write_settings(store, FeedbackSettings(retention=Retention(1)))
        store.encrypt(PassphraseLock("three small rivers", Cost(n=2**4)))
    with Store.open(tmp_path) as store:
        assert sweep(store, now + timedelta(days=2)) == 1
