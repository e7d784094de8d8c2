"""Column types."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from handfed.server.base import Count, Document, Figure, NodeId, UtcTime, Words

DIALECT = sqlite.dialect()
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.integers(0, 2**64 - 1))
def test_every_device_number_comes_back_and_fits_a_signed_integer(number: int) -> None:
    stored = NodeId().process_bind_param(number, DIALECT)
    assert stored is not None
    assert -(2**63) <= stored < 2**63
    assert NodeId().process_result_value(stored, DIALECT) == number


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_two_devices_never_share_a_stored_number(one: int, other: int) -> None:
    same = NodeId().process_bind_param(one, DIALECT) == NodeId().process_bind_param(other, DIALECT)
    assert same == (one == other)


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_device_number_that_is_not_of_64_bits_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="device's number"):
        NodeId().process_bind_param(number, DIALECT)


@pytest.mark.parametrize("figure", [float("nan"), float("inf"), float("-inf"), np.float32("nan"), None])
def test_a_figure_that_is_not_finite_is_null(figure: float | None) -> None:
    assert Figure().process_bind_param(figure, DIALECT) is None


def test_numpy_figures_become_plain_ones() -> None:
    assert type(Figure().process_bind_param(np.float32(0.5), DIALECT)) is float  # type: ignore[arg-type]
    assert type(Count().process_bind_param(np.int64(3), DIALECT)) is int  # type: ignore[arg-type]


def test_a_count_that_no_database_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        Count().process_bind_param(2**63, DIALECT)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        UtcTime().process_bind_param(datetime(2026, 1, 1), DIALECT)  # noqa: DTZ001 - the point


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)),  # noqa: DTZ001 - the zone is drawn apart
    st.integers(-14, 14),
)
def test_a_time_comes_back_as_the_same_moment_in_utc(time: datetime, offset_h: int) -> None:
    moment = time.replace(tzinfo=timezone(timedelta(hours=offset_h)))
    stored = UtcTime().process_bind_param(moment, DIALECT)
    assert stored is not None
    for form in (
        stored,
        stored.replace(tzinfo=None),
        moment,
    ):  # PostgreSQL's, SQLite's, and another session's zone
        back = UtcTime().process_result_value(form, DIALECT)
        assert back == moment
        assert back is not None
        assert back.tzinfo is UTC


@given(st.dictionaries(st.text(), JSON_VALUES))
def test_a_document_is_always_json(document: dict[str, Any]) -> None:
    plain = Document().process_bind_param(document, DIALECT)
    json.dumps(plain, allow_nan=False)


def test_only_figures_that_are_not_finite_change_in_a_document() -> None:
    document = {"a": [float("nan"), 1.5, np.int32(2)], "b": {"c": (True, None, "é")}}
    assert Document().process_bind_param(document, DIALECT) == {
        "a": [None, 1.5, 2],
        "b": {"c": [True, None, "é"]},
    }


def test_what_has_no_place_in_json_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes has no place in JSON"):
        Document().process_bind_param({"weights": b""}, DIALECT)


@given(st.text(st.characters()))
def test_stored_words_can_be_shown_and_encoded(words: str) -> None:
    stored = Words().process_bind_param(words, DIALECT)
    assert stored is not None
    stored.encode()
    assert len(stored) == len(words)
    assert not any(character in stored for character in "\x00\x1b\x9b\r")
