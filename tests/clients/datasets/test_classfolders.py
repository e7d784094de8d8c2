"""Pictures sorted into one folder a class."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handfed.clients.datasets import read
from handfed.shared.errors import DatasetError
from handfed.shared.images import normalise


def picture(seed: int, file_format: str = "PNG") -> bytes:
    pixels = np.full((40, 30), 250, np.uint8)
    pixels[6 : 20 + seed, 10 : 13 + seed] = 10
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, file_format)
    return file.getvalue()


FILES = {
    "b/1.png": picture(0),
    "a/2.PNG": picture(1),
    "a/1.jpeg": picture(2, "JPEG"),
    "10/x.jpg": picture(3, "JPEG"),
    "README.md": b"not a picture, and no class",
    "a/.DS_Store": b"left behind",
    "a/Thumbs.db": b"left behind",
    ".cache/1.png": b"left behind",
}


def folder(path: Path, files: dict[str, bytes], empty: tuple[str, ...] = ()) -> str:
    for name in empty:
        (path / name).mkdir(parents=True)
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return str(path)


def archive(path: Path, files: dict[str, bytes], empty: tuple[str, ...] = ()) -> str:
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in empty:
            file.mkdir(name)
        for name, content in files.items():
            file.writestr(name, content)
    return str(path)


def archive_of_a_folder(path: Path, files: dict[str, bytes], empty: tuple[str, ...] = ()) -> str:
    below = {f"{path.name}/{name}": content for name, content in files.items()}
    return archive(path, below, tuple(f"{path.name}/{name}" for name in empty))


WRITERS = pytest.mark.parametrize("write", [folder, archive, archive_of_a_folder])


@WRITERS
def test_a_folder_is_a_class_in_code_point_order(tmp_path: Path, write: object) -> None:
    assert callable(write)
    dataset = read(write(tmp_path / "digits", FILES))
    assert dataset.name == "digits"
    assert dataset.alphabet.names == ("10", "a", "b")
    assert sorted(dataset.labels.tolist()) == [0, 1, 1, 2]
    assert dataset.writers is None
    with Image.open(io.BytesIO(FILES["b/1.png"])) as image:
        expected = normalise(np.asarray(image))
    assert np.array_equal(dataset.images[dataset.labels.tolist().index(2)], expected)


@WRITERS
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"c.png": picture(0)}, "'c.png' is in no class folder"),
        ({"a/old/1.png": picture(0)}, "'a/old/1.png' lies too deep"),
        ({"a/3.heic": b"photo"}, "'a/3.heic' is neither PNG nor JPEG"),
        ({"a/notes.txt": b"notes"}, "'a/notes.txt' is neither PNG nor JPEG"),
        ({"a/3.png": b"no picture"}, "/a/3.png: is not a picture"),
        ({"a/3.png": picture(0)[:70]}, "/a/3.png: is damaged or cut off"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, write: object, change: dict[str, bytes], message: str) -> None:
    assert callable(write)
    with pytest.raises(DatasetError, match=rf"digits.*{message}"):
        read(write(tmp_path / "digits", {**FILES, **change}))


@WRITERS
def test_an_empty_folder_is_a_class_without_samples(tmp_path: Path, write: object) -> None:
    assert callable(write)
    with pytest.raises(DatasetError, match="the folder of class 'c' is empty"):
        read(write(tmp_path / "digits", FILES, ("c",)))


@WRITERS
def test_one_class_is_not_enough(tmp_path: Path, write: object) -> None:
    assert callable(write)
    with pytest.raises(DatasetError, match="at least two classes"):
        read(write(tmp_path / "digits", {"a/1.png": picture(0)}))


def test_a_folder_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"neither labels.tsv nor a folder for each class"):
        read(str(tmp_path))


def test_a_blank_picture_is_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("L", (20, 20), 128).save(file, "PNG")
    with pytest.raises(DatasetError, match=r"digits/a/3.png: .*no ink"):
        read(folder(tmp_path / "digits", {**FILES, "a/3.png": file.getvalue()}))


def test_names_that_differ_only_in_how_they_are_typed_are_one_class_twice(tmp_path: Path) -> None:
    files = {"\u00e9/1.png": picture(0), "e\u0301/1.png": picture(1)}
    with pytest.raises(DatasetError, match="repeats the name 'é'"):
        read(archive(tmp_path / "letters", files))


def test_an_archive_whose_names_are_utf_8_without_saying_so_keeps_its_letters(tmp_path: Path) -> None:
    path = Path(archive(tmp_path / "letters", {"\u00e9/1.png": picture(0), "a/1.png": picture(1)}))
    with zipfile.ZipFile(path) as file:
        flagged = [member.filename for member in file.infolist() if member.flag_bits & 0x800]
    assert flagged == ["é/1.png"]
    content = path.read_bytes()
    for signature, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = content.index(signature)
        content = content[: start + flags_at] + b"\0\0" + content[start + flags_at + 2 :]
    path.write_bytes(content)
    assert read(str(path)).alphabet.names == ("a", "é")


@pytest.mark.parametrize(("link", "target"), [("c", "../outside"), ("a/9.png", "../../outside/1.png")])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, link: str, target: str) -> None:
    path = Path(folder(tmp_path / "digits", FILES))
    folder(tmp_path / "outside", {"1.png": picture(0)})
    (path / link).symlink_to(target)
    with pytest.raises(DatasetError, match="is a link out of the folder"):
        read(str(path))


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    path = Path(folder(tmp_path / "digits", FILES))
    (path / "a" / "loop.png").symlink_to("loop.png")
    with pytest.raises(DatasetError, match=r"loop.png"):
        read(str(path))


def test_a_link_to_a_parent_does_not_go_round_in_circles(tmp_path: Path) -> None:
    path = Path(folder(tmp_path / "digits", FILES))
    (path / "a" / "up").symlink_to("..")
    with pytest.raises(DatasetError, match="'a/up' is a link to a folder"):
        read(str(path))
