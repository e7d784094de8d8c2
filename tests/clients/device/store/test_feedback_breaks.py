"""Feedback that was acknowledged is there, wherever a process is killed or the power is cut; the store always opens.

`python -m handfed.simulations.benchmarks feedback` does the same with 1,000 kills and 150 pieces.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from handfed.simulations.benchmarks import feedback
from handfed.simulations.benchmarks.power_cuts import Change, Disk


def test_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    found = feedback.killed(tmp_path / "device", 15, seed=1)
    assert (found.lost, found.unopened) == (0, 0)
    assert found.acknowledged >= found.times // 2
    assert found.amid > 0


@pytest.mark.slow
def test_power_cuts_lose_nothing_that_was_acknowledged_not_even_with_the_folder_that_is_new(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not here")
    found = feedback.cut(tmp_path, 3, seed=1)
    assert (found.acknowledged, found.lost, found.unopened) == (3, 0, 0)
    assert found.disks > found.points > 100


def test_the_disk_forgets_what_was_not_synced(tmp_path: Path) -> None:
    import random

    (tmp_path / "old").write_bytes(b"old")
    disk, chance = Disk(tmp_path), random.Random(0)  # noqa: S311 - no secrets

    def after(kind: str, name: str = "", content: bytes = b"", offset: int = 0) -> list[dict[str, bytes | None]]:
        disk.apply(Change(kind, str(tmp_path / name), content, offset))
        return list(disk.after_a_cut(chance))

    certain, named, written, _ = after("create", "new")
    assert (certain, named, written) == ({"old": b"old"}, {"old": b"old", "new": b""}, {"old": b"old", "new": b""})
    after("write", "new", b"abcd", 2)
    _, named, written, _ = after("truncate", "new", offset=4)
    assert (named["new"], written["new"]) == (b"", b"\0\0ab")
    certain, named, *_ = after("sync", "new")
    assert ("new" in certain, named["new"]) == (False, b"\0\0ab")
    (certain, *_) = after("sync")
    assert certain["new"] == b"\0\0ab"
    certain, named, *_ = after("remove", "old")
    assert ("old" in certain, "old" in named) == (True, False)


def test_a_file_that_takes_the_place_of_another_is_certain_with_its_directory(tmp_path: Path) -> None:
    import random

    (tmp_path / "file").write_bytes(b"old")
    disk, chance = Disk(tmp_path), random.Random(0)  # noqa: S311 - no secrets
    disk.apply(Change("create", str(tmp_path / "new")))
    for piece in (b"all ", b"new"):
        disk.apply(Change("append", str(tmp_path / "new"), piece))
    disk.apply(Change("sync", str(tmp_path / "new")))
    disk.apply(Change("rename", str(tmp_path / "new"), str(tmp_path / "file").encode()))
    certain, named, *_ = disk.after_a_cut(chance)
    assert (certain, named) == ({"file": b"old"}, {"file": b"all new"})
    disk.apply(Change("sync", str(tmp_path)))
    certain, *_ = disk.after_a_cut(chance)
    assert certain == {"file": b"all new"}
