"""`handfed recognise` and `handfed evaluate`, as a person or a program runs them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handfed.clients.edge import Recogniser
from handfed.clients.edge.detection import Box
from handfed.shared.datasets import Dataset
from handfed.shared.manifest import MANIFEST, MODEL, Manifest
from handfed.simulations.benchmarks.boxes import Style, compose, matched

MAIN = "from handfed.shared.cli import main; main()"


def handfed(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "120", "TERM": "dumb", "HANDFED_DATA_DIR": "/nowhere"} | variables,
    )


def answer(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one JSON object on standard output, and nothing else anywhere."""
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def digit(release_directory: Path, digits: Dataset) -> tuple[np.ndarray, str]:
    """A real digit that the release reads right and surely, enlarged, light on dark; and what it is."""
    found = Recogniser.open(release_directory).read_all(digits.images)
    row = int(np.argmax((found.labels == digits.labels) & (found.confidences > 0.95)))
    return np.kron(digits.images[row], np.ones((8, 8), np.uint8)), str(digits.labels[row])


@pytest.fixture
def picture(digit: tuple[np.ndarray, str], tmp_path: Path) -> Path:
    path = tmp_path / "digit.png"
    Image.fromarray(255 - digit[0]).save(path)
    return path


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    path = tmp_path / "blank.png"
    Image.new("L", (40, 40), 255).save(path)
    return path


def test_a_digit_is_read_the_same_in_any_file_colour_and_polarity(
    release_directory: Path, digit: tuple[np.ndarray, str], tmp_path: Path
) -> None:
    light, text = digit
    level = light.astype(np.float64)[..., None] / 255
    blue_on_cream = (level * [20, 40, 130] + (1 - level) * [250, 243, 225]).round().astype(np.uint8)
    yellow_on_green = (level * [250, 240, 120] + (1 - level) * [10, 70, 40]).round().astype(np.uint8)
    paths = []
    for name, pixels in {"dark": 255 - light, "light": light, "blue": blue_on_cream, "yellow": yellow_on_green}.items():
        for suffix in ("png", "jpg"):
            paths.append(tmp_path / f"{name}.{suffix}")
            Image.fromarray(pixels).save(paths[-1])
    found = answer(handfed("recognise", "--release", release_directory, "--json", *paths))
    assert [each["image"] for each in found["readings"]] == list(map(str, paths))
    assert {each["text"] for each in found["readings"]} == {text}
    assert min(each["confidence"] for each in found["readings"]) > 0.8


def test_json_holds_the_reading_and_its_alternatives(
    release_directory: Path, picture: Path, digit: tuple[np.ndarray, str]
) -> None:
    result = handfed("recognise", picture, "--json", "--alternatives", 2, "--release", release_directory)
    found = answer(result)
    assert result.returncode == 0
    assert set(found) == {"release", "readings"}
    assert found["release"] == 1
    (reading,) = found["readings"]
    assert set(reading) == {"image", "text", "confidence", "alternatives"}
    assert reading["text"] == digit[1]
    assert len(reading["alternatives"]) == 2
    assert all(set(each) == {"text", "probability"} for each in reading["alternatives"])
    assert 1 >= reading["confidence"] > reading["alternatives"][0]["probability"] >= 0


def test_a_person_gets_a_line_an_image(release_directory: Path, picture: Path, digit: tuple[np.ndarray, str]) -> None:
    result = handfed("recognise", picture, picture, "--release", release_directory)
    lines = [line for line in result.stdout.splitlines() if str(picture) in line]
    assert (result.returncode, result.stderr) == (0, "")
    assert len(lines) == 2
    assert lines[0].split()[1] == digit[1]
    assert "%" in lines[0]


def test_the_newest_release_is_the_default(
    trained_release: tuple[Manifest, bytes], picture: Path, tmp_path: Path
) -> None:
    manifest, model = trained_release
    for number in (3, 12):
        directory = tmp_path / "data" / "releases" / f"{number:04d}"
        directory.mkdir(parents=True)
        (directory / MANIFEST).write_bytes(replace(manifest, release=number).encode())
        (directory / MODEL).write_bytes(model)
    by_option = handfed("recognise", picture, "--json", "--data-dir", tmp_path / "data")
    by_variable = handfed("recognise", picture, "--json", HANDFED_DATA_DIR=str(tmp_path / "data"))
    by_number = handfed("recognise", picture, "--json", "--release", 3, "--data-dir", tmp_path / "data")
    assert [answer(each)["release"] for each in (by_option, by_variable, by_number)] == [12, 12, 3]


def test_a_bare_file_reads_with_numbers_for_names(
    trained_model_bytes: bytes, picture: Path, digit: tuple[np.ndarray, str], tmp_path: Path
) -> None:
    (tmp_path / "bare.tflite").write_bytes(trained_model_bytes)
    found = answer(handfed("recognise", picture, "--json", "--release", tmp_path / "bare.tflite"))
    assert found["release"] is None
    assert found["readings"][0]["text"] == digit[1]


