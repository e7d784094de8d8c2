"""Wrong labels are told from right ones by what the others say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.clients.device.labels.features import duplicates, gradients
from handfed.clients.device.labels.judging import NOTHING, Judgement, Labelled, _folds, joint_of, judge
from handfed.simulations.datasets.mnist5k import MNIST5K


def labelled(count: int = 800, *, seed: int = 0, feedback: bool = False) -> Labelled:
    """Digits by thirty writers, with the labels that they have."""
    data = MNIST5K.load()
    rows = np.random.default_rng(seed).choice(len(data.labels), count, replace=False)
    return Labelled(
        data.images[rows],
        data.labels[rows].astype(np.int64),
        np.arange(count) % 30,
        np.full(count, feedback),
        np.full(count, NOTHING),
    )


def with_noise(clean: Labelled, fraction: float, seed: int = 1) -> tuple[Labelled, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    is_wrong = rng.random(len(clean.labels)) < fraction
    other = (clean.labels + rng.integers(1, 10, len(clean.labels))) % 10
    return replace(clean, labels=np.where(is_wrong, other, clean.labels)), is_wrong


@pytest.fixture(scope="module")
def noisy() -> tuple[Labelled, NDArray[np.bool_], Judgement]:
    given_, is_wrong = with_noise(labelled(), 0.1)
    return given_, is_wrong, judge(given_)


def test_wrong_labels_are_less_probable_and_the_likely_one_is_true(
    noisy: tuple[Labelled, NDArray[np.bool_], Judgement],
) -> None:
    _, is_wrong, found = noisy
    assert (found.right[is_wrong] < 0.6).mean() > 0.9
    assert (found.right[~is_wrong] < 0.6).mean() < 0.03
    assert (found.likely[is_wrong] == labelled().labels[is_wrong]).mean() > 0.85
    assert not found.pressed.any()
    assert ((found.right >= 0) & (found.right <= 1)).all()


def test_the_same_labels_are_judged_the_same(noisy: tuple[Labelled, NDArray[np.bool_], Judgement]) -> None:
    given_, _, found = noisy
    assert np.array_equal(judge(given_).right, found.right)


def test_a_rejected_reading_speaks_for_the_correction() -> None:
    hard, is_wrong = with_noise(labelled(feedback=True), 0.1)
    rejecting = replace(hard, rejected=np.where(is_wrong, labelled().labels, NOTHING))
    said, found = judge(hard), judge(rejecting)
    assert (found.right[is_wrong] > said.right[is_wrong]).mean() > 0.9
    assert (found.likely[is_wrong] != labelled().labels[is_wrong]).all()


def test_who_always_presses_the_same_key_is_found() -> None:
    clean = labelled(feedback=True)
    presses = np.isin(clean.writers, [3, 17])
    found = judge(replace(clean, labels=np.where(presses, 8, clean.labels)))
    is_wrong = presses & (clean.labels != 8)
    assert found.pressed[presses].all()
    assert not found.pressed[~presses].any()
    assert (found.right[is_wrong] < 0.85).mean() > 0.95
    assert (found.right[presses & (clean.labels == 8)] > 0.85).mean() > 0.5


def test_who_writes_one_character_all_the_time_presses_no_key() -> None:
    clean = labelled(feedback=True)
    found = judge(replace(clean, writers=clean.labels))  # a writer a digit
    assert not found.pressed.any()
    assert (found.right > 0.6).mean() > 0.95


def test_where_nothing_can_be_learned_nothing_is_doubted() -> None:
    rng = np.random.default_rng(0)
    chance = replace(labelled(400), labels=rng.integers(0, 10, 400))
    assert (judge(chance).right < 0.6).mean() < 0.5


def test_a_class_that_is_new_is_not_judged() -> None:
    clean = labelled()
    labels = clean.labels.copy()
    labels[:9] = 77
    found = judge(replace(clean, labels=labels))
    assert (found.right[:9] == 1).all()


@pytest.mark.parametrize("count", [0, 1, 99])
def test_of_few_samples_nothing_is_judged(count: int) -> None:
    clean = labelled()
    few = Labelled(*(each[:count] for each in vars(clean).values()))
    found = judge(few)
    assert found.right.tolist() == [1.0] * count


def test_one_label_for_all_is_not_judged() -> None:
    found = judge(replace(labelled(200), labels=np.zeros(200, np.int64)))
    assert (found.right == 1).all()


def test_what_is_labelled_twice_differently_is_contradicted() -> None:
    clean = labelled(300)
    images, labels = clean.images.copy(), clean.labels.copy()
    images[7], labels[7] = images[3], (labels[3] + 1) % 10
    images[9], labels[9] = images[5], labels[5]
    found = judge(replace(clean, images=images, labels=labels))
    assert np.flatnonzero(found.contradicted).tolist() == [3, 7]


def test_nearly_the_same_pictures_are_one_and_different_ones_are_not() -> None:
    images = labelled(400).images.copy()
    noise = np.random.default_rng(0).integers(-6, 7, images[0].shape)
    images[10] = np.clip(images[4].astype(np.int64) + noise, 0, 255)
    images[11] = images[10]
    images[20] = images[21] = 0
    found = duplicates(images)
    assert (found[10], found[11]) == (4, 4)
    assert (np.delete(found, [10, 11]) == np.delete(np.arange(400), [10, 11])).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=60))
def test_folds_part_neither_writers_nor_pictures_unless_there_are_too_few(pairs: list[tuple[int, int]]) -> None:
    writers, pictures = (np.array(each) for each in zip(*pairs, strict=True))
    groups = np.array([np.flatnonzero(pictures == picture)[0] for picture in pictures])
    folds = _folds(groups, writers, pictures % 3)
    assert len(folds) == len(pairs)
    assert all(len(set(folds[groups == group].tolist())) == 1 for group in groups)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 6), st.integers(1, 80))
def test_the_joint_has_the_counts_of_given_labels(seed: int, classes: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities, given_ = rng.dirichlet(np.ones(classes), count), rng.integers(0, classes, count)
    assert np.allclose(joint_of(probabilities, given_).sum(axis=1), np.bincount(given_, minlength=classes))


def test_the_joint_of_a_sure_model_is_the_confusion_of_labels() -> None:
    true, given_ = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 0, 2, 2])
    assert joint_of(np.eye(3)[true], given_).tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 2]]


def test_histograms_are_of_length_one_and_blank_pictures_of_none() -> None:
    images = labelled(20).images.copy()
    images[3] = 0
    lengths = np.linalg.norm(gradients(images), axis=1)
    assert np.allclose(np.delete(lengths, 3), 1, atol=1e-5)
    assert lengths[3] == 0
