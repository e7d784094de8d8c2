"""`read` takes a name or a path, and says what else there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.datasets import read
from handfed.shared.errors import DatasetError


def test_a_name_is_read_from_the_package_that_offers_it() -> None:
    assert read("mnist5k").name == "mnist5k"


def test_a_name_comes_before_a_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mnist5k").write_bytes(b"")
    assert len(read("mnist5k")) == 5_000
    with pytest.raises(DatasetError, match="mnist5k: is not a kind of file"):
        read("./mnist5k")


def test_a_near_name_is_suggested_and_the_names_are_listed() -> None:
    with pytest.raises(DatasetError, match=r"'mnist6k' is neither .*did you mean 'mnist5k'\? named here: .*mnist"):
        read("mnist6k")


@pytest.mark.parametrize("reference", ["", "no/such/folder", "none.npz", "a\0b", "n" * 5_000])
def test_what_does_not_exist_is_refused(reference: str) -> None:
    if reference == "":  # the working folder, to pathlib
        with pytest.raises(DatasetError):
            read(reference)
        return
    with pytest.raises(DatasetError, match=r"is neither a named data set nor a file|cannot be looked up"):
        read(reference)


@pytest.mark.parametrize("name", ["letters.csv", "letters", "letters.npy", "letters.tar.gz"])
def test_a_file_of_an_unknown_kind_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(DatasetError, match=rf"{name}: is not a kind of file that is read; what is read: \.npz"):
        read(str(tmp_path / name))


def test_for_a_table_the_folder_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_bytes(b"image\ttext\n")
    with pytest.raises(DatasetError, match="give the folder that holds it"):
        read(str(tmp_path / "labels.tsv"))


def test_for_labels_in_idx_the_images_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(DatasetError, match="give the images file beside it, or the folder"):
        read(str(tmp_path / "train-labels-idx1-ubyte.gz"))


def test_a_table_comes_before_other_formats_in_a_folder(tmp_path: Path) -> None:
    for name in ("labels.tsv", "all_data_0.json", "train-images-idx3-ubyte"):
        (tmp_path / name).write_bytes(b"")
    for name in ("labels.tsv", "train-images-idx3-ubyte", "all_data_0.json"):
        with pytest.raises(DatasetError, match=name.removesuffix("-idx3-ubyte")):
            read(str(tmp_path))
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.mat", "is not in MATLAB's format 5"),
        ("A.MAT", "is not in MATLAB's format 5"),
        ("a.json", "is not JSON"),
        ("images-idx3-ubyte", "there is no 'labels-idx1-ubyte' beside it"),
    ],
)
def test_a_published_data_set_is_known_by_its_name(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(DatasetError, match=f"{name}: {message}"):
        read(str(tmp_path / name))


@pytest.mark.parametrize("name", ["a.npz", "a.zip", "A.ZIP"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(DatasetError, match=f"{name}: is not a whole zip archive"):
        read(str(tmp_path / name))


def test_the_suffix_is_read_in_capitals_too(tmp_path: Path) -> None:
    pictures = np.zeros((4, 9, 9), np.uint8)
    pictures[:, 2:6, 4] = 255
    np.savez(tmp_path / "a.npz", x=pictures, y=np.array([0, 1, 0, 1]), allow_pickle=False)
    (tmp_path / "a.npz").rename(tmp_path / "A.NPZ")
    assert len(read(str(tmp_path / "A.NPZ"))) == 4


def test_starting_up_imports_neither_numpy_nor_pillow() -> None:
    """`handfed --help` imports every subcommand's module."""
    code = (
        "import sys, handfed.clients.datasets.cli;"
        "print(sorted({'numpy', 'PIL', 'tensorflow', 'flwr'} & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_reading_an_npz_needs_no_pillow() -> None:
    code = (
        "import sys, numpy; sys.modules['PIL'] = None;"
        "import handfed.clients.datasets.npz, handfed.clients.datasets.labelled"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("whose", [["zoe", "adam", "zoe"], [7, 3, 7]])
def test_writers_own_ids_are_kept_only_where_they_are_asked_for(tmp_path: Path, whose: list[object]) -> None:
    pictures = np.zeros((3, 20, 20), np.uint8)
    pictures[:, 4:16, 9:11] = 255
    path = str(tmp_path / "a.npz")
    np.savez(path, allow_pickle=False, x=pictures, y=[0, 1, 0], writer=np.array(whose))
    kept, dropped = read(path, writer_ids=True), read(path)
    assert kept.writers is not None
    assert kept.writer_ids is not None
    assert [kept.writer_ids[number] for number in kept.writers] == [str(each) for each in whose]
    assert dropped.writer_ids is None
    assert kept.take(np.array([0])).writer_ids is None
    assert str(whose[0]) not in repr(kept).partition("writers=")[2]
