"""What a device says beside totals never tells of few, and what it cannot be is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.shared import wire
from handfed.shared.disclosure import (
    EDGES,
    LEAST_DEVICES,
    LEAST_SAMPLES,
    LEAST_WRITERS,
    UNKNOWN,
    ClassCount,
    Detail,
    checked,
    combined,
    confusions_of,
    detail_of,
    spread,
)
from handfed.shared.metrics import spread as exact
from handfed.shared.samples import Samples
from handfed.shared.scores import Score
from handfed.shared.wire import RejectedError

CLASSES = 6
Held = tuple[Samples, NDArray[np.int64], NDArray[np.int32]]  # samples, errors, writers


def characters(labels: list[int]) -> Samples:
    return Samples(np.zeros((len(labels), 4, 4), np.uint8), np.array(labels, np.int32))


def score(samples: Samples, errors: NDArray[np.int64]) -> Score:
    written = sum(len(text) for text in samples.written())
    return Score(len(samples), int((errors == 0).sum()), written, int(errors.sum()))


def counts(sizes: list[int]) -> Held:
    """So many samples of each class, all read right, of a writer each class."""
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    return characters(labels), np.zeros(len(labels), np.int64), np.array(labels, np.int32)


@st.composite
def held(draw: st.DrawFn) -> Held:
    """Characters, of which some are read wrong, by writers of whom some are unknown; classes from none to many."""
    sizes = draw(st.lists(st.integers(0, 25), min_size=CLASSES, max_size=CLASSES))
    samples, _, _ = counts(sizes)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    errors = (random.random(len(samples)) < draw(st.floats(0, 1))).astype(np.int64)
    writers = random.integers(UNKNOWN, draw(st.integers(0, 30)), len(samples), endpoint=True, dtype=np.int32)
    return samples, errors, writers


@st.composite
def texts(draw: st.DrawFn) -> Held:
    """Texts, in some of which more is read wrong than there is."""
    lengths = draw(st.lists(st.integers(1, 8), min_size=1, max_size=40))
    samples = Samples.of_texts([np.zeros((4, 8), np.uint8)] * len(lengths), [[1] * length for length in lengths])
    errors = np.array([draw(st.integers(0, length + 2)) for length in lengths], np.int64)
    writers = np.array([draw(st.integers(UNKNOWN, 15)) for _ in lengths], np.int32)
    return samples, errors, writers


@given(held())
def test_of_a_file_that_is_judged_classes_above_the_floor_are_told_with_what_they_were_read_as(found: Held) -> None:
    samples, wrong, _ = found
    read = ((samples.labels + wrong * (1 + np.arange(len(wrong)) % (CLASSES - 1))) % CLASSES).astype(np.int32)
    said = confusions_of(read, samples)
    assert said.classes == detail_of(wrong, samples, None).classes
    matrix = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(matrix, (samples.labels, read), 1)
    told = [one.label for one in said.classes]
    expected = [(a, b, matrix[a, b]) for a in told for b in range(CLASSES) if a != b and matrix[a, b]]
    assert list(said.confusions) == expected
    assert checked(said.to_metrics(), score(samples, wrong), CLASSES) == said


def test_of_texts_no_confusion_is_told() -> None:
    lines = Samples.of_texts([np.zeros((4, 8), np.uint8)] * 20, [[1]] * 20)
    assert confusions_of(np.array([], np.int32), lines) == Detail()


@given(held())
def test_no_answer_tells_of_fewer_writers_or_samples_than_the_floor(found: Held) -> None:
    samples, errors, writers = found
    said = detail_of(errors, samples, writers)
    named = set(writers.tolist()) - {UNKNOWN}
    assert (len(said.writers) == len(EDGES)) == (len(named) >= LEAST_WRITERS)
    assert sum(said.writers) in {0, len(named)}
    assert all(one.samples >= LEAST_SAMPLES for one in said.classes)


@given(held())
def test_what_is_not_said_does_not_follow_from_the_totals(found: Held) -> None:
    """Of what is left there is nothing, or enough, and then more than one class is in it."""
    samples, errors, writers = found
    said = detail_of(errors, samples, writers)
    rest = len(samples) - sum(one.samples for one in said.classes)
    assert rest == 0 or rest >= LEAST_SAMPLES or not said.classes
    hidden = set(samples.labels.tolist()) - {one.label for one in said.classes}
    assert len(hidden) != 1 or not said.classes


@given(held())
def test_what_is_said_is_true(found: Held) -> None:
    samples, errors, writers = found
    for label, size, correct in detail_of(errors, samples, writers).classes:
        of_class = samples.labels == label
        assert (size, correct) == (of_class.sum(), (errors[of_class] == 0).sum())


@given(st.one_of(held(), texts()))
def test_what_an_honest_device_says_passes(found: Held) -> None:
    samples, errors, writers = found
    said = detail_of(errors, samples, writers)
    classes = 0 if samples.are_texts else CLASSES
    assert checked(said.to_metrics(), score(samples, errors), classes) == said


def test_where_nothing_is_said_nothing_is_sent() -> None:
    samples, errors, _ = counts([9, 9])
    assert detail_of(errors, samples, None).to_metrics() == {}
    assert checked({}, score(samples, errors), CLASSES) == Detail()


def test_a_class_below_its_floor_takes_the_rarest_other_with_it() -> None:
    samples, errors, writers = counts([30, 11, 3, 12])
    assert [one.label for one in detail_of(errors, samples, writers).classes] == [0, 3]
    samples, errors, writers = counts([30, 11, 0, 12])
    assert [one.label for one in detail_of(errors, samples, writers).classes] == [0, 1, 3]


def test_writers_count_alike_however_much_they_wrote() -> None:
    samples, errors, _ = counts([300])
    writers = np.concatenate([np.zeros(291), np.arange(1, 10)]).astype(np.int32)
    errors[-9:] = 1
    assert detail_of(errors, samples, writers).writers == (9, *[0] * 18, 1)


def test_of_texts_nothing_is_said_by_class() -> None:
    samples = Samples.of_texts([np.zeros((4, 8), np.uint8)] * 40, [[1, 2]] * 40)
    assert detail_of(np.zeros(40, np.int64), samples, np.arange(40, dtype=np.int32)) == Detail((*[0] * 19, 40))


TOTAL = Score(60, 50, 60, 10)
FINE: dict[str, Any] = {
    wire.WRITERS: [0] * 12 + [2, 0, 0, 0, 0, 0, 0, 10],
    wire.CLASSES: [0, 3],
    wire.CLASS_SAMPLES: [20, 30],
    wire.CLASS_CORRECT: [15, 27],
}


@pytest.mark.parametrize(
    "wrong",
    [
        {wire.WRITERS: [1] * 19},
        {wire.WRITERS: 12},
        {wire.WRITERS: [0.5] * 20},
        {wire.WRITERS: [-1] + [1] * 19},
        {wire.WRITERS: [0] * 19 + [9]},
        {wire.WRITERS: [0] * 19 + [61]},
        {wire.WRITERS: [11] + [0] * 19},  # each made an error, and there are ten
        {wire.WRITERS: [0] * 19 + [51]},  # each was read once at least, and there are fifty that were
        {wire.WRITERS: [0] * 18 + [1, 10]},  # one wrong of a hundred, and there are sixty characters
        {wire.CLASSES: [0]},
        {wire.CLASSES: [3, 0]},
        {wire.CLASSES: [3, 3]},
        {wire.CLASSES: [0, CLASSES]},
        {wire.CLASSES: "03"},
        {wire.CLASS_SAMPLES: [9, 30]},
        {wire.CLASS_SAMPLES: [25, 30]},  # five are left
        {wire.CLASS_SAMPLES: [40, 30]},
        {wire.CLASS_CORRECT: [21, 20]},
        {wire.CLASS_CORRECT: [15, 10**9]},
        {wire.CLASS_CORRECT: [11, 23]},  # 16 of the ten that are left were right
        {wire.CLASSES: []},
        {wire.CLASSES: [True, 3]},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    assert checked(FINE, TOTAL, CLASSES).classes == (ClassCount(0, 20, 15), ClassCount(3, 30, 27))
    with pytest.raises(RejectedError):
        checked({**FINE, **wrong}, TOTAL, CLASSES)


def test_of_texts_what_is_said_by_class_is_refused() -> None:
    with pytest.raises(RejectedError):
        checked(FINE, TOTAL, 0)


def test_a_federation_tells_of_a_class_when_enough_devices_do() -> None:
    one = Detail((*[0] * 19, 10), (ClassCount(0, 20, 15), ClassCount(3, 30, 27)))
    other = Detail((), (ClassCount(0, 10, 5),))
    told = combined([*[one] * (LEAST_DEVICES - 1), other])
    assert told == Detail((*[0] * 19, 40), (ClassCount(0, 90, 65),))
    assert combined([Detail(), Detail()]) == Detail()


@given(st.lists(st.tuples(st.integers(1, 200), st.floats(0, 1)), min_size=LEAST_WRITERS, max_size=60))
def test_the_spread_of_a_histogram_is_that_of_its_writers_to_the_width_of_a_bin(
    writers: list[tuple[int, float]],
) -> None:
    sizes = [size for size, _ in writers]
    errors = np.concatenate([np.arange(size) < round(rate * size) for size, rate in writers]).astype(np.int64)
    who = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    found = spread(detail_of(errors, characters([0] * len(errors)), who).writers)
    true = exact(errors, np.ones(len(errors), np.int64), who)
    assert found is not None
    assert found.count == true.count
    for name in ("p10", "median", "p90", "worst_decile"):
        assert abs(getattr(found, name) - getattr(true, name)) <= 0.1 + 1e-9


def test_of_too_few_writers_there_is_no_spread() -> None:
    assert spread(()) is None
    assert spread((*[0] * 19, 9)) is None
