"""The rules of an alphabet."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import DatasetError

NAMES = st.lists(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=3).map(
        lambda name: unicodedata.normalize("NFC", name)
    ),
    min_size=2,
    max_size=20,
    unique=True,
)


@given(NAMES)
def test_classes_keep_their_order_and_each_is_found_where_it_stands(names: list[str]) -> None:
    alphabet = Alphabet.of(names, where="here")
    assert alphabet.names == tuple(names)
    assert [alphabet.index(name, where="here") for name in names] == list(range(len(alphabet)))


@given(NAMES)
def test_the_alphabet_of_labels_is_in_code_point_order_without_repeats(labels: list[str]) -> None:
    alphabet = Alphabet.from_labels(labels + labels[::-1], where="here")
    assert list(alphabet.names) == sorted(labels)


def test_a_letter_typed_in_two_ways_is_one_class() -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    alphabet = Alphabet.from_labels([composed, decomposed, "a"], where="here")
    assert alphabet.names == ("a", composed)
    assert alphabet.index(decomposed, where="here") == 1


def test_two_names_that_are_the_same_after_normalisation_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"classes\.txt: class 2 repeats"):
        Alphabet.of(["\u00e9", "a", "e\u0301"], where="classes.txt")


@pytest.mark.parametrize("names", [[], ["a"]])
def test_fewer_than_two_classes_are_refused(names: list[str]) -> None:
    with pytest.raises(DatasetError, match="at least two classes"):
        Alphabet.of(names, where="here")


@pytest.mark.parametrize("empty", ["", "  ", "\t", "\u00a0"])
def test_an_empty_name_is_refused(empty: str) -> None:
    with pytest.raises(DatasetError, match="class 1 has an empty name"):
        Alphabet.of(["a", empty], where="here")


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "\x07", "\x9b", "\udcff"])
def test_a_name_that_a_terminal_would_obey_is_refused_and_not_shown_raw(name: str) -> None:
    with pytest.raises(DatasetError, match="class 1 has a control character") as caught:
        Alphabet.of(["a", name], where="here")
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_a_label_of_another_alphabet_is_refused() -> None:
    with pytest.raises(DatasetError, match="line 3: label 'x' is not in the alphabet a b"):
        Alphabet.of(["a", "b"], where="here").index("x", where="line 3")


def test_a_large_alphabet_is_cut_in_messages() -> None:
    names = [chr(0x4E00 + position) for position in range(3000)]
    summary = Alphabet.of(names, where="here").summary()
    assert summary.endswith("(3000 classes)")
    assert len(summary) < 200


def test_a_text_is_cut_into_its_longest_classes_and_what_is_none_stands_alone() -> None:
    alphabet = Alphabet(("c", "ch", "é", ".", " "))
    assert alphabet.tokenise("chce\u0301. x\nc") == ["ch", "c", "é", ".", " ", "x", "\n", "c"]
    assert alphabet.tokenise("") == []
