"""What the keys of a store do."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.device.store.sealing import Secrets
from handfed.shared.errors import DamagedStoreError

KEYS = Secrets.new().encrypting()


@given(content=st.binary(max_size=2000), row=st.integers(0, 2**62))
def test_what_is_sealed_opens_again_and_is_never_the_same_twice(content: bytes, row: int) -> None:
    sealed = KEYS.seal("samples", "image", row, content)
    assert KEYS.unseal("samples", "image", row, sealed) == content
    assert sealed != KEYS.seal("samples", "image", row, content)
    assert len(sealed) == len(content) + 28


@given(content=st.binary(max_size=100), at=st.integers(0, 127))
def test_a_changed_bit_does_not_open(content: bytes, at: int) -> None:
    sealed = bytearray(KEYS.seal("samples", "label", 1, content))
    sealed[at % len(sealed)] ^= 1 << (at % 8)
    with pytest.raises(DamagedStoreError, match="label of row 1 of samples"):
        KEYS.unseal("samples", "label", 1, bytes(sealed))


@pytest.mark.parametrize(
    ("table", "column", "row"), [("samples", "label", 2), ("samples", "image", 1), ("writers", "label", 1)]
)
def test_a_value_of_another_place_does_not_open(table: str, column: str, row: int) -> None:
    with pytest.raises(DamagedStoreError):
        KEYS.unseal(table, column, row, KEYS.seal("samples", "label", 1, b"seven"))


@pytest.mark.parametrize("value", [b"", b"short", b"x" * 27])
def test_what_is_no_seal_does_not_open(value: bytes) -> None:
    with pytest.raises(DamagedStoreError):
        KEYS.unseal("samples", "label", 1, value)


def test_a_store_in_plain_keeps_values_as_they_are() -> None:
    plain = Secrets.new()
    assert plain.seal("samples", "label", 1, b"seven") == b"seven"
    assert plain.unseal("samples", "label", 1, b"seven") == b"seven"


@given(parts=st.lists(st.binary(max_size=8), max_size=4), others=st.lists(st.binary(max_size=8), max_size=4))
def test_hashes_are_the_same_only_for_the_same_parts(parts: list[bytes], others: list[bytes]) -> None:
    assert (KEYS.hash("sample", *parts) == KEYS.hash("sample", *others)) is (parts == others)


def test_hashes_differ_by_purpose_and_by_store_and_outlive_encryption() -> None:
    assert KEYS.hash("writer", b"Zoe") != KEYS.hash("sample", b"Zoe")
    assert KEYS.hash("writer", b"Zoe") != Secrets.new().hash("writer", b"Zoe")
    assert KEYS.encrypting().hash("writer", b"Zoe") == KEYS.hash("writer", b"Zoe")


def test_keys_are_never_shown() -> None:
    shown = repr(KEYS) + str(KEYS)
    assert [field.name for field in dataclasses.fields(KEYS)] == ["hashing", "sealing"]
    assert shown == "Secrets()" * 2
