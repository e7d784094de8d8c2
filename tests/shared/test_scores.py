"""Scores."""

from __future__ import annotations

from handfed.shared.scores import Score
from handfed.shared.transcripts import Transcripts


def test_a_score_counts_samples_without_an_error_and_characters_with_one() -> None:
    assert Score.of(Transcripts([[1, 2, 3], [4], [5, 5]], [[1, 2, 3], [4, 4], []]), 1.5) == Score(3, 1, 6, 3, 1.5)


def test_scores_add_up() -> None:
    assert Score(1, 1, 4, 0, 0.5) + Score(2, 0, 6, 3, 1.0) == Score(3, 1, 10, 3, 1.5)


def test_accuracy_is_of_characters_and_never_below_nought() -> None:
    assert Score(3, 1, 10, 3).accuracy == 0.7
    assert Score(1, 0, 2, 5).accuracy == 0
