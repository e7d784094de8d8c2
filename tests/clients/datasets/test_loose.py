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