def test_an_image_that_cannot_be_read_does_not_stop_the_others(
    release_directory: Path, picture: Path, blank: Path, tmp_path: Path
) -> None:
    (tmp_path / "note.png").write_text("no picture")
    images = (blank, picture, tmp_path / "note.png", tmp_path / "missing.png")
    result = handfed("recognise", *images, "--json", "--release", release_directory)
    found = answer(result)["readings"]
    assert result.returncode == 2
    assert [each["image"] for each in found] == list(map(str, images))
    assert ["error" in each for each in found] == [True, False, True, True]
    assert [set(each) for each in found if "error" in each] == [{"image", "error"}] * 3

    shown = handfed("recognise", *images, "--release", release_directory)
    assert shown.returncode == 2
    assert str(picture) in shown.stdout
    complaints = shown.stderr.splitlines()
    assert [
        line.startswith(f"handfed: {image}: ") for line, image in zip(complaints, (blank, *images[2:]), strict=True)
    ]
    assert "no ink" in complaints[0]
    assert "blank.png" not in shown.stdout


@pytest.fixture
def form(digits: Dataset, tmp_path: Path) -> tuple[Path, list[Box]]:
    """A page of three lines of four digits, and where they are."""
    page = compose(digits, 3, 4, Style(ruled="lines", shadow=True), seed=12)
    Image.fromarray(page.picture).save(tmp_path / "form.png")
    return tmp_path / "form.png", page.boxes


def test_boxes_are_found_and_read_line_by_line(
    release_directory: Path, form: tuple[Path, list[Box]], blank: Path
) -> None:
    path, boxes = form
    result = handfed("recognise", "--boxes", path, blank, "--json", "--alternatives", 1, "--release", release_directory)
    page, nothing = answer(result)["readings"]
    assert result.returncode == 0
    assert nothing == {"image": str(blank), "text": "", "boxes": []}
    assert set(page) == {"image", "text", "boxes"}
    assert [len(line) for line in page["text"].split("\n")] == [4, 4, 4]
    assert page["text"].replace("\n", "") == "".join(each["text"] for each in page["boxes"])
    assert matched([Box(*each["box"]) for each in page["boxes"]], boxes) == {each: each for each in range(12)}
    for each in page["boxes"]:
        assert set(each) == {"box", "text", "confidence", "alternatives"}
        assert 1 >= each["confidence"] > each["alternatives"][0]["probability"] >= 0

    shown = handfed("recognise", "--boxes", path, blank, "--release", release_directory)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = [line.strip() for line in shown.stdout.splitlines()]
    assert f"{path}: 12 characters" in lines
    assert f"{blank}: 0 characters" in lines
    assert lines[1:4] == page["text"].split("\n")
    assert ["1", *map(str, page["boxes"][0]["box"]), page["boxes"][0]["text"]] in [line.split()[:6] for line in lines]


def test_the_boxes_of_one_picture_are_drawn(
    release_directory: Path, form: tuple[Path, list[Box]], tmp_path: Path
) -> None:
    path, boxes = form
    drawn = tmp_path / "drawn.png"
    result = handfed("recognise", path, "--boxes-picture", drawn, "--json", "--release", release_directory)
    assert len(answer(result)["readings"][0]["boxes"]) == len(boxes)
    with Image.open(drawn) as picture, Image.open(path) as page:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", page.size)
    refused = handfed("recognise", path, path, "--boxes-picture", drawn, "--release", release_directory)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "name one" in refused.stderr


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_without_a_release_nothing_is_printed_but_what_to_do(picture: Path, tmp_path: Path, as_json: list[str]) -> None:
    result = handfed("recognise", picture, "--data-dir", tmp_path, *as_json)
    assert (result.returncode, result.stdout) == (2, "")
    assert "run handfed simulate" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [["recognise", "picture", "--release"], ["evaluate"]])
@pytest.mark.parametrize("kind", ["truncated", "text", "directory", "missing", "fails its self-test"])
def test_a_wrong_model_is_refused_in_a_line(
    command: list[str], kind: str, trained_release: tuple[Manifest, bytes], picture: Path, tmp_path: Path
) -> None:
    manifest, model = trained_release
    path = tmp_path / "wrong.tflite"
    if kind == "directory":
        path.mkdir()
    elif kind == "fails its self-test":
        path.mkdir()
        test = manifest.self_test
        wrong = replace(manifest, self_test=replace(test, logits=-test.logits))
        (path / MANIFEST).write_bytes(wrong.encode())
        (path / MODEL).write_bytes(model)
    elif kind != "missing":
        path.write_bytes(model[:9000] if kind == "truncated" else b"a text")
    arguments = [picture if each == "picture" else each for each in command]
    result = handfed(*arguments, path, *(["mnist5k"] if command == ["evaluate"] else []))
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("handfed: ")
    assert str(path) in result.stderr


def test_a_file_name_cannot_command_the_terminal(
    release_directory: Path, picture: Path, blank: Path, tmp_path: Path
) -> None:
    named = tmp_path / "\x1b]0;owned\x07[red].png"
    picture.rename(named)
    nameless = tmp_path / "\x1b[2J[b].png"
    blank.rename(nameless)
    result = handfed("recognise", named, nameless, "--release", release_directory)
    assert "\x1b" not in result.stdout + result.stderr
    assert "[red].png" in result.stdout
    assert "[b].png" in result.stderr


