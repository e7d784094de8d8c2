"""Who is forgotten is gone from every file of the store."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.device.store import session
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.locks import Cost, PassphraseLock
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import WriterError
from handfed.shared.tasks import TASKS

Make = Callable[..., Incoming]
CHEAP = Cost(n=2**4)
WORDS = "three small rivers"
NAME = "Wilhelmina Ahlquist"
LABEL = "qzvxj"


def files_with(folder: Path, *traces: bytes) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and _has(path.read_bytes(), traces)]


def _has(content: bytes, traces: tuple[bytes, ...]) -> bool:
    return any(trace in content for trace in traces)


def traces_of(incoming: Incoming, row: int) -> list[bytes]:
    """What could be left of a sample: parts of its pixels, too."""
    samples = incoming.dataset.samples
    width = samples.images.shape[2] if samples.widths is None else int(samples.widths[row])
    pixels = samples.images[row, :, :width].tobytes()
    return [pixels[start : start + 24] for start in range(0, len(pixels) - 24, 24)]


@pytest.fixture
def mixed(store: Store, words: Make, now: datetime) -> Incoming:
    """200 words of four writers, in a store; the second is to be forgotten, and her words have a label of their own."""
    texts = [LABEL if row % 4 == 1 else "ab" * (1 + row % 5) for row in range(200)]
    names = [(NAME if row % 4 == 1 else f"other {row % 4}") for row in range(200)]
    incoming = words(texts, names)
    for row in range(0, 200, 50):  # in several imports, so that pages are split and joined
        part = incoming.dataset.take(np.arange(row, row + 50))
        ids = incoming.dataset.writer_ids
        made = Incoming(
            type(part)(part.name, part.alphabet, part.samples, part.writers, "", "", ids), incoming.task, "words"
        )
        store.take_in(made, by="me", now=now)
    return incoming


def test_nothing_of_a_forgotten_writer_is_left_in_any_file(
    store: Store, mixed: Incoming, now: datetime, tmp_path: Path
) -> None:
    theirs = [trace for row in range(1, 200, 4) for trace in traces_of(mixed, row)]
    assert files_with(tmp_path, *theirs)
    assert files_with(tmp_path, LABEL.encode())
    assert files_with(tmp_path, NAME.encode())
    went, erased = store.forget(NAME, now=now)
    assert (went.samples, went.imports, erased) == (50, 0, True)
    assert files_with(tmp_path, NAME.encode(), LABEL.encode(), *theirs) == []
    assert files_with(tmp_path, *traces_of(mixed, 0))  # of others
    store.close()
    assert files_with(tmp_path, NAME.encode(), LABEL.encode(), *theirs) == []


def test_no_later_round_sees_them(store: Store, mixed: Incoming, now: datetime) -> None:
    alphabet = Alphabet(mixed.dataset.alphabet.names)
    revision = store.revision()
    store.forget(NAME, now=now)
    usable = store.handwriting(TASKS["words"], alphabet)
    assert len(usable.training) + len(usable.held_out) == 150
    used = {image[:, :8].tobytes() for part in (usable.training, usable.held_out) for image in part.images}
    starts = [image[:, :8].tobytes() for image in mixed.dataset.images]
    assert used == {start for row, start in enumerate(starts) if row % 4 != 1}
    assert store.revision() != revision  # so that who keeps samples in memory reads them anew


def test_a_deletion_as_such_leaves_traces_and_erasing_is_what_removes_them(
    store: Store, mixed: Incoming, tmp_path: Path
) -> None:
    """That the other tests can fail: without `erase`, the bytes are still there."""
    with store._writing() as opened:
        opened.connection.execute("DELETE FROM samples")
    assert files_with(tmp_path, *traces_of(mixed, 1))
    assert store._database.erase()
    assert not files_with(tmp_path, *traces_of(mixed, 1))


def test_an_import_of_nobody_else_goes_and_a_source_with_the_name_is_struck(
    store: Store, characters: Make, now: datetime, tmp_path: Path
) -> None:
    store.take_in(characters(["0"], [NAME], source="one"), by="me", now=now)
    store.take_in(
        characters(["1", "2"], [NAME, "Bob"], source=f"the book of {NAME.upper()}!", seed=1), by="me", now=now
    )
    store.take_in(characters(["3"], ["Bob"], source="Wilhelmina", seed=2), by="me", now=now)
    store.note_consent("Bob", "given", by=NAME, now=now)
    went, _ = store.forget(NAME, now=now)
    assert (went.samples, went.imports) == (2, 1)
    assert [(each.number, each.source, each.left) for each in store.contents().imports] == [
        (2, None, 1),
        (3, "Wilhelmina", 1),
    ]
    assert files_with(tmp_path, NAME.encode(), NAME.upper().encode()) == []


@pytest.mark.parametrize("side", [True, False])
def test_who_comes_back_comes_to_the_side_that_was_said(
    store: Store, characters: Make, now: datetime, *, side: bool
) -> None:
    names = [f"writer {number}" for number in range(12)]  # chance would hardly put all of them there
    made = characters(["0"] * 12, names, held_out=side)
    store.take_in(made, by="me", now=now)
    for name in names:
        store.forget(name, now=now)
    back = dataclasses.replace(made, again=True, held_out=None)
    store.take_in(back, by="me", now=now)
    assert {writer.held_out for writer in store.writers()} == {int(side)}
    for name in names:
        store.forget(name, now=now)
    store.take_in(dataclasses.replace(back, held_out=not side), by="me", now=now)  # the import says another
    assert {writer.held_out for writer in store.writers()} == {int(not side)}


def test_a_nameless_writer_is_forgotten_by_number(store: Store, characters: Make, now: datetime) -> None:
    store.take_in(characters(["0", "1"]), by="me", now=now)
    (writer,) = store.writers()
    assert store.forget(f"#{writer.number}", now=now)[0].samples == 2
    assert store.writers() == []
    assert store.contents().forgotten == 0


def test_who_is_not_there_cannot_be_forgotten_and_nothing_changes(
    store: Store, characters: Make, now: datetime
) -> None:
    store.take_in(characters(["0"], ["Ada"]), by="me", now=now)
    for reference in ("ada", "#1", "#", f"#{2**80}", ""):
        with pytest.raises(WriterError, match="is not in the store"):
            store.forget(reference, now=now)
    store.forget("Ada", now=now)
    with pytest.raises(WriterError, match="is forgotten already"):
        store.forget("Ada", now=now)


def test_the_list_of_the_forgotten_holds_no_name(store: Store, characters: Make, now: datetime, tmp_path: Path) -> None:
    store.take_in(characters(["0"], [NAME]), by="me", now=now)
    store.forget(NAME, now=now)
    rows = store._database.connection.execute("SELECT * FROM forgotten").fetchall()
    assert [(len(digest), at) for digest, at in rows] == [(32, "2027-03-01T12:00:00+00:00")]
    with Store.open(tmp_path / "another") as another:
        another.take_in(characters(["0"], [NAME]), by="me", now=now)
        another.forget(NAME, now=now)
        assert another._database.connection.execute("SELECT * FROM forgotten").fetchall() != rows


@pytest.mark.usefixtures("mixed")
def test_an_encrypted_store_forgets_too(store: Store, now: datetime) -> None:
    store.encrypt(PassphraseLock(WORDS, CHEAP))
    with Store.open(store._database.path.parent, ask=lambda: WORDS) as opened:
        sealed = [
            bytes(image)
            for (image,) in opened._database.connection.execute(
                "SELECT image FROM samples JOIN writers w ON w.id = writer WHERE w.id = ?",
                (opened.writer(NAME).number,),
            )
        ]
        assert len(sealed) == 50
        opened.forget(NAME, now=now)
        assert files_with(opened._database.path.parent, *sealed) == []
        with pytest.raises(WriterError, match="forgotten already"):
            opened.forget(NAME, now=now)


def test_while_another_reads_the_erasing_waits_and_is_made_up_for(
    store: Store, mixed: Incoming, now: datetime, tmp_path: Path
) -> None:
    folder = store._database.path.parent
    with Store.open(folder, patience_s=0.1) as writing:
        with store._reading() as reading:
            reading.connection.execute("SELECT count(*) FROM samples").fetchone()
            went, erased = writing.forget(NAME, now=now)
            assert (went.samples, erased) == (50, False)
            assert files_with(tmp_path, NAME.encode())
        with Store.open(folder) as later:
            assert session.setting(later._database.connection, session.ERASING) is None
        assert files_with(tmp_path, NAME.encode(), *traces_of(mixed, 1)) == []
