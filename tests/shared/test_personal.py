"""A personal layer learns from few samples, changes little else, and is used only where it is seen to be better."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.errors import UsageError
from handfed.shared.personal import MOST_CLASSES, PersonalLayer, fit, out_of_fold, personal_layer

CLASSES = 4
SURE = 6.0  # logit of what is read without doubt


def read_as(labels: list[int], *, doubt: float = 0.0) -> np.ndarray:
    """Logits of a release that takes each picture for this, with noise."""
    logits = SURE * np.eye(CLASSES, dtype=np.float32)[labels]
    noise = np.random.default_rng(1).normal(0, doubt, logits.shape)
    return np.asarray(logits + noise, np.float32)


def labels(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def hesitant(count: int) -> np.ndarray:
    """Logits of a writer's 1s, which look a little more like 2s."""
    return np.asarray(read_as([2] * count, doubt=0.3) * 0.5 + np.array([0, 2.4, 0, 0]), np.float32)


def test_without_samples_nothing_is_learnt() -> None:
    layer = fit(np.zeros((0, CLASSES), np.float32), labels())
    assert not layer.matrix.any()


def test_what_was_corrected_is_read_right_and_what_was_sure_stays_so() -> None:
    known = read_as([0, 1, 2, 3] * 10, doubt=0.5)
    logits = np.concatenate([known, hesitant(5)])
    layer = fit(logits, labels(*[0, 1, 2, 3] * 10, *[1] * 5))
    unseen = hesitant(20)
    assert (unseen.argmax(axis=1) == 2).all()
    assert (layer.apply(unseen).argmax(axis=1) == 1).mean() > 0.8
    assert (layer.apply(known).argmax(axis=1) == known.argmax(axis=1)).all()


def test_each_sample_is_judged_by_a_layer_that_has_not_seen_it() -> None:
    logits = read_as([0] * 9 + [1])  # the last one alone says that this picture is a 3
    wanted = labels(*[0] * 9, 3)
    assert fit(logits, wanted).apply(logits)[-1, 3] > logits[-1, 3]
    assert out_of_fold(logits, wanted)[-1, 3] <= logits[-1, 3] + 1e-3


def test_where_the_release_is_right_about_its_doubts_no_layer_is_used() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (400, CLASSES)).astype(np.float32)
    written = (logits + random.gumbel(size=logits.shape)).argmax(axis=1).astype(np.int32)  # drawn as it says
    assert personal_layer(logits[:200], written[:200], logits[200:], written[200:]) is None


def test_without_handwriting_there_is_no_layer() -> None:
    assert personal_layer(hesitant(0), labels(), hesitant(3), labels(1, 1, 1)) is None


def test_a_layer_that_reads_others_worse_is_not_used() -> None:
    logits, wanted = hesitant(30), labels(*[1] * 30)
    others = (hesitant(40) + np.array([0, 0, 0.1, 0])).astype(np.float32)  # real 2s that look like it
    assert personal_layer(logits, wanted, others[:0], labels()) is not None
    assert personal_layer(logits, wanted, others, labels(*[2] * 40)) is None


def test_of_very_many_classes_there_is_none() -> None:
    logits = np.zeros((3, MOST_CLASSES + 1), np.float32)
    assert personal_layer(logits, labels(0, 1, 2), logits, labels(0, 1, 2)) is None


@given(st.integers(2, 6), st.integers(1, 12), st.floats(0.01, 100), st.integers(0, 9))
def test_the_prior_bounds_what_is_learnt(classes: int, count: int, strength: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 5, (count, classes)).astype(np.float32)
    wanted = random.integers(0, classes, count).astype(np.int32)
    near, far = (fit(logits, wanted, strength=strength * factor).matrix for factor in (1, 100))
    assert np.isfinite(near).all()
    assert np.square(far).sum() <= np.square(near).sum() + 1e-6


@pytest.mark.parametrize("matrix", [np.zeros((3, 3)), np.zeros(4), np.full((2, 3), np.nan), np.zeros((0, 1))])
def test_what_is_no_layer_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(UsageError, match="personal layer"):
        PersonalLayer(matrix.astype(np.float32))
