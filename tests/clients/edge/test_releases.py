"""A release is found by its number, by its path, or as the newest."""

from __future__ import annotations

from pathlib import Path

import pytest

from handfed.clients.edge import releases
from handfed.shared.errors import ManifestError, StorageError


@pytest.fixture
def data_directory(tmp_path: Path) -> Path:
    """A data directory with the releases 2, 10 and 10001, and with what is no release."""
    for name in ("0002", "0010", "10001", ".0011.1a2b3c", "0012-old", "7"):
        (tmp_path / "releases" / name).mkdir(parents=True)
    (tmp_path / "releases" / "99999").write_text("a file")
    return tmp_path


def test_the_newest_has_the_highest_number(data_directory: Path) -> None:
    assert releases.newest(data_directory).name == "10001"


@pytest.mark.parametrize(("reference", "name"), [("2", "0002"), ("0010", "0010"), ("10001", "10001")])
def test_a_number_finds_its_release(data_directory: Path, reference: str, name: str) -> None:
    assert releases.find(reference, data_directory) == data_directory / "releases" / name


@pytest.mark.parametrize("reference", ["3", "7", "11", "0", "99999"])
def test_a_number_that_is_not_there_is_told_with_those_that_are(data_directory: Path, reference: str) -> None:
    with pytest.raises(ManifestError, match=rf"release {reference} is not in .*: the newest there are 2, 10, 10001$"):
        releases.find(reference, data_directory)


def test_a_path_is_taken_as_it_is(data_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data_directory)
    assert releases.find("releases/0002", Path("elsewhere")) == Path("releases/0002")
    assert releases.find("./releases", Path("elsewhere")) == Path("releases")


def test_a_path_that_is_not_there_is_refused(data_directory: Path) -> None:
    with pytest.raises(ManifestError, match=r"^0002x: there is no such release directory or \.tflite file"):
        releases.find("0002x", data_directory)


@pytest.mark.parametrize("inner", [".", "releases"])
def test_without_a_release_it_says_how_to_make_one(tmp_path: Path, inner: str) -> None:
    (tmp_path / inner).mkdir(exist_ok=True)
    with pytest.raises(ManifestError, match=r"run handfed edge pull.*run handfed simulate to make one"):
        releases.newest(tmp_path)
    with pytest.raises(
        ManifestError, match=r"release 1 is not in .*run handfed edge pull.*run handfed simulate to make one"
    ):
        releases.find("1", tmp_path)


def test_a_data_directory_that_does_not_exist_has_no_release(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"there is no release in .*--data-dir or --release"):
        releases.newest(tmp_path / "nowhere")


def test_a_file_in_the_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "releases").write_text("a file")
    with pytest.raises(StorageError, match="cannot be read"):
        releases.newest(tmp_path)
