"""Folders and archives that come from elsewhere: nothing leaves the tree, nothing takes more than its bound."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handfed.clients.datasets import trees
from handfed.clients.datasets.trees import FolderTree, ZipTree
from handfed.shared.errors import DatasetError


def archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.png", "a/../../up.png", "a\\..\\up.png", "C:/up.png", ".."])
def test_a_member_that_leads_out_of_an_archive_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="leads out of the data set"):
        ZipTree(archive(tmp_path / "a.zip", {"fine.png": b"", name: b""}))


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.png", "a/../../up.png", "a\\..\\up.png", "C:/up.png", "a\0b"])
def test_a_name_that_leads_out_of_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="leads out of the data set"):
        FolderTree(tmp_path).has(name)


def test_a_symbolic_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(DatasetError, match=r"'link.png' is a symbolic link"):
        ZipTree(tmp_path / "a.zip")


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.png", b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("a.png", b"two")
    with pytest.raises(DatasetError, match=r"holds 'a.png' twice"):
        ZipTree(tmp_path / "a.zip")


def test_a_bomb_in_one_file_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.png": bytes(1_000_000)})
    assert path.stat().st_size < 2_000
    with pytest.raises(DatasetError, match=r"'a.png' unpacks to more than 100,000 bytes"):
        ZipTree(path, max_file_bytes=100_000)


def test_a_bomb_in_many_files_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MAX_TOTAL_BYTES", 1_000_000)
    path = archive(tmp_path / "a.zip", {f"{number}.png": bytes(90_000) for number in range(12)})
    with pytest.raises(DatasetError, match=r"a.zip: unpacks to more than 1,000,000 bytes"):
        ZipTree(path)


def test_an_archive_that_lies_about_a_size_is_cut_there_and_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.png": bytes(1_000_000)})
    honest, small = (1_000_000).to_bytes(4, "little"), (1_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(honest, small))
    tree = ZipTree(path)
    with pytest.raises(DatasetError, match=r"'a.png' is damaged"):
        tree.read("a.png")


def test_a_password_is_no_crash(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.png": b"content"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"'a.png' cannot be unpacked: .*encrypted"):
        ZipTree(path).read("a.png")


def test_a_file_on_disk_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MAX_FILE_BYTES", 10)
    (tmp_path / "a.png").write_bytes(bytes(11))
    with pytest.raises(DatasetError, match=r"'a.png' is larger than 10 bytes"):
        FolderTree(tmp_path).read("a.png")


def test_a_named_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert not FolderTree(tmp_path).has("a.png")
    with pytest.raises(DatasetError, match=r"'a\.png' is missing"):
        FolderTree(tmp_path).read("a.png")


def test_folder_and_archive_show_the_same_tree(tmp_path: Path) -> None:
    members = {"a/1.png": b"one", "a/b/2.png": b"two", "3.png": b"three", ".hidden/4": b"", "__MACOSX/5": b""}
    root = tmp_path / "folder"
    for name, content in members.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    for tree in (FolderTree(root), ZipTree(archive(tmp_path / "a.zip", members))):
        assert tree.names() == ["3.png", "a/1.png", "a/b/2.png"]
        assert tree.folders() == ["a"]
        assert tree.has("a/b/2.png")
        assert not tree.has("a/2.png")
        assert tree.read("a/b/2.png") == b"two"
        with pytest.raises(DatasetError, match=r"'a/2.png' is missing"):
            tree.read("a/2.png")


def test_the_files_at_the_top_of_a_folder_are_those_that_lie_right_in_it(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", ".DS_Store", "below/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert FolderTree(tmp_path).top_files() == ["a.png", "b.png"]


def test_the_only_folder_of_an_archive_is_stepped_into_for_its_marker(tmp_path: Path) -> None:
    tree = ZipTree(archive(tmp_path / "a.zip", {"top/labels.tsv": b"", "top/1.png": b"one"}))
    tree.step_into_only_folder("labels.tsv")
    assert tree.names() == ["1.png", "labels.tsv"]
    assert tree.read("1.png") == b"one"


@pytest.mark.parametrize("members", [("a/1.png", "b/1.png"), ("a/1.png", "readme"), ("a/1.png", "a/2.png")])
def test_other_archives_are_left_as_they_are(tmp_path: Path, members: tuple[str, ...]) -> None:
    tree = ZipTree(archive(tmp_path / "a.zip", dict.fromkeys(members, b"")))
    tree.step_into_only_folder("labels.tsv")
    assert tree.names() == sorted(members)


WHOLE = io.BytesIO()
with zipfile.ZipFile(WHOLE, "w", zipfile.ZIP_DEFLATED) as _file:
    for _name in ("labels.tsv", "a/1.png", "a/2.png"):
        _file.writestr(_name, _name * 20)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6), st.integers(0, 2_000))
def test_damage_gives_the_content_or_a_dataset_error(tmp_path: Path, changes: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(WHOLE.getvalue())
    for position, value in changes:
        content[position % len(content)] = value
    del content[cut:]
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    try:
        tree = ZipTree(path)
        for name in tree.names():
            tree.read(name)
    except DatasetError as error:
        assert str(path) in str(error)  # noqa: PT017 - the content is as right as a refusal
