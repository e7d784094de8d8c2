"""What came in without its writer's name goes to who is named later, and with that one's consent and side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.device.store.feedback import Feedback, give
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.locks import Cost, PassphraseLock
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.tasks import TASKS

Make = Callable[..., Incoming]
DIGITS = Alphabet(tuple("0123456789"))
IMAGE = np.random.default_rng(9).integers(0, 256, (28, 28), np.uint8)


def said(label: str = "7", **more: object) -> Feedback:
    return Feedback("characters", IMAGE, "4", label, **more)  # type: ignore[arg-type]


def listed(store: Store) -> list[tuple[str | None, str, int]]:
    return [(writer.name, writer.consent, writer.samples) for writer in store.writers()]


def used(store: Store) -> tuple[int, int]:
    usable = store.handwriting(TASKS["characters"], DIGITS)
    return len(usable.training), len(usable.held_out)


def test_who_is_named_later_is_obeyed_and_forgotten_with_all(
    store: Store, characters: Make, now: datetime, tmp_path: Path
) -> None:
    made = characters(list("01234"))
    store.take_in(made, by="me", now=now)
    named = store.take_in(replace(made, writer="Eve", consent="given"), by="me", now=now)
    assert (named.number, named.samples, named.duplicates, named.attributed) == (None, 0, 5, 5)
    assert listed(store) == [("Eve", "given", 5)]
    assert store.writers()[0].held_out in {0, 5}
    store.note_consent("Eve", "withdrawn", by="me", now=now)
    assert used(store) == (0, 0)
    went, gone = store.forget("Eve", now=now)
    assert (went.samples, went.imports, gone) == (5, 1, True)
    content = b"".join(path.read_bytes() for path in (tmp_path / "store").iterdir())
    assert not any(image.tobytes()[:24] in content for image in made.dataset.images)


def test_it_is_so_picture_by_picture_also_with_another_label_and_in_an_encrypted_store(
    tmp_path: Path, characters: Make, now: datetime
) -> None:
    with Store.open(tmp_path, ask=lambda: "three small rivers") as store:
        store.take_in(characters(list("01234")), by="me", now=now)
        store.encrypt(PassphraseLock("three small rivers", Cost(n=2**4)))
        some = characters(list("019"), ["Ada", "Bob", "Bob"])
        named = store.take_in(some, by="me", now=now)
        assert (named.samples, named.attributed) == (1, 3)
        assert listed(store) == [("Ada", "unknown", 1), ("Bob", "unknown", 3), (None, "unknown", 2)]


def test_what_is_of_somebody_with_a_name_stays(store: Store, characters: Make, now: datetime) -> None:
    made = characters(list("012"), writer="Ada")
    store.take_in(made, by="me", now=now)
    assert store.take_in(replace(made, writer="Bob", consent="given"), by="me", now=now).attributed == 0
    give(store, replace(said("0", writer="Bob"), image=made.dataset.images[0]), by="me", now=now)
    assert {name: samples for name, _, samples in listed(store)} == {"Ada": 3, "Bob": 0}


@pytest.mark.parametrize("held_out", [True, False])
def test_it_goes_to_the_side_of_its_writer_and_what_was_trained_on_does_not_judge(
    store: Store, characters: Make, now: datetime, *, held_out: bool
) -> None:
    made = characters(["0", "1"] * 20)
    store.take_in(made, by="me", now=now)
    trained = store.handwriting(TASKS["characters"], DIGITS).rows
    store.remember(trained, 0)
    store.take_in(replace(made, writer="Eve", held_out=held_out), by="me", now=now)
    assert used(store) == ((0, 40 - len(trained)) if held_out else (40, 0))
    (kind,) = store.contents().kinds
    assert kind.set_apart == (len(trained) if held_out else 0)


def test_consent_for_what_is_there_without_a_name_holds_for_that_alone(
    store: Store, characters: Make, now: datetime
) -> None:
    store.require_consent(required=True)
    made = characters(list("01234"))
    store.take_in(made, by="me", now=now)
    again = store.take_in(replace(made, consent="given"), by="head", now=now)
    assert (again.number, again.duplicates, again.attributed) == (None, 5, 5)
    assert (listed(store), sum(used(store))) == ([(None, "given", 5)], 5)
    assert store.writers()[0].noted_by == "head"
    assert store.take_in(made, by="me", now=now).attributed == 0
    more = characters(list("56789"), seed=1)
    give(store, said(), by="me", now=now)
    store.take_in(more, by="me", now=now)
    part = replace(more, dataset=replace(more.dataset, samples=more.dataset.samples.take(np.arange(2))))
    assert store.take_in(replace(part, consent="given"), by="me", now=now).attributed == 2
    strangers = characters(["7"], images=IMAGE[np.newaxis], consent="given")  # feedback is of whoever gives some
    assert store.take_in(strangers, by="me", now=now).attributed == 0
    assert sorted(listed(store)) == [
        (None, "given", 2),
        (None, "given", 5),
        (None, "unknown", 1),
        (None, "unknown", 3),
    ]


def test_a_withdrawal_is_not_lost(store: Store, characters: Make, now: datetime) -> None:
    made = characters(list("01"))
    store.take_in(made, by="me", now=now)
    store.note_consent(f"#{store.writers()[0].number}", "withdrawn", by="me", now=now)
    assert store.take_in(replace(made, consent="given"), by="me", now=now).attributed == 0
    assert listed(store) == [(None, "withdrawn", 2)]
    store.take_in(replace(made, writer="Eve"), by="me", now=now)
    assert listed(store) == [("Eve", "withdrawn", 2)]


def test_feedback_that_names_the_writer_gives_the_picture_whatever_was_said_of_it(store: Store, now: datetime) -> None:
    for label in ("7", "1"):
        give(store, said(label), by="me", now=now)
    give(store, replace(said(), image=255 - IMAGE), by="me", now=now)
    give(store, said(writer="Ann"), by="me", now=now)
    assert listed(store) == [("Ann", "unknown", 2), (None, "unknown", 1)]
    give(store, replace(said(writer="Ann"), image=255 - IMAGE), by="me", now=now)
    assert listed(store) == [("Ann", "unknown", 3)]
    assert store.forget("Ann", now=now)[0].samples == 3


def test_feedback_that_names_the_writer_gives_what_was_imported(store: Store, characters: Make, now: datetime) -> None:
    made = characters(list("01"))
    store.take_in(made, by="me", now=now)
    give(store, replace(said("0", writer="Ann"), image=made.dataset.images[0]), by="me", now=now)
    assert listed(store) == [("Ann", "unknown", 1), (None, "unknown", 1)]


@pytest.mark.parametrize("held_out", [True, False])
def test_what_has_no_label_goes_too_and_is_not_kept_of_who_is_held_out(
    store: Store, characters: Make, now: datetime, *, held_out: bool
) -> None:
    made = replace(characters(list("0123"), held_out=False), unlabelled=True)
    assert store.take_in(made, by="me", now=now).samples == 4
    named = store.take_in(replace(made, writer="Eve", held_out=held_out), by="me", now=now)
    assert (named.samples, named.attributed) == (0, 4)
    assert store.contents().unlabelled == (0 if held_out else 4)
    if not held_out:
        assert store.forget("Eve", now=now)[0].samples == 4
    assert all(writer.name == "Eve" for writer in store.writers())
