"""`handfed data list` and `handfed data show`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from handfed.clients.datasets.cli import commands
from handfed.shared.errors import DatasetError

RUN = CliRunner()
FORMATS = {
    ".npz",
    "labels.tsv",
    "class folders",
    "idx",
    ".mat",
    "LEAF .json",
    "IAM",
    "CASIA .gnt",
    "PAGE or ALTO .xml",
}


@pytest.fixture
def letters(tmp_path: Path) -> str:
    pictures = np.zeros((5, 20, 20), np.uint8)
    pictures[:, 4:16, 9:11] = 255
    pictures[3:, 4:6, 4:16] = 255
    writer = np.array(["id-of-zoe", "id-of-adam", "id-of-zoe", "id-of-zoe", "id-of-adam"])
    path = tmp_path / "letters.npz"
    np.savez(path, allow_pickle=False, x=pictures, y=[0, 0, 0, 1, 1], class_names=["I", "[T]"], writer=writer)
    return str(path)


def test_list_names_the_data_sets_and_the_formats() -> None:
    result = RUN.invoke(commands, ["list"], env={"COLUMNS": "100"})
    assert result.exit_code == 0
    for expected in ("mnist5k", "CC BY-SA 3.0", *FORMATS):
        assert expected in result.stdout


def test_list_as_json_is_one_object_and_nothing_else() -> None:
    result = RUN.invoke(commands, ["list", "--json"])
    answer = json.loads(result.stdout)
    assert [each["name"] for each in answer["datasets"]] == ["femnist", "mnist", "mnist5k"]
    assert set(answer["datasets"][0]) == {"name", "summary", "licence"}
    assert set(answer["formats"]) == FORMATS


def test_show_as_json_counts_classes_and_writers(letters: str) -> None:
    result = RUN.invoke(commands, ["show", letters, "--json"])
    assert json.loads(result.stdout) == {
        "name": "letters",
        "source": "Your own .npz file",
        "licence": "unknown",
        "samples": 5,
        "classes": 2,
        "class_counts": {"I": 3, "[T]": 2},
        "writers": {"count": 2, "samples_min": 2, "samples_median": 2.5, "samples_max": 3},
    }


def test_show_draws_counts_and_a_sample_of_each_class(letters: str) -> None:
    result = RUN.invoke(commands, ["show", letters], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[0] == "letters 5 samples of 2 classes"
    assert "writers  2, of 2 to 3 samples each (median 2.5)" in lines
    assert f"I    3  {'▇' * 40}" in lines
    assert f"[T]  2  {'▇' * 27}" in lines
    drawing = lines[lines.index("I               [T]") + 1 :]
    assert sum(line.count("█") for line in drawing) > 20


def test_show_never_prints_a_writers_id(letters: str) -> None:
    for extra in ([], ["--json"]):
        assert "id-of" not in RUN.invoke(commands, ["show", letters, *extra]).output


def test_show_of_unknown_writers_says_so() -> None:
    assert "writers  unknown" in RUN.invoke(commands, ["show", "mnist5k"]).stdout
    assert json.loads(RUN.invoke(commands, ["show", "mnist5k", "--json"]).stdout)["writers"] is None


def test_show_of_a_large_alphabet_is_cut(tmp_path: Path) -> None:
    pictures = np.zeros((130, 9, 9), np.uint8)
    pictures[:, 2:7, 4] = 255
    np.savez(tmp_path / "a.npz", allow_pickle=False, x=pictures, y=np.arange(130))
    result = RUN.invoke(commands, ["show", str(tmp_path / "a.npz")], env={"COLUMNS": "80"})
    assert "… 30 more" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_show_draws_words_below_what_they_say(tmp_path: Path) -> None:
    for name, stroke in (("a.png", 30), ("b.png", 500)):
        pixels = np.full((40, stroke + 20), 240, np.uint8)
        pixels[12:28, 10 : stroke + 10] = 20
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "labels.tsv").write_text("image\ttext\na.png\ton\nb.png\tno, [no]\n", encoding="utf-8")
    result = RUN.invoke(commands, ["show", str(tmp_path), "--task", "words"], env={"COLUMNS": "60"})
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    first, second = lines.index("on"), lines.index("no, [no]")
    assert second - first == 9  # 32 pixels are 8 lines
    assert max(line.count("█") for line in lines[first:second]) > 20
    assert max(line.count("█") for line in lines[second:]) > 50  # and is cut at the edge
    assert max(map(len, lines)) <= 60


def test_an_unknown_data_set_is_a_dataset_error() -> None:
    result = RUN.invoke(commands, ["show", "mnist6k"])
    assert isinstance(result.exception, DatasetError)
    assert result.stdout == ""