def test_a_class_that_the_terminal_cannot_show_does_not_end_the_command(
    trained_release: tuple[Manifest, bytes], picture: Path, tmp_path: Path
) -> None:
    manifest, model = trained_release
    names = tuple(f"é{digit}" for digit in range(10))
    (tmp_path / "release").mkdir()
    wordy = replace(manifest, alphabet=type(manifest.alphabet)(names))
    (tmp_path / "release" / MANIFEST).write_bytes(wordy.encode())
    (tmp_path / "release" / MODEL).write_bytes(model)
    for encoding in ("ascii", "utf-8"):
        result = handfed("recognise", picture, "--release", tmp_path / "release", PYTHONIOENCODING=encoding)
        assert result.returncode == 0, result.stderr
    found = answer(handfed("recognise", picture, "--json", "--release", tmp_path / "release", PYTHONIOENCODING="ascii"))
    assert found["readings"][0]["text"] in names


@pytest.fixture
def handwriting(digits: Dataset, tmp_path: Path) -> Path:
    """200 real digits of five made-up writers, as a file of one's own."""
    path = tmp_path / "mine.npz"
    images, labels = digits.images[4000:4200], digits.labels[4000:4200]
    writer = np.array([f"person-{row % 5}" for row in range(200)])
    np.savez(path, allow_pickle=False, x=images, y=labels, class_names=list("0123456789"), writer=writer)
    return path


def test_evaluate_gives_its_figures_as_json(release_directory: Path, handwriting: Path) -> None:
    result = handfed("evaluate", release_directory, handwriting, "--json", "--confusions", 2)
    found = answer(result)
    assert result.returncode == 0
    assert found["release"] == 1
    assert found["samples"] == 200
    assert 0.8 < found["accuracy"] <= 1
    assert found["writers"]["count"] == 5
    assert 0 < found["latency_ms_median"] < 50
    assert found["size_bytes"] == (release_directory / MODEL).stat().st_size
    assert [each["name"] for each in found["classes"]] == list("0123456789")
    assert len(found["confusions"]) <= 2
    assert "person" not in result.stdout


def test_evaluate_by_number_of_a_named_data_set(release_directory: Path) -> None:
    found = answer(handfed("evaluate", 1, "mnist5k", "--json", "--data-dir", release_directory.parents[1]))
    assert (found["samples"], found["writers"], found["data"]) == (5000, None, "mnist5k")


def test_evaluate_shows_figures_beside_targets(release_directory: Path, handwriting: Path) -> None:
    result = handfed("evaluate", release_directory, handwriting, "--threads", 2, PYTHONIOENCODING="utf-8")
    assert (result.returncode, result.stderr) == (0, "")
    for expected in (
        "Release 1 on mine: 200 images, 10 classes",
        "5 writers: median",
        "read as",
        "at most 2 MB",
        "2 threads",
    ):
        assert expected in result.stdout
    lines = {line.split("  ")[0]: line for line in result.stdout.splitlines()}
    assert "✗" in lines["accuracy"]
    assert "✓" in lines["size of the model"]
    plain = handfed("evaluate", release_directory, handwriting, PYTHONIOENCODING="ascii")
    assert plain.returncode == 0
    assert plain.stdout.isascii()


def test_evaluate_names_the_classes_that_the_release_lacks(release_directory: Path, tmp_path: Path) -> None:
    pictures = np.zeros((4, 20, 20), np.uint8)
    pictures[:, 4:16, 9:12] = 255
    np.savez(tmp_path / "letters.npz", x=pictures, y=[0, 1, 1, 2], class_names=["1", "b", "c"])
    result = handfed("evaluate", release_directory, tmp_path / "letters.npz")
    assert (result.returncode, result.stdout) == (2, "")
    assert "does not know 2 of its classes: 'b', 'c'" in result.stderr


def test_evaluate_tells_of_data_that_cannot_be_read(release_directory: Path, tmp_path: Path) -> None:
    result = handfed("evaluate", release_directory, tmp_path / "nowhere.npz", "--json")
    assert (result.returncode, result.stdout) == (2, "")
    assert "nowhere.npz" in result.stderr


@pytest.mark.parametrize("as_json", [True, False])
def test_progress_is_shown_on_a_terminal_and_never_beside_json(
    release_directory: Path, handwriting: Path, as_json: bool
) -> None:
    terminal, end = pty.openpty()
    command: list[str | Path] = [sys.executable, "-c", MAIN, "evaluate", release_directory, handwriting]
    command += ["--json"] if as_json else []
    written = b""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end, env=os.environ | {"TERM": "xterm"}) as process:
        os.close(end)
        with suppress(OSError):  # there is no more, and the other end is closed (Linux)
            while part := os.read(terminal, 4096):  # the longer it takes, the more is shown
                written += part
        os.close(terminal)
        said, _ = process.communicate()
    shown = written.decode()
    assert process.returncode == 0
    assert ("reading" in shown) is not as_json
    assert ("200/200" in shown) is not as_json
    assert b"200" in said
