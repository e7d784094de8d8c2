from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from handfed.clients.device.forms import layout, sheets
from handfed.clients.device.forms.code import MOST_BYTES, Page, code_bytes
from handfed.shared.errors import DatasetError, SettingError

CHARACTERS, WORDS = layout.KINDS["characters"], layout.KINDS["words"]
A4 = layout.PAPERS["a4"]
ALPHANUMERIC = sheets.characters_of("alphanumeric", "characters")


def deal(labels: tuple[str, ...], repeat: int = 1, *, writer: str = "Zoë", seed: int | None = 1) -> list[Page]:
    return sheets.deal(labels, repeat=repeat, writer=writer, paper=A4, kind=CHARACTERS, seed=seed)


def test_each_label_is_asked_for_as_often_as_was_said() -> None:
    pages = deal(ALPHANUMERIC, 7)
    counts = Counter(label for page in pages for label in page.prompts())
    assert counts == dict.fromkeys(ALPHANUMERIC, 7)
    assert [(page.number, page.of) for page in pages] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len({page.sheet for page in pages}) == 1


def test_who_stops_after_a_page_has_written_each_label() -> None:
    first = Counter(deal(ALPHANUMERIC, 4)[0].labels)
    assert set(first) == set(ALPHANUMERIC)
    assert max(first.values()) - min(first.values()) == 1


def test_the_same_seed_is_the_same_form_and_no_seed_another_one() -> None:
    assert deal(ALPHANUMERIC) == deal(ALPHANUMERIC)
    others = [
        deal(ALPHANUMERIC, seed=2),
        deal(ALPHANUMERIC, writer="Bob"),
        deal(ALPHANUMERIC, 2),
        deal(ALPHANUMERIC, seed=None),
        deal(ALPHANUMERIC, seed=None),
        sheets.deal(ALPHANUMERIC, repeat=1, writer="Zoë", paper=layout.PAPERS["letter"], kind=CHARACTERS, seed=1),
    ]
    assert len({pages[0].sheet for pages in [deal(ALPHANUMERIC), *others]}) == 7


def test_a_page_never_holds_more_than_its_code() -> None:
    characters = tuple(chr(0x4E00 + 37 * number) for number in range(400))
    pages = deal(characters, 2)
    assert max(code_bytes(page) for page in pages) <= MOST_BYTES
    assert sum(len(page.labels) for page in pages) == 800
    assert len(pages) < 12


def test_a_label_that_no_code_holds_is_refused() -> None:
    with pytest.raises(SettingError, match="too long for the code"):
        deal(("a", "".join(map(chr, range(0x4E00, 0x4F80)))))


def test_alphabets_come_by_name_by_task_or_from_a_file(tmp_path: Path) -> None:
    assert sheets.characters_of("", "digits") == tuple("0123456789")
    file = tmp_path / "greek"
    file.write_text("щ\nж\n \n", encoding="utf-8")  # the space between words is nothing to copy
    assert sheets.characters_of(str(file), "characters") == ("щ", "ж")
    with pytest.raises(SettingError, match="--alphabet"):
        sheets.characters_of("", "characters")
    file.write_text("a\nincomprehensible\n", encoding="utf-8")
    with pytest.raises(SettingError, match="too long for a box"):
        sheets.characters_of(str(file), "characters")


def test_words_come_from_a_file_each_once(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("\ufeffapple\n\n pear  tree \napple\n", encoding="utf-8")
    words = sheets.words_in(file)
    assert words == ("apple", "pear tree")
    (page,) = sheets.deal(words, repeat=2, writer="", paper=A4, kind=WORDS)
    assert sorted(page.prompts()) == ["apple", "apple", "pear tree", "pear tree"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no words"),
        (b"x" * 30, "line 1: has more than 24"),
        (b"\xff\xfe", "not UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_files_of_words_that_cannot_be_used_are_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "words.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        sheets.words_in(file)


def test_a_class_list_names_each_person_once(tmp_path: Path) -> None:
    file = tmp_path / "class.txt"
    file.write_text("Zoë\nBob\n\nZoë\n", encoding="utf-8")
    assert sheets.writers_in(file) == ("Zoë", "Bob")
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="names nobody"):
        sheets.writers_in(file)


def test_a_name_that_is_too_long_for_the_form_is_refused() -> None:
    with pytest.raises(SettingError, match="at most 60"):
        deal(ALPHANUMERIC, writer="Z" * 61)
