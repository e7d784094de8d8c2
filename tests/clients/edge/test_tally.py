"""What people saw and corrected is counted by release, whoever counts, and nothing but counts is kept."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from handfed.clients.device.release_upkeep import uses
from handfed.clients.edge.tally import FILE, Count, Tally
from handfed.shared.release_reports import Report, ReportError, Use


def test_readings_and_corrections_add_up_by_release(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    assert tally.counts() == {}
    tally.add(3, readings=12)
    tally.add(3, readings=1, corrections=1)
    Tally(tmp_path).add(4, readings=2)
    assert tally.counts() == {3: Count(13, 1), 4: Count(2, 0)}


def test_none_is_lost_where_many_count_at_once(tmp_path: Path) -> None:
    def count() -> None:
        for _ in range(20):
            Tally(tmp_path).add(1, readings=1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Tally(tmp_path).counts() == {1: Count(80, 0)}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"x": [1, 2]}', b'{"1": [1]}', b"\xff"])
def test_what_is_damaged_counts_from_nothing(tmp_path: Path, content: bytes) -> None:
    tally = Tally(tmp_path)
    tally.add(1, readings=5)
    (tmp_path / "recogniser" / FILE).write_bytes(content)
    assert tally.counts() == {}
    tally.add(1, readings=5)
    assert tally.counts() == {1: Count(5, 0)}


def test_of_many_releases_the_last_are_kept(tmp_path: Path) -> None:
    for release in range(1, 31):
        Tally(tmp_path).add(release, readings=1)
    assert sorted(Tally(tmp_path).counts()) == list(range(11, 31))


def test_a_device_tells_whole_tens_from_ten_on(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    tally.add(1, readings=9, corrections=9)
    tally.add(2, readings=19, corrections=15)
    tally.add(3, readings=120, corrections=7)
    assert uses(tmp_path) == (Use(2, 10, 10), Use(3, 120, 7))
    report = Report(1, uses=uses(tmp_path))
    assert Report.decode(report.encode()) == report


@pytest.mark.parametrize("use", [Use(1, 15, 0), Use(1, 10, 11), Use(0, 10, 1), Use(1, -10, 0)])
def test_what_no_device_may_tell_is_refused(use: Use) -> None:
    with pytest.raises(ReportError):
        Report.decode(Report(1, uses=(use,)).encode())
