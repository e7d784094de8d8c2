from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.device.forms import layout
from handfed.clients.device.forms.code import Page, code_bytes, decode, encode
from handfed.shared.errors import ImageError, SettingError

PRINTABLE = st.characters(exclude_categories=("C", "Zl", "Zp"), exclude_characters="\t\n")
LABELS = st.lists(st.text(PRINTABLE, min_size=1, max_size=4), min_size=1, max_size=40)
SHEET = bytes(range(8))

# What the first version printed: it is on paper, and has to be read for ever.
PRINTED = "127812079405500271375134116772307063408155205302262548078286090992217874909267851259039488"


def page(labels: tuple[str, ...], writer: str = "Zoë", number: int = 1) -> Page:
    kind, paper = layout.KINDS["characters"], layout.PAPERS["letter"]
    return Page(paper, kind, SHEET, number, 3, writer, tuple(sorted(labels)))


@given(LABELS, st.text(PRINTABLE, max_size=20), st.integers(1, 3))
def test_a_code_says_again_what_was_printed(labels: list[str], writer: str, number: int) -> None:
    printed = page(tuple(labels), writer, number)
    code = encode(printed)
    assert code.isdigit()
    assert decode(code) == printed
    assert decode(code).prompts() == printed.prompts()
    assert sorted(printed.prompts()) == sorted(labels)


@given(st.data())
def test_a_code_with_any_digit_misread_is_refused(data: st.DataObject) -> None:
    code = encode(page(tuple("0123456789") * 3))
    place = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != code[place]]))
    with pytest.raises(ImageError):
        decode(code[:place] + other + code[place + 1 :])


@pytest.mark.parametrize("foreign", ["", "0", "1", "https://example.org", "٣" * 40, "9" * 5000, "1" * 100])
def test_what_is_no_page_s_code_is_refused(foreign: str) -> None:
    with pytest.raises(ImageError, match="none of a form"):
        decode(foreign)


def test_a_code_of_a_newer_version_says_so() -> None:
    from handfed.clients.device.forms import code

    content = bytearray(int(encode(page(("a", "b")))).to_bytes(code_bytes(page(("a", "b")))))[:-8]
    content[0] = 2
    newer = str(int.from_bytes(bytes(content) + code._check(bytes(content))))
    with pytest.raises(ImageError, match="update Handfed"):
        decode(newer)


def test_forms_of_the_first_version_are_read_for_ever() -> None:
    read = decode(PRINTED)
    assert (read.writer, read.number, read.of, read.sheet, read.name) == ("Zoë", 1, 3, SHEET, "000102-1")
    assert read.labels == ("a", "a", "b", "b", "c")
    assert read.prompts() == ["b", "a", "c", "b", "a"]


def test_pages_and_sheets_have_orders_of_their_own() -> None:
    orders = [page(tuple("0123456789"), number=number).prompts() for number in (1, 2, 3)]
    assert orders[0] != orders[1] != orders[2]
    assert "Zoë" not in repr(page(("a", "b")))


def test_no_two_boxes_are_known_by_the_same() -> None:
    identities = {page(("a",), number=number).identity(box) for number in (1, 11) for box in (1, 11, 111)}
    assert len(identities) == 6


@pytest.mark.parametrize("text", ["tab\there", "line\nbreak", "bell\x07"])
def test_text_that_cannot_be_printed_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="cannot be printed"):
        encode(page(("a", text)))
    with pytest.raises(SettingError, match="cannot be printed"):
        encode(page(("a", "b"), writer=text))
