"""What a trainer gets of the store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.device.store.handwriting import Usable
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.store import Store
from handfed.shared import planes
from handfed.shared.alphabet import Alphabet
from handfed.shared.disclosure import UNKNOWN
from handfed.shared.errors import DatasetError, SettingError
from handfed.shared.samples import Samples
from handfed.shared.tasks import TASKS

Make = Callable[..., Incoming]
DIGITS = Alphabet(tuple("0123456789"))
SMALL = Alphabet(tuple("ab"))


def total(usable: Usable) -> int:
    return len(usable.training) + len(usable.held_out)


def written(usable: Usable, alphabet: Alphabet) -> list[str]:
    return sorted(alphabet.text_of(text) for part in (usable.training, usable.held_out) for text in part.written())


def test_labels_count_in_the_alphabet_of_the_run(store: Store, characters: Make, now: datetime) -> None:
    store.take_in(characters(["7", "3", "7"]), by="me", now=now)
    for alphabet in (DIGITS, Alphabet(("7", "x", "3"))):
        assert written(store.handwriting(TASKS["characters"], alphabet), alphabet) == ["3", "7", "7"]


def test_other_classes_are_passed_over_and_counted(store: Store, characters: Make, words: Make, now: datetime) -> None:
    store.take_in(characters(["0", "x", "10", "1"]), by="me", now=now)
    usable = store.handwriting(TASKS["characters"], DIGITS)
    assert (written(usable, DIGITS), usable.passed_over, usable.without_consent) == (["0", "1"], 2, 0)
    store.take_in(words(["ab", "abc", "bab"]), by="me", now=now)
    usable = store.handwriting(TASKS["words"], SMALL)
    assert (written(usable, SMALL), usable.passed_over) == (["ab", "bab"], 1)


def test_a_class_of_several_letters_is_one_class_of_a_text(store: Store, words: Make, now: datetime) -> None:
    store.take_in(words(["abba", "ba"]), by="me", now=now)
    alphabet = Alphabet(("a", "b", "ab"))
    usable = store.handwriting(TASKS["words"], alphabet)
    texts = sorted(text for part in (usable.training, usable.held_out) for text in part.written())
    assert texts == [[1, 0], [2, 1, 0]]


def test_who_wrote_what_is_held_out_is_told_apart_by_numbers_alone(
    store: Store, characters: Make, now: datetime
) -> None:
    labels, names = [str(place % 10) for place in range(60)], [f"writer {place // 3}" for place in range(60)]
    store.take_in(characters(labels, names), by="me", now=now)
    known = store.handwriting(TASKS["digits"], DIGITS)
    writers = known.held_out_writers.tolist()
    assert sorted(set(writers)) == list(range(len(writers) // 3))
    assert all(writers.count(writer) == 3 for writer in writers)
    store.take_in(characters(labels, seed=1), by="me", now=now)
    usable = store.handwriting(TASKS["digits"], DIGITS)
    nobody = len(usable.held_out) - len(known.held_out)
    assert nobody > 0
    assert usable.held_out_writers.tolist() == [*writers, *[UNKNOWN] * nobody]


def test_only_the_kind_and_height_of_the_task_comes(store: Store, characters: Make, words: Make, now: datetime) -> None:
    store.take_in(characters(["0"]), by="me", now=now)
    store.take_in(words(["ab", "ba"]), by="me", now=now)
    store.take_in(words(["ab", "ba", "a"], task="lines"), by="me", now=now)
    assert total(store.handwriting(TASKS["digits"], DIGITS)) == 1
    assert total(store.handwriting(TASKS["words"], SMALL)) == 2
    assert total(store.handwriting(TASKS["lines"], SMALL)) == 3


def test_texts_come_back_to_the_pixel(store: Store, words: Make, now: datetime) -> None:
    incoming = words(["ab", "b", "abab"] * 4)
    store.take_in(incoming, by="me", now=now)
    usable = store.handwriting(TASKS["words"], SMALL)
    seen = sorted(
        (int(width), image[:, :width].tobytes())
        for part in (usable.training, usable.held_out)
        for image, width in zip(part.images, part.widths if part.widths is not None else (), strict=True)
    )
    samples = incoming.dataset.samples
    assert samples.widths is not None
    assert seen == sorted(
        (int(width), image[:, :width].tobytes()) for image, width in zip(samples.images, samples.widths, strict=True)
    )


@pytest.mark.parametrize("task", ["characters", "digits", "words", "lines"])
def test_an_empty_store_gives_no_samples_of_the_right_form(store: Store, task: str) -> None:
    usable = store.handwriting(TASKS[task], DIGITS)
    for part in (usable.training, usable.held_out):
        assert (len(part), part.are_texts, part.images.shape[1]) == (0, TASKS[task].of_texts, TASKS[task].height)
        assert part.images.dtype == np.uint8
        assert part.labels.dtype == np.int32
        assert list(part.batches(8)) == []
        assert isinstance(part.take(np.zeros(0, np.int64)), Samples)


def test_the_same_store_gives_the_same_arrays_in_the_order_of_import(
    store: Store, characters: Make, now: datetime
) -> None:
    first, second = characters(["0", "1"] * 20), characters(["2", "3"] * 20, seed=1)
    store.take_in(first, by="me", now=now)
    store.take_in(second, by="me", now=now)
    one, other = (store.handwriting(TASKS["digits"], DIGITS) for _ in range(2))
    np.testing.assert_array_equal(one.training.images, other.training.images)
    order = {image.tobytes(): row for row, image in enumerate([*first.dataset.images, *second.dataset.images])}
    for part in (one.training, one.held_out):
        rows = [order[image.tobytes()] for image in part.images]
        assert rows == sorted(rows)


def test_planes_beside_the_ink_are_those_of_the_pictures_and_those_of_strokes_are_empty(
    store: Store, characters: Make, words: Make, now: datetime
) -> None:
    store.take_in(characters(["0", "1"] * 10), by="me", now=now)
    usable = store.handwriting(TASKS["digits"], DIGITS, "topology,pen")
    for part in (usable.training, usable.held_out):
        assert part.planes is not None
        assert part.pictures.shape == (len(part), 28, 28, 6)
        np.testing.assert_array_equal(part.pictures, planes.seen(part.images, ("topology", "pen")))
        assert not part.planes[..., 2:].any()
    store.take_in(words(["ab", "ba"]), by="me", now=now)
    with pytest.raises(SettingError, match="ink alone"):
        store.handwriting(TASKS["words"], SMALL, "topology")


def test_consent_decides_what_is_used(store: Store, characters: Make, now: datetime) -> None:
    store.take_in(characters(["0", "1", "2", "3"], ["Ada", "Bob", "Cy", "Cy"]), by="me", now=now)
    store.note_consent("Ada", "given", by="me", now=now)
    store.note_consent("Bob", "withdrawn", by="me", now=now)
    usable = store.handwriting(TASKS["digits"], DIGITS)
    assert (written(usable, DIGITS), usable.without_consent) == (["0", "2", "3"], 1)
    store.require_consent(required=True)
    usable = store.handwriting(TASKS["digits"], DIGITS)
    assert (written(usable, DIGITS), usable.without_consent) == (["0"], 3)
    assert store.contents().kinds[0].unusable == 3
    store.require_consent(required=False)
    store.note_consent("Bob", "given", by="me", now=now)
    assert total(store.handwriting(TASKS["digits"], DIGITS)) == 4


def test_whatever_changes_what_is_used_changes_the_revision(store: Store, characters: Make, now: datetime) -> None:
    seen = [store.revision()]
    for change in (
        lambda: store.take_in(characters(["0"], ["Ada"]), by="me", now=now),
        lambda: store.note_consent("Ada", "withdrawn", by="me", now=now),
        lambda: store.require_consent(required=True),
        lambda: store.forget("Ada", now=now),
    ):
        change()
        seen.append(store.revision())
    assert len(set(seen)) == 5
    store.handwriting(TASKS["digits"], DIGITS)
    assert store.revision() == seen[-1]


def test_the_alphabet_is_the_tasks_or_that_of_the_labels(
    store: Store, characters: Make, words: Make, now: datetime
) -> None:
    store.take_in(characters(["7", "3"]), by="me", now=now)
    store.take_in(words(["ab", "cab"]), by="me", now=now)
    assert store.alphabet(TASKS["characters"]).names == ("3", "7")
    assert store.alphabet(TASKS["digits"]) == DIGITS
    assert store.alphabet(TASKS["words"]).names == ("a", "b", "c")
    with pytest.raises(DatasetError, match="at least two classes"):
        store.alphabet(TASKS["lines"])


def test_a_trainer_reads_while_an_import_writes_and_sees_all_of_it_or_nothing(
    tmp_path: Path, characters: Make, now: datetime
) -> None:
    seen: list[int] = []
    done = threading.Event()

    def train() -> None:
        with Store.open(tmp_path, patience_s=0.1) as trainer:  # it need not wait
            while not done.is_set():
                seen.append(total(trainer.handwriting(TASKS["digits"], DIGITS)))
            seen.append(total(trainer.handwriting(TASKS["digits"], DIGITS)))

    def wait_for_a_reading(_: int) -> None:
        before = len(seen)
        while len(seen) == before and thread.is_alive():
            pass

    with Store.open(tmp_path) as store:
        store.take_in(characters(["0"] * 10), by="me", now=now)
        thread = threading.Thread(target=train)
        thread.start()
        try:
            store.take_in(characters(["1"] * 1500, seed=1), by="me", now=now, progress=wait_for_a_reading)
        finally:
            done.set()
            thread.join()
    assert seen[-1] == 1510
    assert len(seen) > 3
    assert set(seen) == {10, 1510}
