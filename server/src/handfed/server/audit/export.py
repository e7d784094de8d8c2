"""The audit log as a file: JSON lines (an object a line), or CSV (RFC 4180) for a spreadsheet.

A cell that a spreadsheet would take for a formula is prefixed with an apostrophe: whoever may name a device could
otherwise run code on the machine of whoever opens the file.

Source: OWASP, CSV Injection.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from typing import Final, Literal

from handfed.server.audit.values import AuditEntry

Format = Literal["jsonl", "csv"]
MEDIA_TYPES: Final[dict[Format, str]] = {"jsonl": "application/jsonl", "csv": "text/csv"}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width ones count too


def exported(entries: Iterable[AuditEntry], form: Format) -> Iterator[str]:
    """The text of a file, a part at a time; times as in RFC 3339."""
    return as_json_lines(entries) if form == "jsonl" else as_csv(entries)


def as_json_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """An object a line."""
    for entry in entries:
        yield json.dumps({**asdict(entry), "at": entry.at.isoformat()}) + "\n"


def as_csv(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """A heading, then a row an entry; the detail is JSON."""
    columns = [field.name for field in fields(AuditEntry)]
    yield _row(columns)
    for entry in entries:
        values = {**asdict(entry), "at": entry.at.isoformat(), "detail": json.dumps(entry.detail, ensure_ascii=False)}
        yield _row([_harmless(values[column]) for column in columns])


def _harmless(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(cells: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
