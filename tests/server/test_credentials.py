"""Secrets that let somebody in."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.server.credentials import digest, is_same, token_secret, token_text


@given(st.binary(min_size=32, max_size=32))
def test_a_token_is_read_as_it_was_written(secret: bytes) -> None:
    text = token_text(secret)
    assert token_secret(text) == secret
    assert text.startswith("hf_")
    assert len(text) == 55
    assert text[3:].isalnum()  # a double click marks all of it


@given(st.text())
def test_what_is_no_token_is_none(text: str) -> None:
    secret = token_secret(text)
    assert secret is None or token_text(secret) == text


@pytest.mark.parametrize("text", ["hf_" + "a" * 51 + "b", " " + token_text(bytes(32)), token_text(bytes(32)).upper()])
def test_a_token_has_one_form(text: str) -> None:
    assert token_secret(text) is None


def test_what_is_kept_is_a_hash() -> None:
    assert digest(b"secret") == hashlib.sha256(b"secret").hexdigest()
    assert is_same(digest(b"a"), digest(b"a"))
    assert not is_same(digest(b"a"), digest(b"b"))
    assert not is_same(digest(b"a"), "")
