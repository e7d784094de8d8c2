"""What people say of readings is kept on the right side, once, and goes with its writer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handfed.clients.device.store.feedback import Feedback, give
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.locks import Cost, PassphraseLock
from handfed.clients.device.store.picks import Picks
from handfed.clients.device.store.retention import FeedbackSettings, picks_of, read_settings, write_settings
from handfed.clients.device.store.split import feedback_is_held_out
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import ConflictError, LockedStoreError, SettingError, WriterError
from handfed.shared.tasks import TASKS

Make = Callable[..., Incoming]
DIGITS = Alphabet(tuple("0123456789"))
WORDS = "three small rivers"


def said(seed: int, reading: str = "4", label: str = "9", **more: object) -> Feedback:
    image = np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)
    return Feedback("characters", image, reading, label, confidence=0.7, release=3, **more)  # type: ignore[arg-type]


def sides(store: Store) -> tuple[list[int], list[int]]:
    """Labels that are trained on, and labels that releases are judged with."""
    usable = store.handwriting(TASKS["characters"], DIGITS)
    return sorted(usable.training.labels.tolist()), sorted(usable.held_out.labels.tolist())


def test_a_correction_is_trained_on_and_a_pick_is_judged_with(store: Store, now: datetime) -> None:
    give(store, said(1, "4", "9"), by="me", now=now)
    give(store, said(2, "5", "5"), by="me", now=now)
    give(store, said(3, "7", "7", picked=True), by="me", now=now)
    give(store, said(4, "7", "1", picked=True), by="me", now=now)  # a pick that was misread counts, too
    assert sides(store) == ([5, 9], [1, 7])


@pytest.mark.parametrize("held_out", [True, False])
def test_a_known_writers_feedback_is_on_that_writers_side_and_no_correction_judges(
    store: Store, characters: Make, now: datetime, *, held_out: bool
) -> None:
    store.take_in(characters(["0"], ["Ada"], held_out=held_out), by="me", now=now)
    give(store, said(1, "4", "9", writer="Ada"), by="me", now=now)
    give(store, said(2, "5", "5", writer="Ada"), by="me", now=now)
    give(store, said(3, "7", "7", picked=True, writer="Ada"), by="me", now=now)
    assert sides(store) == (([], [0, 7]) if held_out else ([0, 5, 7, 9], []))
    (kind,) = store.contents().kinds
    found = (kind.training, kind.held_out, kind.feedback, kind.picked, kind.set_apart)
    assert found == ((0, 2, 0, 1, 2) if held_out else (4, 0, 2, 1, 0))
    usable = store.handwriting(TASKS["characters"], DIGITS)
    assert (usable.passed_over, usable.without_consent) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from([None, True, False]), st.booleans())))
def test_whatever_is_given_of_ones_own_accord_by_a_stranger_is_trained_on(
    given_: list[tuple[bool | None, bool]],
) -> None:
    for side, picked in given_:
        assert feedback_is_held_out(side, picked=picked) == (picked if side is None else side)


@pytest.mark.parametrize("picked_first", [True, False])
def test_what_is_said_otherwise_of_a_picture_stays_on_its_side(
    store: Store, now: datetime, *, picked_first: bool
) -> None:
    give(store, said(1, "4", "9", picked=picked_first), by="me", now=now)
    give(store, said(1, "4", "7", picked=not picked_first), by="me", now=now)
    give(store, said(2, "4", "7", picked=not picked_first), by="me", now=now)  # another picture
    assert sides(store) == (([7], [9]) if picked_first else ([7, 9], [7]))
    assert store.contents().kinds[0].set_apart == picked_first


def test_the_same_again_is_the_one_that_is_there(store: Store, now: datetime) -> None:
    first = give(store, said(1), by="me", now=now)
    again = give(store, said(1), by="me", now=now)
    assert (first.known, again.known, again.number, again.kind) == (False, True, first.number, "correction")
    other = give(store, said(1, writer="Ada"), by="me", now=now)
    assert (other.known, other.number) == (False, first.number + 1)
    assert sum(writer.samples for writer in store.writers()) == 1  # a picture with its label is there once


def test_what_was_imported_stays_an_import(store: Store, characters: Make, now: datetime) -> None:
    incoming = characters(["4"], ["Ada"], held_out=True)
    store.take_in(incoming, by="me", now=now)
    image = incoming.dataset.images[0]
    give(store, replace(said(0, "9", "4"), image=image), by="me", now=now)
    assert sides(store) == ([], [4])
    (held,) = store.contents().imports
    assert (held.number, held.count, held.left) == (1, 1, 1)
    assert store.newest_sample() == 1


def test_forgetting_a_writer_takes_the_feedback_and_no_more_comes(store: Store, now: datetime, tmp_path: Path) -> None:
    mine, other = said(1, "Quetzalcoatl", "9", writer="Wilhelmina"), said(2)
    give(store, mine, by="me", now=now)
    give(store, other, by="me", now=now)
    assert store.forget("Wilhelmina", now=now)[1]
    content = b"".join(path.read_bytes() for path in (tmp_path / "store").iterdir())
    assert [word for word in (b"Wilhelmina", b"Quetzalcoatl", mine.image.tobytes()[:24]) if word in content] == []
    assert other.image.tobytes()[:24] in content
    with pytest.raises(WriterError, match="forgotten"):
        give(store, mine, by="me", now=now)
    assert sides(store) == ([9], [])
    give(store, said(3), by="me", now=now)  # import 0 is still there


def test_forgetting_all_feedback_of_unknown_writers_is_by_their_number(store: Store, now: datetime) -> None:
    for seed in range(3):
        give(store, said(seed), by="me", now=now)
    (writer,) = store.writers()
    assert (writer.name, writer.samples) == (None, 3)
    assert store.forget(f"#{writer.number}", now=now)[0].samples == 3
    assert sides(store) == ([], [])
    assert store._database.connection.execute("SELECT count(*) FROM feedback").fetchone() == (0,)


def test_who_withdrew_gives_no_more_and_consent_may_come_along(store: Store, now: datetime) -> None:
    give(store, said(1, writer="Ada", consent="given"), by="me", now=now)
    assert store.writer("Ada").consent == "given"
    store.note_consent("Ada", "withdrawn", by="me", now=now)
    with pytest.raises(WriterError, match="withdrew"):
        give(store, said(2, writer="Ada"), by="me", now=now)
    assert store.writer("Ada").samples == 1


def test_of_unknown_writers_one_who_withdrew_gives_no_more(store: Store, now: datetime) -> None:
    give(store, said(1), by="me", now=now)
    (first,) = store.writers()
    store.note_consent(f"#{first.number}", "withdrawn", by="me", now=now)
    for seed in (1, 2, 3):  # the first is there already, read otherwise
        give(store, said(seed, reading="7"), by="me", now=now)
    of = {writer.number: (writer.consent, writer.samples) for writer in store.writers()}
    assert of.pop(first.number) == ("withdrawn", 1)
    assert list(of.values()) == [("unknown", 2)]
    assert sides(store) == ([9, 9], [])


@pytest.mark.parametrize("label", ["", "  ", "ab", "x" * 1001, "a\x1b"])
def test_what_is_no_character_is_refused(store: Store, now: datetime, label: str) -> None:
    with pytest.raises(SettingError):
        give(store, said(1, label=label), by="me", now=now)
    assert store.contents().kinds == ()


def test_of_words_a_label_is_a_text_and_a_composed_letter_is_one_character(store: Store, now: datetime) -> None:
    word = np.full((TASKS["words"].height, 50), 7, np.uint8)
    give(store, replace(said(1, "tbe", "the  end "), kind="words", image=word), by="me", now=now)
    give(store, said(2, "4", "e\u0301"), by="me", now=now)
    usable = store.handwriting(TASKS["words"], Alphabet(tuple(" dehnt")))
    assert (usable.passed_over, usable.training.written()) == (0, [[5, 3, 2, 0, 2, 4, 1]])
    assert store.contents().kinds[0].classes == {"\u00e9": 1}


def test_a_device_may_take_none(store: Store, now: datetime) -> None:
    write_settings(store, FeedbackSettings(taken=False, confirm=1.0))
    assert picks_of(store).fraction == 0
    with pytest.raises(ConflictError, match="--feedback"):
        give(store, said(1), by="me", now=now)
    write_settings(store, FeedbackSettings())
    assert read_settings(store) == FeedbackSettings()
    give(store, said(1), by="me", now=now)
    with pytest.raises(SettingError):
        write_settings(store, FeedbackSettings(confirm=1.5))


def test_an_encrypted_store_seals_it_and_asks_for_the_passphrase(tmp_path: Path, now: datetime) -> None:
    with Store.open(tmp_path, ask=lambda: WORDS) as store:
        give(store, said(1, "Quetzal", "9"), by="me", now=now)
        store.encrypt(PassphraseLock(WORDS, Cost(n=2**4)))
        give(store, said(2, "Quetzal", "8"), by="me", now=now)
        assert sides(store) == ([8, 9], [])
    assert b"Quetzal" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    with Store.open(tmp_path) as store:
        assert picks_of(store).fraction > 0  # picking needs no passphrase
        with pytest.raises(LockedStoreError):
            give(store, said(3), by="me", now=now)


def test_a_pick_follows_from_the_picture_and_the_key_alone(store: Store) -> None:
    picks = replace(picks_of(store), fraction=0.1)
    images = np.random.default_rng(0).integers(0, 256, (5000, 28, 28), np.uint8)
    found = [picks.pick("characters", image) for image in images]
    assert found == [picks.pick("characters", image) for image in images]
    chosen = [row for row, pick in enumerate(found) if pick]
    assert 400 < len(chosen) < 600
    other = Picks(bytes(32), 0.1)
    again = [row for row, image in enumerate(images) if other.pick("characters", image)]
    assert len({*chosen} & {*again}) < 100
    wider = replace(picks, fraction=0.2)
    assert all(wider.pick("characters", images[row]) == found[row] for row in chosen)


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_an_id_is_of_its_picture_alone(one: int, other: int) -> None:
    picks, (first, second) = Picks(bytes(32), 1.0), (said(one).image, said(other).image)
    pick = picks.pick("characters", first)
    assert pick is not None
    assert picks.is_of(pick, "characters", first)
    assert picks.is_of(pick, "characters", second) == (one == other)
    assert not picks.is_of(pick, "words", first)
    assert not picks.is_of("ü", "characters", first)
