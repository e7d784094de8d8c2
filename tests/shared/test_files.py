"""A reader of a file sees the whole old content or the whole new one."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from handfed.shared.errors import StorageError
from handfed.shared.files import remove_unfinished, sha256_of, write_atomically


def test_a_new_file_holds_what_was_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / "model", b"weights")
    assert (tmp_path / "model").read_bytes() == b"weights"


def test_a_file_is_replaced_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "model"
    write_atomically(path, b"a long first version")
    write_atomically(path, b"short")
    assert path.read_bytes() == b"short"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_a_reader_never_sees_a_mix(tmp_path: Path) -> None:
    path = tmp_path / "model"
    versions = [bytes([letter]) * 200_000 for letter in b"ab"]
    write_atomically(path, versions[0])
    done = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(40):
        write_atomically(path, versions[turn % 2])
    done.set()
    reader.join()
    assert seen <= set(versions)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_file_has_the_mode_that_is_asked_for_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "text", b"seven", mode=mode)
    finally:
        os.umask(before)
    assert (tmp_path / "text").stat().st_mode & 0o777 == mode


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"missing.model: No such file or directory"):
        write_atomically(tmp_path / "missing" / "model", b"weights")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "kept").write_bytes(b"old")
    with pytest.raises(StorageError):
        write_atomically(target, b"weights")  # a folder cannot be replaced by a file
    assert (target / "kept").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 100])
def test_the_digest_is_that_of_hashlib(content: bytes) -> None:
    assert sha256_of(content) == hashlib.sha256(content).hexdigest()


def test_the_digest_of_abc_is_the_one_in_the_standard() -> None:
    assert sha256_of(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_what_a_killed_process_left_half_built_goes_after_a_day(tmp_path: Path) -> None:
    for name in (".0001.abcdef01", ".0002.abcdef02", "0003"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / ".0001.abcdef01", (0, 0))
    os.utime(tmp_path / "0003", (0, 0))
    remove_unfinished(tmp_path, ".????*.????????")
    assert {path.name for path in tmp_path.iterdir()} == {".0002.abcdef02", "0003"}
