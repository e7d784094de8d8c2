"""Handwriting without labels is kept apart: a trainer gets it, and nothing else does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.device.store.feedback import Feedback, give
from handfed.clients.device.store.importing import Imported, Incoming
from handfed.clients.device.store.locks import Cost, PassphraseLock
from handfed.clients.device.store.retention import FeedbackSettings, Retention, sweep, write_settings
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.samples import END, Samples
from handfed.shared.tasks import TASKS

Make = Callable[..., Incoming]
DIGITS = Alphabet(tuple("0123456789"))


def take(store: Store, made: Incoming, now: datetime) -> Imported:
    """Imports it as if nobody had labelled it."""
    return store.take_in(dataclasses.replace(made, unlabelled=True), by="me", now=now)


def unlabelled(store: Store) -> Samples | None:
    return store.handwriting(TASKS["digits"], DIGITS).unlabelled


def pictures(found: Samples | None) -> list[bytes]:
    return [] if found is None else sorted(image.tobytes() for image in found.images)


def test_it_comes_out_without_labels_and_is_no_sample(store: Store, characters: Make, now: datetime) -> None:
    made = characters(list("0123"), ["Ada", "Ada", "Bob", "Bob"], held_out=False, source="a box of forms")
    imported = take(store, made, now)
    assert (imported.number, imported.samples, imported.writers, imported.not_kept) == (1, 4, 2, 0)
    found = store.handwriting(TASKS["digits"], DIGITS)
    assert pictures(found.unlabelled) == sorted(image.tobytes() for image in made.dataset.images)
    assert found.unlabelled is not None
    assert set(found.unlabelled.labels.tolist()) == {END}
    assert (len(found.training), len(found.held_out), found.passed_over, found.without_consent) == (0, 0, 0, 0)
    assert store.survey(TASKS["digits"], DIGITS, each=20).fresh == 0
    assert (store.newest_sample(), store.contents().unlabelled, store.contents().kinds) == (0, 4, ())
    assert [(each.source, each.count, each.left) for each in store.contents().imports] == [("a box of forms", 4, 4)]


def test_it_comes_in_once(store: Store, characters: Make, now: datetime) -> None:
    made = characters(list("0123"), held_out=False)
    take(store, made, now)
    again = take(store, made, now)
    assert (again.number, again.samples, again.duplicates) == (None, 0, 4)
    assert len(store.writers()) == 1


def test_what_somebody_labels_later_is_there_with_its_label_alone(
    store: Store, characters: Make, now: datetime, tmp_path: Path
) -> None:
    made = characters(list("0123"), held_out=False)
    loose = take(store, made, now)
    labelled = characters(list("0123"), ["Ada"] * 4, images=made.dataset.images, held_out=True)
    assert store.take_in(labelled, by="me", now=now).samples == 4
    assert loose.number is not None
    assert unlabelled(store) is None
    assert [(each.number, each.left) for each in store.contents().imports] == [(loose.number + 1, 4)]
    assert [writer.name for writer in store.writers()] == ["Ada"]
    store.forget("Ada", now=now)
    for image in made.dataset.images:
        assert not any(image.tobytes()[:24] in file.read_bytes() for file in (tmp_path / "store").iterdir())


def test_what_has_a_label_already_does_not_come_in_without_one(store: Store, characters: Make, now: datetime) -> None:
    made = characters(list("0123"), ["Ada", "Ada", "Bob", "Bob"], held_out=True)
    store.take_in(made, by="me", now=now)
    images = np.concatenate([made.dataset.images, characters(["0"], seed=1).dataset.images])
    loose = take(store, characters(list("99999"), ["Cy"] * 5, images=images, held_out=False), now)
    assert (loose.samples, loose.duplicates, loose.not_kept) == (1, 4, 0)
    assert pictures(unlabelled(store)) == [images[4].tobytes()]
    again = take(store, characters(list("99999"), ["Cy"] * 5, images=images, held_out=False), now)
    assert (again.number, again.samples, again.duplicates) == (None, 0, 5)


@pytest.mark.parametrize("picked", [True, False])
def test_what_somebody_says_of_a_picture_takes_it_from_what_has_no_label(
    store: Store, characters: Make, now: datetime, *, picked: bool
) -> None:
    take(store, characters(list("0123"), ["Bob"] * 4, held_out=False), now)
    kept = pictures(unlabelled(store))
    for left, image in enumerate(kept, start=1):
        answer = Feedback("characters", np.frombuffer(image, np.uint8).reshape(28, 28), "4", "9", picked=picked)
        give(store, answer, by="me", now=now)
        assert len(pictures(unlabelled(store))) == len(kept) - left
    assert store.contents().imports == ()
    assert sum(writer.samples for writer in store.writers()) == len(kept)


def test_of_who_is_held_out_nothing_is_kept(store: Store, characters: Make, now: datetime) -> None:
    store.take_in(characters(["0"], ["Ada"], held_out=True), by="me", now=now)
    imported = take(store, characters(list("0123"), ["Ada", "Ada", "Bob", "Bob"], seed=1, held_out=False), now)
    assert (imported.samples, imported.not_kept, imported.refused) == (2, 2, 0)
    made = characters(["0", "1"] * 100, seed=2)
    imported = take(store, made, now)  # of nobody known, picture by picture
    assert imported.samples + imported.not_kept == 200
    store.take_in(made, by="me", now=now)
    held_out = {image.tobytes() for image in store.handwriting(TASKS["digits"], DIGITS).held_out.images}
    assert len(held_out) == imported.not_kept + 1
    assert not held_out & set(pictures(unlabelled(store)))


def test_consent_holds_for_it(store: Store, characters: Make, now: datetime) -> None:
    take(store, characters(list("0123"), ["Ada", "Ada", "Bob", "Bob"], held_out=False), now)
    store.note_consent("Ada", "withdrawn", by="me", now=now)
    assert len(pictures(unlabelled(store))) == 2
    store.require_consent(required=True)
    assert unlabelled(store) is None


def test_who_is_forgotten_takes_it_along_and_stays_away(
    store: Store, characters: Make, now: datetime, tmp_path: Path
) -> None:
    made = characters(list("0123"), ["Ada", "Ada", "Bob", "Bob"], held_out=False)
    store.take_in(characters(["0"], ["Ada"], seed=1, held_out=False), by="me", now=now)
    take(store, made, now)
    went, gone = store.forget("Ada", now=now)
    assert (went.samples, went.imports, gone) == (3, 1, True)
    for image in made.dataset.images[:2]:
        assert not any(image.tobytes()[:24] in file.read_bytes() for file in (tmp_path / "store").iterdir())
    again = take(store, made, now)
    assert (again.samples, again.refused, again.refused_writers, again.duplicates) == (0, 2, 1, 2)
    assert store.forget("Bob", now=now)[0].imports == 1


def test_it_is_sealed_with_everything_else(store: Store, characters: Make, now: datetime, tmp_path: Path) -> None:
    made = characters(list("0123"), ["Ada"] * 4, held_out=False)
    take(store, made, now)
    assert store.encrypt(PassphraseLock("three small rivers", Cost(n=2**4)))
    files = [file.read_bytes() for file in (tmp_path / "store").iterdir()]
    assert not any(image.tobytes()[:24] in content for image in made.dataset.images for content in files)
    with Store.open(tmp_path / "store", ask=lambda: "three small rivers") as again:
        assert pictures(unlabelled(again)) == sorted(image.tobytes() for image in made.dataset.images)


def test_when_feedback_goes_its_writer_stays_as_long_as_there_is_such_handwriting(
    store: Store, characters: Make, now: datetime
) -> None:
    write_settings(store, FeedbackSettings(retention=Retention(1)))
    take(store, characters(["0"], ["Ada"], held_out=False), now)
    given = Feedback("characters", np.ones((28, 28), np.uint8), "4", "9", writer="Ada")
    give(store, given, by="me", now=now)
    assert sweep(store, now + timedelta(days=2)) == 1
    assert [writer.name for writer in store.writers()] == ["Ada"]
    assert len(pictures(unlabelled(store))) == 1


def test_an_import_that_breaks_off_leaves_nothing(store: Store, characters: Make, now: datetime) -> None:
    def broken(done: int) -> None:
        raise RuntimeError(done)

    made = dataclasses.replace(characters(["1"] * 600, ["Ada"] * 600, held_out=False), unlabelled=True)
    with pytest.raises(RuntimeError):
        store.take_in(made, by="me", now=now, progress=broken)
    assert (store.contents().unlabelled, store.writers()) == (0, [])
