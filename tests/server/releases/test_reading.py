"""Releases as people read them, and their files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from handfed.shared.data_directory import releases_in
from handfed.shared.errors import NotFoundError
from handfed.simulations.pages.example import fill


def test_releases_are_listed_newest_first_and_read_by_number(sqlite_services: Any, tmp_path: Path) -> None:
    fill(sqlite_services, tmp_path, devices=2, rounds=2, now=datetime(2026, 5, 6, tzinfo=UTC))
    reading = sqlite_services.releases
    assert [each.number for each in reading.list().items] == [4, 3, 2, 1]
    assert reading.get(4).manifest["release"] == 4
    assert reading.file(releases_in(tmp_path), 4, "model.tflite").stat().st_size == reading.get(4).size_bytes


@pytest.mark.parametrize("number", [9, 1 << 40])
def test_what_is_not_on_record_is_not_found(sqlite_services: Any, tmp_path: Path, number: int) -> None:
    with pytest.raises(NotFoundError):
        sqlite_services.releases.get(number)
    with pytest.raises(NotFoundError):
        sqlite_services.releases.file(releases_in(tmp_path), number, "model.tflite")


def test_a_file_that_is_not_on_this_machine_is_not_found(sqlite_services: Any, tmp_path: Path) -> None:
    fill(sqlite_services, tmp_path, devices=2, rounds=2, now=datetime(2026, 5, 6, tzinfo=UTC))
    with pytest.raises(NotFoundError, match="on this machine"):
        sqlite_services.releases.file(tmp_path / "elsewhere", 4, "model.tflite")
    with pytest.raises(NotFoundError):
        sqlite_services.releases.file(releases_in(tmp_path), 4, "browser.tflite")
