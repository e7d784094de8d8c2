"""Scores."""

from __future__ import annotations

import numpy as np

from handfed.shared.samples import Samples
from handfed.shared.scores import Score


def test_a_text_is_right_without_an_edit_and_edits_are_those_of_levenshtein() -> None:
    images = [np.ones((32, 16), np.uint8)] * 3
    samples = Samples.of_texts(images, [[1, 2, 3], [4], [5, 5]])
    assert Score.of(samples, [[1, 2, 3], [4, 4], []], 1.5) == Score(3, 1, 6, 3, 1.5)


def test_of_characters_an_edit_is_an_error() -> None:
    samples = Samples(np.zeros((3, 28, 28), np.uint8), np.array([1, 2, 3], np.int32))
    assert Score.of(samples, [[1], [0], [3]]) == Score(3, 2, 3, 1)


def test_scores_add_up() -> None:
    assert Score(1, 1, 4, 0, 0.5) + Score(2, 0, 6, 3, 1.0) == Score(3, 1, 10, 3, 1.5)
