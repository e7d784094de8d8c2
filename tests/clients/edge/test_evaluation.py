"""An evaluation counts what a release reads right, by class and by writer."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from handfed.clients.edge import Recogniser
from handfed.clients.edge.evaluation import evaluate
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError


@pytest.fixture(scope="module")
def recogniser(trained_model_bytes: bytes) -> Recogniser:
    return Recogniser(None, trained_model_bytes)


@pytest.fixture(scope="module")
def sample(digits: Dataset) -> Dataset:
    return digits.take(np.arange(3000, 4200))


def test_it_counts_what_is_read_right(recogniser: Recogniser, sample: Dataset) -> None:
    right = recogniser.read_all(sample.images).labels == sample.labels
    found = evaluate(recogniser, sample)
    assert found.samples == 1200
    assert found.accuracy == pytest.approx(right.mean())
    assert found.writers is None
    for each in found.classes:
        of_class = sample.labels == int(each.name)
        assert each.samples == of_class.sum()
        assert each.accuracy == pytest.approx(right[of_class].mean())
    assert sum(count for *_, count in found.confusions(100)) == 1200 - right.sum()
    assert all(label != reading for label, reading, _ in found.confusions(100))


def test_writers_count_the_same_however_much_they_wrote(recogniser: Recogniser, sample: Dataset) -> None:
    right = recogniser.read_all(sample.images).labels == sample.labels
    found = evaluate(recogniser, replace(sample, writers=(~right).astype(np.int32)))
    assert found.writers is not None
    assert (found.writers.count, found.writers.median, found.writers.worst_decile) == (2, 0.5, 0.0)


def test_classes_are_matched_by_name_whatever_their_order(recogniser: Recogniser, sample: Dataset) -> None:
    reversed_names = Alphabet(tuple("9876543210"))
    other_way = replace(sample, alphabet=reversed_names, samples=replace(sample.samples, labels=9 - sample.labels))
    np.testing.assert_array_equal(evaluate(recogniser, other_way).matrix, evaluate(recogniser, sample).matrix)


def test_data_may_have_fewer_classes(recogniser: Recogniser, sample: Dataset) -> None:
    part = sample.take(np.flatnonzero(np.isin(sample.labels, [3, 8])))
    few = replace(
        part, alphabet=Alphabet(("8", "3")), samples=replace(part.samples, labels=(part.labels == 3).astype(np.int32))
    )
    found = evaluate(recogniser, few)
    assert [each.name for each in found.classes] == ["3", "8"]
    assert found.accuracy > 0.7


def test_classes_that_the_release_lacks_are_named(recogniser: Recogniser, sample: Dataset) -> None:
    names = Alphabet(("0", "1", "two", "3", "é", "5", "6", "7", "8", "9"))
    with pytest.raises(DatasetError, match=r"does not know 2 of its classes: 'two', 'é'; it reads 0 1 2 3"):
        evaluate(recogniser, replace(sample, alphabet=names))


def test_a_class_without_a_sample_is_not_missed(recogniser: Recogniser, sample: Dataset) -> None:
    wider = replace(sample, alphabet=Alphabet((*sample.alphabet.names, "a")))
    assert evaluate(recogniser, wider).samples == 1200


def test_progress_tells_of_every_image(recogniser: Recogniser, sample: Dataset) -> None:
    told: list[int] = []
    evaluate(recogniser, sample, advance=told.append)
    assert sum(told) == 1200
    assert len(told) > 1


def test_speed_and_size_are_measured(recogniser: Recogniser, sample: Dataset, trained_model_bytes: bytes) -> None:
    alone = Recogniser(None, trained_model_bytes)
    found = evaluate(Recogniser(None, trained_model_bytes, threads=2), sample, threads=2, alone=alone)
    assert 0 < found.latency_ms_median < 50
    assert found.images_per_second > 1000 / 50
    assert found.threads == 2
    assert found.size_bytes == len(trained_model_bytes)
    np.testing.assert_array_equal(found.matrix, evaluate(recogniser, sample).matrix)


def test_as_json_it_holds_plain_values(recogniser: Recogniser, sample: Dataset) -> None:
    found = evaluate(recogniser, replace(sample, writers=sample.labels)).as_json(3)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert len(found["confusions"]) == 3
    assert set(found["writers"]) == {"count", "p10", "median", "p90", "worst_decile", "gini"}
