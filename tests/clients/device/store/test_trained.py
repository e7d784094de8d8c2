"""A store tells what came since a finished run, whatever else happens to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np

from handfed.clients.device.store.feedback import Feedback, give
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.store import Store
from handfed.shared.alphabet import Alphabet
from handfed.shared.tasks import TASKS

MakeIncoming = Callable[..., Incoming]
DIGITS = Alphabet(tuple("0123456789"))


def take(store: Store, made: Incoming, now: datetime) -> None:
    store.take_in(made, by="me", now=now)


def said(seed: int, *, picked: bool = False) -> Feedback:
    image = np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)
    return Feedback("characters", image, "4", "9", confidence=0.7, release=3, picked=picked)


def fresh(store: Store) -> int:
    return store.survey(TASKS["characters"], DIGITS, each=20).fresh


def test_what_a_finished_run_trained_on_is_new_no_more(store: Store, characters: MakeIncoming, now: datetime) -> None:
    take(store, characters("0123", ["Ada"] * 4), now)
    assert (store.trained_up_to(), fresh(store)) == (0, 4)
    store.note_trained(7, store.newest_sample())
    assert fresh(store) == 4  # it may still fail
    take(store, characters("45", ["Ada"] * 2, seed=1), now)
    store.settle([6])
    assert fresh(store) == 6
    store.settle([6, 7])
    assert (store.trained_up_to(), fresh(store)) == (4, 2)
    store.settle([])
    assert store.trained_up_to() == 4


def test_a_run_that_was_finished_earlier_takes_nothing_back(store: Store) -> None:
    store.note_trained(8, 30)
    store.note_trained(7, 20)
    store.settle([8])
    store.settle([7])
    assert store.trained_up_to() == 30


def test_of_many_runs_the_last_are_kept(store: Store) -> None:
    for run in range(1, 30):
        store.note_trained(run, run)
    store.settle([15])
    assert store.trained_up_to() == 0
    store.settle([25])
    assert store.trained_up_to() == 25


def test_a_round_is_no_new_revision_since_trainers_would_read_the_store_again(
    store: Store, characters: MakeIncoming, now: datetime
) -> None:
    take(store, characters("01", ["Ada"] * 2), now)
    before = store.revision()
    store.note_trained(1, 2)
    store.settle([1])
    assert (store.revision(), store.trained_up_to()) == (before, 2)


def test_who_is_forgotten_takes_nothing_else_along(store: Store, characters: MakeIncoming, now: datetime) -> None:
    take(store, characters("0123", ["Ada", "Ada", "Bob", "Bob"]), now)
    store.note_trained(1, store.newest_sample())
    store.settle([1])
    store.forget("Bob", now=now)
    take(store, characters("45", ["Cleo"] * 2, seed=1), now)
    assert fresh(store) == 2


def test_a_survey_takes_the_first_samples_of_who_has_a_name_on_either_side(
    store: Store, characters: MakeIncoming, now: datetime
) -> None:
    take(store, characters("0123456", ["Ada"] * 6 + ["Bob"], held_out=False), now)
    take(store, characters("01", ["Cleo"] * 2, seed=1, held_out=True), now)
    store.note_trained(1, store.newest_sample())
    store.settle([1])
    take(store, characters("0123", ["Ada", "Ada", "Dan", "Dan"], seed=2, held_out=False), now)
    take(store, characters("99999", seed=3), now)  # nobody knows who
    take(store, characters("xy", ["Eve"] * 2, seed=4), now)  # of another alphabet
    found = store.survey(TASKS["characters"], DIGITS, each=3)
    assert found.fresh == 9
    assert found.known.samples.labels.tolist() == [0, 1, 2, 6, 0, 1]
    assert found.known.unseen.tolist() == [False] * 4 + [True] * 2
    assert found.recent.samples.labels.tolist() == [0, 1, 2, 3]
    assert found.recent.unseen.tolist() == [False, False, True, True]
    assert len(set(found.recent.writers.tolist()) | set(found.known.writers.tolist())) == 4


def test_what_people_said_is_counted_as_waiting_and_then_as_used(store: Store, now: datetime) -> None:
    def counted() -> tuple[int, int, int]:
        found = store.survey(TASKS["characters"], DIGITS, each=3)
        return found.fresh, found.feedback, found.feedback_used

    give(store, said(1), by="me", now=now)
    give(store, said(2, picked=True), by="me", now=now)  # which is judged with
    assert counted() == (2, 2, 0)
    store.note_trained(1, store.newest_sample())
    store.settle([1])
    give(store, said(3), by="me", now=now)
    assert counted() == (1, 1, 1)


def test_a_survey_holds_nobody_whose_consent_is_missing(store: Store, characters: MakeIncoming, now: datetime) -> None:
    take(store, characters("0123", ["Ada", "Ada", "Bob", "Bob"]), now)
    store.note_consent("Bob", "withdrawn", by="me", now=now)
    assert fresh(store) == 2


def test_words_are_surveyed_as_characters_are(store: Store, words: MakeIncoming, now: datetime) -> None:
    take(store, words(["ab", "ba", "aab"], ["Ada", "Ada", "Bob"]), now)
    found = store.survey(TASKS["words"], Alphabet(("a", "b")), each=1)
    assert (found.fresh, found.recent.samples.written()) == (3, [[0, 1], [0, 0, 1]])
