"""Pictures in a folder, and what is written beside them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from handfed.clients.edge import Recogniser, read_picture
from handfed.clients.edge.answers import Question, as_json
from handfed.clients.edge.serving import texts
from handfed.clients.edge.serving.folder import LOCK, Folder, Look
from handfed.clients.edge.serving.supply import Source, Supply
from handfed.shared.errors import StorageError
from handfed.shared.files import sha256_of

if TYPE_CHECKING:
    from tests.clients.edge.serving.conftest import Until

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    directory = tmp_path / "inbox"
    directory.mkdir()
    return directory


@pytest.fixture
def opened(release: Path, inbox: Path) -> Callable[..., Folder]:
    def make(**options: Any) -> Folder:
        supply = Supply(Source.of_releases(str(release), Path("/nowhere")))
        return Folder(inbox, supply, Question(1, boxes=options.pop("boxes", False)), **options)

    return make


def record(picture: Path) -> dict[str, Any]:
    found = json.loads(picture.with_name(f"{picture.name}.json").read_text())
    assert isinstance(found, dict)
    return found


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_picture_is_read_as_the_recogniser_itself_reads_it(
    opened: Callable[..., Folder], inbox: Path, release: Path, pictures: dict[str, bytes]
) -> None:
    (inbox / "scan.png").write_bytes(pictures["7"])
    before = (inbox / "scan.png").stat()
    folder = opened()
    assert folder.look() == Look(waiting=1)
    assert names(inbox) == {"scan.png"}
    assert folder.look() == Look(read=1)
    recogniser = Recogniser.open(release)
    alone = as_json(recogniser.read(read_picture(pictures["7"], where=""), alternatives=1))
    expected = {"handfed": 1, "sha256": sha256_of(pictures["7"]), "release": recogniser.release, **alone}
    assert record(inbox / "scan.png") == expected
    assert (inbox / "scan.png.txt").read_text() == "7\n"
    assert names(inbox) == {"scan.png", "scan.png.json", "scan.png.txt", texts.FILE}
    assert (inbox / "scan.png").stat() == before
    assert folder.look() == Look()


def test_a_picture_is_read_when_it_has_stopped_growing(
    opened: Callable[..., Folder], inbox: Path, pictures: dict[str, bytes]
) -> None:
    folder = opened()
    for length in (10, 20, len(pictures["2"])):
        (inbox / "scan.png").write_bytes(pictures["2"][:length])
        assert folder.look() == Look(waiting=1)
    assert folder.look() == Look(read=1)


def test_a_new_start_reads_nothing_twice_and_a_replaced_picture_again(
    opened: Callable[..., Folder], inbox: Path, pictures: dict[str, bytes]
) -> None:
    def looks() -> Look:
        folder = opened()
        folder.look()
        return folder.look()

    (inbox / "scan.png").write_bytes(pictures["2"])
    assert looks() == Look(read=1)
    written = {path: path.stat() for path in inbox.iterdir()}
    assert looks() == Look()
    assert {path: path.stat() for path in inbox.iterdir()} == written
    os.utime(inbox / "scan.png", (1, 1))
    assert looks() == Look()
    (inbox / "new.png").write_bytes(pictures["3"])
    (inbox / "new.png").rename(inbox / "scan.png")
    assert looks() == Look(read=1)
    assert (inbox / "scan.png.txt").read_text() == "3\n"
    (inbox / "scan.png.json").unlink()
    assert looks() == Look(read=1)


def test_a_picture_that_is_replaced_while_it_watches_is_read_again(
    opened: Callable[..., Folder], inbox: Path, pictures: dict[str, bytes]
) -> None:
    folder = opened()
    for text in "45":
        (inbox / "scan.png").write_bytes(pictures[text])
        assert folder.look() == Look(waiting=1)
        assert folder.look() == Look(read=1)
        assert record(inbox / "scan.png")["text"] == text


def test_a_picture_that_cannot_be_read_is_told_of_once_and_has_no_text(
    opened: Callable[..., Folder], inbox: Path, pictures: dict[str, bytes]
) -> None:
    (inbox / "scan.png").write_bytes(pictures["2"])
    folder = opened()
    folder.look()
    folder.look()
    (inbox / "scan.png").write_bytes(pictures["2"][:60])
    (inbox / "note.jpg").write_bytes(b"a text")
    folder.look()
    assert folder.look() == Look(failed=2)
    assert names(inbox) == {"scan.png", "scan.png.json", "note.jpg", "note.jpg.json", texts.FILE}
    assert record(inbox / "scan.png").keys() == {"handfed", "sha256", "error"}
    assert folder.look() == Look()


def test_pages_have_boxes(opened: Callable[..., Folder], inbox: Path, pictures: dict[str, bytes]) -> None:
    (inbox / "scan.png").write_bytes(pictures["2"])
    folder = opened(boxes=True)
    folder.look()
    folder.look()
    found = record(inbox / "scan.png")
    assert found["text"] == "2"
    assert [set(each) for each in found["boxes"]] == [{"box", "text", "confidence", "alternatives"}]


def test_other_files_hidden_ones_links_and_folders_are_passed_over(
    opened: Callable[..., Folder], inbox: Path, tmp_path: Path, pictures: dict[str, bytes]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for path in (outside / "far.png", inbox / ".hidden.png", inbox / "note.txt", inbox / "picture"):
        path.write_bytes(pictures["1"])
    (inbox / "link.png").symlink_to(outside / "far.png")
    (inbox / "way").symlink_to(outside)
    (inbox / "folder.png").mkdir()
    (inbox / ".cache").mkdir()
    (inbox / ".cache" / "thumbnail.png").write_bytes(pictures["1"])
    os.mkfifo(inbox / "pipe.png")
    (inbox / "folder.png" / "deep").mkdir()
    (inbox / "folder.png" / "deep" / "SCAN.PNG").write_bytes(pictures["6"])
    folder = opened()
    folder.look()
    assert folder.look() == Look()
    recursive = opened(recursive=True)
    recursive.look()
    assert recursive.look() == Look(read=1)
    assert record(inbox / "folder.png" / "deep" / "SCAN.PNG")["text"] == "6"
    assert names(outside) == {"far.png"}


def test_files_of_others_are_left_as_they_are(
    opened: Callable[..., Folder], inbox: Path, tmp_path: Path, pictures: dict[str, bytes]
) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    for name in ("a", "b", "c", "d"):
        (inbox / f"{name}.png").write_bytes(pictures["1"])
    (inbox / "a.png.json").write_text('{"scanner": 1}')
    (inbox / "b.png.json").write_text("no JSON")
    (inbox / "c.png.txt").write_text("a note")
    (inbox / "d.png.json").symlink_to(tmp_path / "elsewhere")
    folder = opened()
    folder.look()
    assert folder.look() == Look(failed=4)
    assert folder.look() == Look()
    assert (inbox / "a.png.json").read_text() == '{"scanner": 1}'
    assert (inbox / "c.png.txt").read_text() == "a note"
    assert (inbox / "d.png.json").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert not (inbox / "a.png.txt").exists()
    (inbox / "a.png.json").unlink()
    assert folder.look() == Look(read=1)


def test_a_start_that_was_broken_off_between_both_files_is_made_good(
    opened: Callable[..., Folder], inbox: Path, pictures: dict[str, bytes]
) -> None:
    (inbox / "scan.png").write_bytes(pictures["9"])
    (inbox / "scan.png.txt").write_text("9\n")
    folder = opened()
    folder.look()
    assert folder.look() == Look(read=1)


def test_who_removes_a_json_while_it_watches_has_the_picture_read_again(
    opened: Callable[..., Folder], inbox: Path, pictures: dict[str, bytes]
) -> None:
    (inbox / "scan.png").write_bytes(pictures["9"])
    folder = opened()
    folder.look()
    assert folder.look() == Look(read=1)
    assert folder.look() == Look()
    (inbox / "scan.png.json").unlink()
    assert folder.look() == Look(read=1)
    assert record(inbox / "scan.png")["text"] == "9"
    assert folder.look() == Look()


def looked(folder: Folder) -> Look:
    """What a new start does at once."""
    folder.look()
    return folder.look()


@pytest.mark.parametrize("readable", [True, False])
def test_a_text_of_its_own_is_known_without_its_json(
    opened: Callable[..., Folder], inbox: Path, pictures: dict[str, bytes], *, readable: bool
) -> None:
    """As where a newer release reads otherwise, after the .json was removed or before it could be written."""
    (inbox / "scan.png").write_bytes(pictures["4"])
    assert looked(opened()) == Look(read=1)
    (inbox / "scan.png.json").unlink()
    (inbox / "scan.png").write_bytes(pictures["9"] if readable else b"no picture")
    assert looked(opened()) == (Look(read=1) if readable else Look(failed=1))
    assert (inbox / "scan.png.json").exists()
    assert (inbox / "scan.png.txt").exists() == readable
    (inbox / "scan.png.json").unlink()
    (inbox / "scan.png.txt").write_text("a note")
    assert looked(opened()) == Look(failed=1)
    assert (inbox / "scan.png.txt").read_text() == "a note"


def test_a_text_counts_for_its_picture_alone_and_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    known = texts.Texts(tmp_path)
    assert not known.hold(tmp_path / "a.png", b"4\n")
    known.add(tmp_path / "a.png", b"4\n")
    with (tmp_path / texts.FILE).open("ab") as file:
        file.write(b"0123")
    known.add(tmp_path / "b" / "a.png", b"5\n")
    again = texts.Texts(tmp_path)
    asked = [("a.png", b"4\n"), ("b/a.png", b"5\n"), ("a.png", b"5\n"), ("b/a.png", b"4\n")]
    assert [again.hold(tmp_path / name, text) for name, text in asked] == [True, True, False, False]
    assert (tmp_path / texts.FILE).stat().st_mode & 0o777 == 0o600


def test_a_picture_that_vanishes_during_a_look_costs_no_other(
    opened: Callable[..., Folder], inbox: Path, pictures: dict[str, bytes]
) -> None:
    for name in "abc":
        (inbox / f"{name}.png").write_bytes(pictures["1"])
    looking = opened()._pictures()
    first = next(looking).path
    second, third = sorted({inbox / f"{name}.png" for name in "abc"} - {first})
    second.unlink()
    assert [entry.path for entry in looking] == [third]


def test_who_may_see_a_picture_may_know_what_it_says(
    opened: Callable[..., Folder], inbox: Path, pictures: dict[str, bytes]
) -> None:
    for name, mode in {"open.png": 0o644, "group.png": 0o660, "private.png": 0o400}.items():
        (inbox / name).write_bytes(pictures["1"])
        (inbox / name).chmod(mode)
    folder = opened()
    folder.look()
    folder.look()
    for name, mode in {"open.png": 0o644, "group.png": 0o660, "private.png": 0o600}.items():
        for suffix in (".json", ".txt"):
            assert (inbox / f"{name}{suffix}").stat().st_mode & 0o777 == mode


def test_a_name_too_long_for_a_file_beside_it_stops_no_other(
    opened: Callable[..., Folder], inbox: Path, pictures: dict[str, bytes]
) -> None:
    long, odd = "x" * 250 + ".png", "n\udcff\n.png"
    for name in (long, odd, "z.png"):
        (inbox / name).write_bytes(pictures["1"])
    folder = opened()
    folder.look()
    assert folder.look() == Look(read=2, failed=1)
    assert folder.look() == Look()


def test_a_folder_that_is_away_is_said_so(opened: Callable[..., Folder], inbox: Path) -> None:
    folder = opened()
    inbox.rmdir()
    with pytest.raises(StorageError):
        folder.look()


def test_once_reads_what_is_there_and_ends_with_a_status(
    release: Path, inbox: Path, pictures: dict[str, bytes], started: Start
) -> None:
    (inbox / "scan.png").write_bytes(pictures["7"])
    process = started("watch", inbox, "--once", "--interval", 0.1, "--release", release)
    assert process.communicate(timeout=60) == ("1 read, 0 cannot be read\n", "")
    assert process.returncode == 0
    (inbox / "broken.png").write_bytes(b"x")
    process = started("watch", inbox, "--once", "--interval", 0.1, "--release", release)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (2, "0 read, 1 cannot be read\n")
    for arguments in (["nowhere"], [inbox, "--release", "nowhere"]):
        process = started("watch", *arguments, "--once")
        said, complaint = process.communicate(timeout=60)
        assert (process.returncode, said, len(complaint.splitlines())) == (2, "", 1)


def test_the_command_reads_until_sigterm_alone_in_its_folder_and_names_nothing(
    release: Path, inbox: Path, tmp_path: Path, pictures: dict[str, bytes], started: Start, until: Until
) -> None:
    process = started("watch", inbox, "--interval", 0.1, "--release", release)
    assert process.stdout is not None
    process.stdout.readline()
    second = started("watch", inbox, "--once", "--release", release)
    _, complaint = second.communicate(timeout=60)
    assert second.returncode == 2
    assert "another process is at the pictures" in complaint
    (tmp_path / "anna.png").write_bytes(pictures["7"])
    (tmp_path / "anna.png").rename(inbox / "anna.png")
    until((inbox / "anna.png.json").exists, "it is read")
    assert record(inbox / "anna.png")["text"] == "7"
    (inbox / "ben.png").write_bytes(b"x")
    until((inbox / "ben.png.json").exists, "it is told of")
    process.send_signal(signal.SIGTERM)
    said, log = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert "1 read, 0 cannot be read" in log
    assert "anna" not in log
    assert "ben" not in log
    assert names(inbox) == {"anna.png", "anna.png.json", "anna.png.txt", "ben.png", "ben.png.json", LOCK, texts.FILE}
