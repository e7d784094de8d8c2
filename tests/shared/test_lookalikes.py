"""Classes that may stand for one another."""

from __future__ import annotations

import numpy as np
import pytest

from handfed.shared.alphabet import Alphabet
from handfed.shared.lookalikes import IGNORING_CASE, LOOKALIKES_AS_ONE, accuracies
from handfed.shared.transcripts import Transcripts


def of(written: str, read: str, names: str) -> dict[str, float]:
    labels = [np.array([names.index(character) for character in text], np.int32) for text in (written, read)]
    return accuracies(Transcripts.of_characters(*labels), Alphabet(tuple(names)))


def test_a_capital_is_its_letter_and_only_that() -> None:
    assert of("aBcé", "AbeÉ", "aAbBceéÉ")[IGNORING_CASE] == pytest.approx(3 / 4)


def test_a_zero_is_an_o_and_a_one_an_l_and_an_i() -> None:
    found = of("0oO1lIx", "oO0lI10", "0oO1lLiIx")
    assert found[IGNORING_CASE] == pytest.approx(1 / 7)
    assert found[LOOKALIKES_AS_ONE] == pytest.approx(6 / 7)


def test_where_no_class_stands_for_another_nothing_is_told() -> None:
    assert of("12", "21", "12") == {}
    assert of("ab", "ab", "abc") == {}
    assert set(of("0o", "o0", "0o")) == {LOOKALIKES_AS_ONE}


def test_of_texts_errors_are_counted_by_character() -> None:
    alphabet = Alphabet(("a", "A", "b"))
    found = accuracies(Transcripts([[0, 2], [2, 2]], [[1, 2], [2]]), alphabet)
    assert found == {IGNORING_CASE: pytest.approx(3 / 4)}  # nothing looks like another
