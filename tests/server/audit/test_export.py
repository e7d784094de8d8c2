"""The audit log as a file."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.server.audit.export import as_csv, as_json_lines
from handfed.server.audit.values import AuditEntry

ENTRY = AuditEntry(
    number=12,
    at=datetime(2026, 5, 6, 12, tzinfo=UTC),
    who="Ada",
    token=None,
    address="192.0.2.7",
    organisation=1,
    verb="rename",
    object="device/7",
    detail={"from": "a", "to": "é"},
)


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_line_is_an_object() -> None:
    lines = "".join(as_json_lines([ENTRY, replace(ENTRY, number=13)])).splitlines()
    assert [json.loads(line)["number"] for line in lines] == [12, 13]
    assert json.loads(lines[0])["at"] == "2026-05-06T12:00:00+00:00"
    assert json.loads(lines[0])["detail"] == {"from": "a", "to": "é"}


def test_a_row_has_a_cell_a_field() -> None:
    (row,) = _rows("".join(as_csv([ENTRY])))
    assert row["object"] == "device/7"
    assert row["token"] == ""
    assert json.loads(row["detail"]) == ENTRY.detail


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])  # noqa: RUF001
def test_a_formula_stays_text(formula: str) -> None:
    (row,) = _rows("".join(as_csv([replace(ENTRY, who=formula)])))
    assert row["who"] == f"'{formula}"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_no_cell_begins_as_a_formula_and_none_is_lost(who: str) -> None:
    (row,) = _rows("".join(as_csv([replace(ENTRY, who=who)])))
    assert not row["who"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert row["who"] in {who, f"'{who}"}
