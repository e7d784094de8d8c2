"""Texts of known words."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.alphabet import Alphabet
from handfed.shared.decoding.beam import Beam
from handfed.shared.decoding.lexicon import Lexicon, cased

ALPHABET = Alphabet(("a", "b", "c", "'", " ", "1"))
FREE = "[' 1]"

words = st.text("abc", min_size=1, max_size=4) | st.builds(
    "{}'{}".format, st.sampled_from("ab'"), st.sampled_from("abc")
)
lexicons = st.lists(words, min_size=1, max_size=5)


def score(lexicon: Lexicon, text: str) -> float:
    state, found = lexicon.start(), 0.0
    for character in text:
        label = ALPHABET.names.index(character)
        found += float(lexicon.scores(state)[label])
        state = lexicon.after(state, label)
    return found + lexicon.end(state)


def is_made_of(known: list[str], text: str) -> bool:
    """Whether words and free characters make the text, two words never touching."""
    either = "|".join(map(re.escape, known))
    return bool(re.fullmatch(f"(?:{FREE}|(?:{either})(?={FREE}|$))*", text))


@given(lexicons, st.text("abc' 1", max_size=8))
def test_a_text_is_allowed_if_it_is_made_of_words_and_free_characters(known: list[str], text: str) -> None:
    assert score(Lexicon(known, ALPHABET), text) == (0.0 if is_made_of(known, text) else -np.inf)


@given(lexicons, st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_a_beam_never_reads_a_word_outside(known: list[str], seed: int, width: int) -> None:
    logits = 3 * np.random.default_rng(seed).normal(size=(9, 7)).astype(np.float32)
    found = Beam(width, Lexicon(known, ALPHABET), alternatives=width).decode(logits)
    for text in (found.text, *(text for text, _ in found.alternatives)):
        assert is_made_of(known, "".join(ALPHABET.names[label] for label in text))


def test_an_unknown_word_costs_once() -> None:
    lexicon = Lexicon(["ab", "a'b"], ALPHABET, unknown=-3.0)
    assert score(lexicon, "ab 1 a'b'") == 0
    assert score(lexicon, "ba") == score(lexicon, "bacca") == score(lexicon, "ab ac' 1") == -3
    assert score(lexicon, "a") == score(lexicon, "a 1") == -3
    assert score(lexicon, "ba bc") == score(lexicon, "a ac") == -6


def test_a_word_may_begin_with_a_free_character_right_after_another_word() -> None:
    lexicon = Lexicon(["a", "'b"], ALPHABET)
    assert score(lexicon, "a'b") == 0
    assert score(lexicon, "ab") == -np.inf


def test_a_word_that_the_alphabet_cannot_write_is_left_out() -> None:
    assert score(Lexicon(["abz", "ab"], ALPHABET), "ab") == 0
    assert score(Lexicon(["abz"], ALPHABET), "ab") == -np.inf
    assert score(Lexicon([], ALPHABET), "1'") == 0


def test_words_come_in_every_case_that_writing_gives_them() -> None:
    assert cased(["éa", "iPad"]) == {"éa", "Éa", "ÉA", "iPad", "IPad", "IPAD"}


@pytest.mark.parametrize("name", ["q̃", "क्षि"])
def test_a_class_of_several_code_points_is_a_letter_of_a_word(name: str) -> None:
    alphabet = Alphabet(("a", name, "-"))
    lexicon = Lexicon([f"a{name}"], alphabet)
    state = lexicon.after(lexicon.start(), 0)
    assert lexicon.scores(state).tolist() == [-np.inf, 0, -np.inf]
    assert lexicon.end(lexicon.after(state, 1)) == 0
