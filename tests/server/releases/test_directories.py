"""The directories of releases."""

from __future__ import annotations

from pathlib import Path

import pytest

from handfed.server.releases import directories
from handfed.shared.errors import ManifestError, StorageError

FILES = {"model.tflite": b"\x00\x01", "MODEL_CARD.md": b"# Digits\n"}


def test_files_are_written_as_they_are(tmp_path: Path) -> None:
    written = directories.write(tmp_path / "releases", 7, FILES)
    assert written == tmp_path / "releases" / "0007"
    assert {path.name: path.read_bytes() for path in written.iterdir()} == FILES
    assert [path.name for path in (tmp_path / "releases").iterdir()] == ["0007"]


def test_files_are_read_only_and_their_directory_can_be_entered(tmp_path: Path) -> None:
    written = directories.write(tmp_path, 7, FILES)
    assert {path.stat().st_mode & 0o777 for path in written.iterdir()} == {0o444}
    plain = tmp_path / "plain"
    plain.mkdir()
    assert written.stat().st_mode == plain.stat().st_mode


def test_a_number_that_is_taken_is_refused_and_its_files_stay(tmp_path: Path) -> None:
    written = directories.write(tmp_path, 7, FILES)
    with pytest.raises(StorageError, match=r"cannot write .*0007"):
        directories.write(tmp_path, 7, {"model.tflite": b"other"})
    assert (written / "model.tflite").read_bytes() == FILES["model.tflite"]
    assert [path.name for path in tmp_path.iterdir()] == ["0007"]


@pytest.mark.parametrize("name", ["", ".", "..", "../model", "a/b", "/etc/passwd", ".hidden", "a\x00", "a\n"])
def test_a_file_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ManifestError, match="cannot hold a file named"):
        directories.write(tmp_path / "releases", 1, {name: b""})
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "releases").touch()
    with pytest.raises(StorageError, match="cannot write"):
        directories.write(tmp_path / "releases", 1, FILES)
    with pytest.raises(StorageError, match="cannot read"):
        directories.highest(tmp_path / "releases")


def test_the_highest_number_counts_every_directory_that_looks_like_a_release(tmp_path: Path) -> None:
    assert directories.highest(tmp_path / "absent") == 0
    assert directories.highest(tmp_path) == 0
    for name in ("0003", "0012", "10000", ".0099.abcd", "notes", "99", "00x1"):
        (tmp_path / name).mkdir()
    assert directories.highest(tmp_path) == 10000


def test_names_sort_as_numbers_up_to_9999_and_go_on_beyond() -> None:
    assert [directories.name_of(number) for number in (1, 42, 9999, 10000)] == [
        "0001",
        "0042",
        "9999",
        "10000",
    ]
