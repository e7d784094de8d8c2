"""What was written beside what was read."""

from __future__ import annotations

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.alphabet import Alphabet
from handfed.shared.transcripts import Transcripts

LETTERS = Alphabet(tuple("abcd "))
TEXTS = st.lists(st.integers(0, 3), max_size=8)
PAIRS = st.lists(st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=8), TEXTS), min_size=1, max_size=12)
CHARACTERS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=60)


def transcripts(pairs: list[tuple[list[int], list[int]]]) -> Transcripts:
    return Transcripts([written for written, _ in pairs], [read for _, read in pairs])


@given(PAIRS)
def test_the_character_error_rate_is_jiwer_s(pairs: list[tuple[list[int], list[int]]]) -> None:
    found = transcripts(pairs)
    written, read = ([LETTERS.text_of(text) for text in texts] for texts in (found.written, found.read))
    assert found.cer == pytest.approx(jiwer.cer(written, read))


@given(PAIRS)
def test_confusions_hold_every_character_and_every_error(pairs: list[tuple[list[int], list[int]]]) -> None:
    found = transcripts(pairs)
    matrix = found.confusions(4)
    assert matrix[:-1].sum() == found.characters.sum()
    assert matrix[:, :-1].sum() == sum(len(read) for read in found.read)
    assert matrix.sum() - np.trace(matrix) == found.errors.sum()
    assert matrix[-1, -1] == 0


@given(CHARACTERS)
def test_of_single_characters_confusions_count_each_sample_once(pairs: list[tuple[int, int]]) -> None:
    written, read = np.array(pairs, np.int32).reshape(-1, 2).T
    matrix = Transcripts.of_characters(written, read).confusions(5)
    for label in range(5):
        for reading in range(5):
            assert matrix[label, reading] == pairs.count((label, reading))


def test_labels_are_rows_and_readings_columns() -> None:
    assert Transcripts([[0, 1]], [[0, 0, 1]]).confusions(2).tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]


def test_words_are_what_a_space_parts() -> None:
    found = Transcripts([[0, 4, 1, 1], [2]], [[0, 4, 1], [2]])  # "a bb", "c"; read "a b", "c"
    assert found.wer(LETTERS) == pytest.approx(1 / 3)


def test_a_sample_is_right_without_any_error() -> None:
    assert Transcripts([[0, 1], [2]], [[0, 1], [2, 2]]).correct.tolist() == [True, False]
