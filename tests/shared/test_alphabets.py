"""Alphabets by name and from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from handfed.shared import alphabets
from handfed.shared.alphabet import SPACE
from handfed.shared.errors import DatasetError


def test_names_have_the_classes_they_say() -> None:
    sizes = {"digits": 10, "letters": 52, "alphanumeric": 62}
    for name, size in sizes.items():
        found = alphabets.find(name)
        assert found is not None
        assert len(found) == size


def test_of_labels_there_is_none_before_the_data_is_read() -> None:
    assert alphabets.find("labels") is None


def test_a_file_has_a_class_on_each_line_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes("z\r\ne\N{COMBINING ACUTE ACCENT}\r\n \r\n\N{DEVANAGARI LETTER KA}\r\n".encode())
    found = alphabets.find(str(file))
    assert found is not None
    assert found.names == ("z", "\N{LATIN SMALL LETTER E WITH ACUTE}", SPACE, "\N{DEVANAGARI LETTER KA}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n\nb\n", "class 1 has an empty name"),
        (b"a\n", "at least two"),
        (b"\xff\xfe", "UTF-8"),
        (b"a\nb\na", "repeats"),
    ],
)
def test_a_file_that_lists_no_alphabet_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        alphabets.find(str(file))


def test_what_is_neither_name_nor_file_is_refused_with_the_names() -> None:
    with pytest.raises(DatasetError, match="not one of digits, letters, alphanumeric, labels"):
        alphabets.find("klingon")
