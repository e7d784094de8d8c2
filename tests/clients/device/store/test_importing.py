"""What comes into a store, and that it comes in once."""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import DatasetError, WriterError
from handfed.shared.tasks import TASKS

Make = Callable[..., Incoming]
DIGITS = Alphabet(tuple("0123456789"))


def held(store: Store) -> list[tuple[bytes, int, bool]]:
    """Every usable digit: pixels, label, and whether it is held out."""
    usable = store.handwriting(TASKS["digits"], DIGITS)
    return [
        (image.tobytes(), int(label), side)
        for samples, side in ((usable.training, False), (usable.held_out, True))
        for image, label in zip(samples.images, samples.labels, strict=True)
    ]


def test_what_was_imported_comes_out_with_its_labels(store: Store, characters: Make, now: datetime) -> None:
    incoming = characters(list("0123456789"), list("aabbccddee"), source="Year 3")
    imported = store.take_in(incoming, by="me", now=now)
    assert (imported.number, imported.samples, imported.duplicates, imported.writers) == (1, 10, 0, 5)
    assert sorted((image, label) for image, label, _ in held(store)) == sorted(
        (image.tobytes(), int(label))
        for image, label in zip(incoming.dataset.images, incoming.dataset.labels, strict=True)
    )
    (kept,) = store.contents().imports
    assert (kept.source, kept.task, kept.count, kept.left) == ("Year 3", "characters", 10, 10)
    assert kept.at == "2027-03-01T12:00:00+00:00"


def test_the_same_again_brings_nothing_and_leaves_no_import(store: Store, characters: Make, now: datetime) -> None:
    incoming = characters(["0", "1", "2"])
    store.take_in(incoming, by="me", now=now)
    before = held(store)
    again = store.take_in(incoming, by="me", now=now)
    assert (again.number, again.samples, again.duplicates) == (None, 0, 3)
    assert held(store) == before
    assert [each.number for each in store.contents().imports] == [1]
    assert len(store.writers()) == 1


def test_the_same_picture_with_another_label_is_another_sample(store: Store, characters: Make, now: datetime) -> None:
    store.take_in(characters(["0", "1"]), by="me", now=now)
    assert store.take_in(characters(["0", "2"]), by="me", now=now).samples == 1


def test_words_of_the_same_pixels_in_another_form_are_another_sample(
    store: Store, words: Make, characters: Make, now: datetime
) -> None:
    some = words(["ab", "ba"])
    store.take_in(some, by="me", now=now)
    as_lines = dataclasses.replace(some, task=dataclasses.replace(TASKS["lines"], height=32))
    assert store.take_in(as_lines, by="me", now=now).samples == 2
    assert store.take_in(characters(["0"]), by="me", now=now).samples == 1
    assert [(kind.kind, kind.height) for kind in store.contents().kinds] == [
        ("characters", 28),
        ("lines", 32),
        ("words", 32),
    ]


@hypothesis_settings(max_examples=25)
@given(
    chosen=st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abcdefgh")), min_size=1, max_size=20),
    parts=st.integers(1, 3),
    order=st.randoms(use_true_random=False),
)
def test_in_whichever_order_and_however_often_each_sample_is_there_once_on_the_same_side(
    characters: Make, now: datetime, chosen: list[tuple[int, str]], parts: int, order: random.Random
) -> None:
    images = np.random.default_rng(1).integers(0, 256, (len(chosen), 28, 28), np.uint8)
    rows = list(range(len(chosen)))
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder)) as store:
        sides = []
        for _ in range(2):
            order.shuffle(rows)
            for part in _batches(rows, parts):
                labels = [str(chosen[row][0]) for row in part]
                names = [chosen[row][1] for row in part]
                store.take_in(characters(labels, names, images=images[part]), by="me", now=now)
            sides.append(sorted(held(store)))
            for name in {name for _, name in chosen}:
                assert store.writer(name).held_out in {0, store.writer(name).samples}
        assert sides[0] == sides[1]
        assert [(image, label) for image, label, _ in sides[0]] == sorted(
            (image.tobytes(), label) for image, (label, _) in zip(images, chosen, strict=True)
        )


