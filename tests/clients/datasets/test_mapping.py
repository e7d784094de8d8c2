"""From the labels in a file to an alphabet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.datasets.mapping import Mapping, parse_mapping
from handfed.shared.errors import DatasetError

CHARACTERS = st.characters(min_codepoint=0x21, max_codepoint=0x17F, exclude_categories=("C", "Z", "M"))


def test_a_row_maps_a_label_to_a_character() -> None:
    mapping = parse_mapping(b"0 48\n1 65\r\n2 97\n", where="mapping.txt")
    assert mapping.alphabet.names == ("0", "A", "a")
    assert mapping.positions(np.array([2, 0, 1], np.uint8), where="labels").tolist() == [2, 0, 1]


def test_where_both_cases_are_one_class_the_capital_names_it() -> None:
    mapping = parse_mapping(b"1 65 97\n2 66 98\n", where="mapping.txt")
    assert mapping.alphabet.names == ("A", "B")
    assert mapping.positions(np.array([1, 2]), where="labels").tolist() == [0, 1]


def test_classes_come_in_the_order_of_their_labels() -> None:
    mapping = parse_mapping(b"7 97\n\n-3 98\n5 99\n", where="mapping.txt")
    assert mapping.alphabet.names == ("b", "c", "a")
    assert mapping.positions(np.array([7, -3, 5]), where="labels").tolist() == [2, 0, 1]


def test_without_a_mapping_the_labels_that_occur_are_the_classes() -> None:
    mapping = Mapping.of_labels(np.array([26, 1, 3, 1], np.uint8), where="labels")
    assert mapping.alphabet.names == ("1", "3", "26")
    assert mapping.positions(np.array([1, 26]), where="labels").tolist() == [0, 2]


@given(st.dictionaries(st.integers(-300, 300), CHARACTERS, min_size=2, max_size=20))
def test_every_label_finds_its_character(characters: dict[int, str]) -> None:
    if len(set(characters.values())) < len(characters):
        return
    rows = "\n".join(f"{label} {ord(character)}" for label, character in characters.items())
    mapping = parse_mapping(rows.encode(), where="mapping.txt")
    labels = np.array(list(characters), np.int16)
    positions = mapping.positions(labels, where="labels")
    assert [mapping.alphabet.names[position] for position in positions] == list(characters.values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "mapping.txt: holds no row"),
        (b"\n \n", "mapping.txt: holds no row"),
        (b"0 48\n1 x\n", "mapping.txt, line 2: is not a row of whole numbers"),
        (b"0 48\n\n1 1.5\n", "mapping.txt, line 3: is not a row of whole numbers"),
        (b"0 48\n1 \xc3\xa9\n", "mapping.txt, line 2: is not a row of whole numbers"),
        (b"0 48\n1 9999999999999999999999\n", "mapping.txt, line 2: is not a row of whole numbers"),
        (b"0 48\n1 49 50\n", "mapping.txt, line 2: has 3 columns, and the first row 2"),
        (b"0\n1\n", "mapping.txt: each row must hold a label and the code"),
        (b"0 48\n1 49\n0 50\n", "mapping.txt: label 0 is there twice"),
        (b"0 48\n1 1114112\n", "mapping.txt: label 1 stands for 1114112, which is no character's code"),
        (b"0 48\n1 -1\n", "mapping.txt: label 1 stands for -1"),
        (b"0 48\n1 48\n", "mapping.txt: class 1 repeats the name '0'"),
        (b"0 48\n1 10\n", "mapping.txt: class 1 has an empty name"),
        (b"0 48\n1 55296\n", "mapping.txt: class 1 has a control character"),
        (b"0 48\n", "mapping.txt: a recogniser needs at least two classes"),
    ],
)
def test_what_is_no_mapping_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        parse_mapping(content, where="mapping.txt")


@pytest.mark.parametrize("wrong", [-1, 1, 3, 255])
def test_a_label_outside_the_mapping_is_refused_with_its_row(wrong: int) -> None:
    mapping = parse_mapping(b"0 48\n2 49\n", where="mapping.txt")
    with pytest.raises(DatasetError, match=f"labels, row 2: label {wrong} is not in the mapping, which has 2 labels"):
        mapping.positions(np.array([0, 2, wrong]), where="labels")
