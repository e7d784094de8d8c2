"""Spans of time as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from handfed.server.durations import duration
from handfed.shared.errors import SettingError


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90m", timedelta(minutes=90)),
        (" 24H ", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("30s", timedelta(seconds=30)),
    ],
)
def test_a_number_and_a_unit_are_a_span(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1.5h", "1h30m", "9999999d", "1y"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="90m, 24h or 7d"):
        duration(text)
