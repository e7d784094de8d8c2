"""Texts are cut where a writer would cut them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.datasets.texts import characters
from handfed.shared.alphabet import SPACE


@pytest.mark.parametrize(
    "text",
    ["a", "é", "ж", "字", "한", "1", "+", '"', "\u0915\u093e", "\u0915\u094d\u0937", "\u0e01\u0e34", "n\u0303\u0323"],
)
def test_a_base_with_its_marks_is_one_character(text: str) -> None:
    assert characters(unicodedata.normalize("NFC", text)) == [unicodedata.normalize("NFC", text)]


@pytest.mark.parametrize("text", ["", "ab", "a b", "10", "字字", "éa", "\u0915\u0916", "a\u0301\u0301b"])
def test_more_than_one_base_is_more_than_one_character(text: str) -> None:
    assert len(characters(unicodedata.normalize("NFC", text))) != 1


def test_space_of_any_kind_is_one_space() -> None:
    assert characters(" a\u00a0  b ") == ["a", SPACE, "b"]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"])))
def test_characters_together_are_the_text(text: str) -> None:
    assert "".join(characters(text)) == text
