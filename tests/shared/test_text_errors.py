"""Character and word error rates."""

from __future__ import annotations

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.alphabet import Alphabet
from handfed.shared.samples import Samples
from handfed.shared.scores import Score
from handfed.shared.text_errors import TextErrors

ALPHABET = Alphabet(("a", "b", "é", " "))

words = st.text("abé", min_size=1, max_size=4)
written = st.lists(words, min_size=1, max_size=4).map(" ".join)  # as a writer has it: no space at an end, none twice
pairs = st.lists(st.tuples(written, written | st.just("")), min_size=1, max_size=5)


@given(pairs)
def test_rates_are_jiwers_and_edits_those_of_scores(texts: list[tuple[str, str]]) -> None:
    references, hypotheses = [text for text, _ in texts], [text for _, text in texts]
    found = TextErrors.of(references, hypotheses, ALPHABET)
    assert found.character_error_rate == pytest.approx(jiwer.cer(references, hypotheses))
    assert found.word_error_rate == pytest.approx(jiwer.wer(references, hypotheses))
    labels = [[ALPHABET.names.index(each) for each in text] for text in references]
    samples = Samples.of_texts([np.zeros((32, 8), np.uint8)] * len(labels), labels)
    score = Score.of(samples, [[ALPHABET.names.index(each) for each in text] for text in hypotheses])
    assert (found.characters, found.character_edits) == (score.characters, score.edits)


def test_a_class_of_several_code_points_is_one_character() -> None:
    alphabet = Alphabet(("q", "q̃", "क्षि"))
    assert TextErrors.of(["q̃क्षि"], ["qक्षि"], alphabet) == TextErrors(2, 1, 1, 1)


def test_ways_to_type_an_accent_are_one() -> None:
    assert TextErrors.of(["été"], ["e\u0301te\u0301"], Alphabet(("é", "t"))).character_edits == 0


def test_a_space_too_many_is_a_character_and_no_word() -> None:
    assert TextErrors.of(["a b"], ["a  b"], ALPHABET) == TextErrors(3, 1, 2, 0)


def test_what_was_read_where_nothing_was_written_counts() -> None:
    found = TextErrors.of(["", "a"], ["b b", "a"], ALPHABET)
    assert found == TextErrors(1, 3, 1, 2)
    assert found.character_error_rate == 3


@given(pairs, pairs)
def test_errors_add_up(first: list[tuple[str, str]], second: list[tuple[str, str]]) -> None:
    one, two, both = (
        TextErrors.of([text for text, _ in each], [text for _, text in each], ALPHABET)
        for each in (first, second, first + second)
    )
    assert one + two == both


def test_texts_must_be_equally_many() -> None:
    with pytest.raises(ValueError, match="length"):
        TextErrors.of(["a", "b"], ["a"], ALPHABET)
    assert TextErrors().character_error_rate == TextErrors().word_error_rate == 0
