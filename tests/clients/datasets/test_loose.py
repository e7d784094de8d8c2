"""Pictures that nobody labelled."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handfed.clients.datasets.loose import read_unlabelled
from handfed.shared.errors import DatasetError, SettingError
from handfed.shared.samples import END
from handfed.shared.tasks import TASKS

DIGITS = TASKS["digits"]


def picture(path: Path, seed: int) -> Path:
    pixels = np.full((40, 40), 255, np.uint8)
    pixels[5 : 20 + seed, 10 : 15 + seed] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_a_folder_of_pictures_is_read_whole_and_its_names_are_not_kept(tmp_path: Path) -> None:
    for row, name in enumerate(["9.png", "scan 2.jpg", "more/7.PNG"]):
        picture(tmp_path / name, row)
    (tmp_path / "notes.txt").write_text("not a picture")
    found = read_unlabelled(str(tmp_path), DIGITS)
    assert found.images.shape == (3, 28, 28)
    assert found.labels.tolist() == [END] * 3
    assert (found.alphabet.names, found.writers, found.writer_ids) == ((), None, None)


def test_a_zip_archive_is_read_likewise(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        archive.write(picture(tmp_path / "a.png", 1), "a.png")
    assert len(read_unlabelled(str(tmp_path / "scans.zip"), DIGITS)) == 1


def test_of_a_data_set_the_labels_are_dropped_and_the_writers_kept(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28), np.uint8)
    np.savez(tmp_path / "some.npz", x=images, y=np.array([0, 1, 0, 1]), writer=np.array(["a", "a", "b", "b"]))
    found = read_unlabelled(str(tmp_path / "some.npz"), TASKS["characters"])
    assert found.labels.tolist() == [END] * 4
    assert found.writer_ids == ("a", "b")


def zipped(path: Path, *members: str) -> Path:
    """An archive of pictures of these names."""
    with zipfile.ZipFile(path, "w") as archive:
        for row, name in enumerate(members):
            archive.write(picture(path.parent / "unpacked" / f"{row}.png", row), name)
    return path


def test_who_wrote_it_is_kept_where_a_table_lies_beside_the_pictures(tmp_path: Path) -> None:
    for row in range(2):
        picture(tmp_path / f"{row}.png", row)
    (tmp_path / "labels.tsv").write_text("image\ttext\twriter\n0.png\t0\tAda\n1.png\tx\tBob\n")
    picture(tmp_path / "more" / "2.png", 2)  # which the table does not have
    found = read_unlabelled(str(tmp_path), DIGITS)  # "x" is no digit, and is dropped like any label
    assert (len(found), found.writer_ids, found.alphabet.names) == (2, ("Ada", "Bob"), ())


@pytest.mark.parametrize(
    "name", ["labels.tsv", "Labels.TSV", "images.zip", "001.gnt", "all_data_0.json", "train-images-idx3-ubyte"]
)
def test_pictures_beside_a_data_set_in_a_folder_below_are_refused(name: str, tmp_path: Path) -> None:
    picture(tmp_path / "0.png", 0)
    (tmp_path / "box" / "one").mkdir(parents=True)
    (tmp_path / "box" / "one" / name).write_bytes(b"")
    with pytest.raises(DatasetError, match="may say who wrote what; give that folder by itself"):
        read_unlabelled(str(tmp_path), DIGITS)


@pytest.mark.parametrize("name", ["labels.tsv", "001.gnt", "all_data_0.json", "train-images-idx3-ubyte"])
def test_pictures_beside_a_data_set_are_never_read_alone(name: str, tmp_path: Path) -> None:
    picture(tmp_path / "0.png", 0)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DatasetError, match=name):
        read_unlabelled(str(tmp_path), DIGITS)


@pytest.mark.parametrize(
    "names",
    [("box/1.png", "box/2.png"), ("box/scan A/1.png", "box/scan B/1.png"), ("scan A/1.png", "scan B/1.png", "3.png")],
)
def test_an_archive_of_folders_is_read_whole(names: tuple[str, ...], tmp_path: Path) -> None:
    found = read_unlabelled(str(zipped(tmp_path / "scans.zip", *names)), DIGITS)
    assert (len(found), found.writers, found.alphabet.names) == (len(names), None, ())


@pytest.mark.parametrize("names", [("scan A/1.png",), ("scan A/1.png", "scan B/1.png"), ("a/b/c/1.png", "a/2.png")])
def test_folders_of_scans_are_read_whole_with_whatever_lies_beside(names: tuple[str, ...], tmp_path: Path) -> None:
    for row, name in enumerate(names):
        picture(tmp_path / name, row)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / Path(names[0]).parent / "notes.txt").write_text("nor is this")
    (tmp_path / "nothing yet").mkdir()
    found = read_unlabelled(str(tmp_path), DIGITS)
    assert (len(found), found.writers) == (len(names), None)


def test_a_folder_without_a_picture_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(DatasetError, match="holds no PNG or JPEG picture"):
        read_unlabelled(str(tmp_path), DIGITS)


def test_an_archive_with_a_table_is_read_with_its_writers(tmp_path: Path) -> None:
    path = zipped(tmp_path / "box.zip", "box/0.png", "box/1.png")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("box/labels.tsv", "image\ttext\twriter\n0.png\t0\tAda\n1.png\t1\tBob\n")
    assert read_unlabelled(str(path), DIGITS).writer_ids == ("Ada", "Bob")


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "good.png", 1)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"bad\.png"):
        read_unlabelled(str(tmp_path), DIGITS)


def test_words_without_labels_are_of_no_use(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="leave --unlabelled out"):
        read_unlabelled(str(tmp_path), TASKS["words"])


def test_what_is_not_there_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="neither a named data set nor a file or folder"):
        read_unlabelled(str(tmp_path / "nothing"), DIGITS)