def _batches(rows: list[int], parts: int) -> list[list[int]]:
    size = -(-len(rows) // parts)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def test_a_writer_of_two_imports_is_one_writer(store: Store, characters: Make, now: datetime) -> None:
    store.take_in(characters(["0", "1"], ["Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}"] * 2), by="me", now=now)
    store.take_in(characters(["0"], [" Zoe\N{COMBINING DIAERESIS} "], seed=1), by="me", now=now)
    (writer,) = store.writers()
    assert (writer.name, writer.samples) == ("Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}", 3)


def test_who_wrote_it_may_be_said_where_the_files_do_not(store: Store, characters: Make, now: datetime) -> None:
    store.take_in(characters(["0", "1"], writer=" Ada "), by="me", now=now)
    assert [writer.name for writer in store.writers()] == ["Ada"]
    with pytest.raises(DatasetError, match="says who wrote what"):
        store.take_in(characters(["0"], ["Ada"], writer="Bob"), by="me", now=now)
    with pytest.raises(DatasetError, match="name is empty"):
        store.take_in(characters(["0"], writer=" "), by="me", now=now)


def test_unknown_writers_are_one_nameless_writer_an_import_and_split_by_picture(
    store: Store, characters: Make, now: datetime
) -> None:
    store.take_in(characters(["0", "1"] * 100), by="me", now=now)
    store.take_in(characters(["0", "1"], seed=2), by="me", now=now)
    listed = store.writers()
    assert sorted((writer.name, writer.samples) for writer in listed) == [(None, 2), (None, 200)]
    large = next(writer for writer in listed if writer.samples == 200)
    assert 10 < large.held_out < 80
    assert store.writer(f"#{large.number}") == large


@pytest.mark.parametrize("names", [["Ada", "Bob"] * 20, None])
@pytest.mark.parametrize("held_out", [False, True])
def test_a_person_may_say_on_which_side_new_writers_come_and_there_they_stay(
    store: Store, characters: Make, now: datetime, names: list[str] | None, held_out: bool
) -> None:
    store.take_in(characters(["0", "1"] * 20, names, held_out=held_out), by="me", now=now)
    assert {side for _, _, side in held(store)} == {held_out}
    if names is not None:
        store.take_in(characters(["2"] * 40, names, seed=1, held_out=not held_out), by="me", now=now)
        store.take_in(characters(["3"] * 40, names, seed=2), by="me", now=now)
        assert {side for _, _, side in held(store)} == {held_out}


def test_numbers_of_writers_tell_neither_order_nor_name(tmp_path: Path, characters: Make, now: datetime) -> None:
    numbers = []
    for name in ("a", "b"):
        with Store.open(tmp_path / name) as store:
            store.take_in(characters(["0", "1"], ["Ada", "Bob"]), by="me", now=now)
            numbers.append([writer.number for writer in store.writers()])
    assert len({number for pair in numbers for number in pair}) == 4


def test_consent_that_comes_with_an_import_neither_takes_away_nor_overrules(
    store: Store, characters: Make, now: datetime
) -> None:
    store.take_in(characters(["0", "1", "2"], ["Ada", "Bob", "Cy"]), by="me", now=now)
    store.note_consent("Ada", "withdrawn", by="head", now=now)
    more = characters(["3", "4"], ["Ada", "Bob"], seed=3, consent="given")
    store.take_in(more, by="me", now=now)
    store.take_in(characters(["5"], ["Bob"], seed=4), by="other", now=now)
    assert {writer.name: (writer.consent, writer.noted_by) for writer in store.writers()} == {
        "Ada": ("withdrawn", "head"),
        "Bob": ("given", "me"),
        "Cy": ("unknown", None),
    }


def test_an_import_that_fails_leaves_nothing(store: Store, characters: Make, now: datetime) -> None:
    store.take_in(characters(["0"]), by="me", now=now)

    def broken(done: int) -> None:
        raise RuntimeError(done)

    with pytest.raises(RuntimeError):
        store.take_in(characters(["1"] * 1200, ["Ada"] * 1200, seed=1), by="me", now=now, progress=broken)
    assert len(held(store)) == 1
    assert [writer.name for writer in store.writers()] == [None]


def test_progress_rises_to_the_number_of_samples(store: Store, characters: Make, now: datetime) -> None:
    told: list[int] = []
    store.take_in(characters(["0", "1"] * 600), by="me", now=now, progress=told.append)
    assert told == [500, 1000, 1200]


def test_forgotten_writers_are_passed_over_until_they_are_taken_back(
    store: Store, characters: Make, now: datetime
) -> None:
    incoming = characters(["0", "1", "2"], ["Ada", "Ada", "Bob"])
    store.take_in(incoming, by="me", now=now)
    before = sorted(held(store))
    store.forget("Ada", now=now)
    imported = store.take_in(incoming, by="me", now=now)
    assert (imported.samples, imported.refused, imported.refused_writers, imported.duplicates) == (0, 2, 1, 1)
    with pytest.raises(WriterError, match="--again"):
        store.take_in(characters(["0"], ["Ada"]), by="me", now=now)
    assert [writer.name for writer in store.writers()] == ["Bob"]
    assert store.take_in(dataclasses.replace(incoming, again=True), by="me", now=now).samples == 2
    assert sorted(held(store)) == before  # on the same side as ever
    assert store.contents().forgotten == 0
