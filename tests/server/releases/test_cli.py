"""`handfed releases`."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from handfed.server.database import open_database
from handfed.server.releases.cli import commands
from handfed.server.releases.schemas import ReleaseFacts, UnknownReleaseError
from handfed.server.releases.service import ReleaseRecord
from handfed.shared.data_directory import database_url, releases_in
from handfed.shared.errors import HandfedError

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)


def files_of(number: int) -> Mapping[str, bytes]:
    manifest = {
        "release": number,
        "task": {"kind": "characters", "classes": ["0", "é"]},
        "metrics": {"accuracy_int8": 0.975},
        "self_test": [[0.125] * 50] * 3,
    }
    return {
        "model.tflite": b"x" * 345_678,
        "manifest.json": json.dumps(manifest).encode(),
        "README.md": b"# Digits\n",
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with two releases."""
    directory = tmp_path / "data"
    with open_database(database_url(directory, None)) as database:
        record = ReleaseRecord(database, lambda: NOON)
        record.publish(releases_in(directory), files_of, ReleaseFacts("digits", "cnn", None, 0.9875, 0.975))
        record.publish(releases_in(directory), files_of, ReleaseFacts("digits", "cnn"))
    return directory


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


def output(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def test_releases_are_listed_with_their_accuracy(data: Path) -> None:
    rows = [line.split() for line in output("--data-dir", data).splitlines()]
    assert rows[0] == ["Release", "Published", "Run", "Task", "Recogniser", "Size", "Float", "INT8"]
    assert rows[2][-7:] == ["-", "digits", "cnn", "0.3", "MB", "-", "-"]
    assert rows[3][-2:] == ["98.75%", "97.50%"]


def test_a_release_is_shown_with_its_files_and_its_manifest(data: Path) -> None:
    shown = output("show", 1, "--data-dir", data)
    assert f"directory       {data}/releases/0001\n" in shown
    assert f"model card      {data}/releases/0001/README.md\n" in shown
    assert "accuracy INT8   97.50%\n" in shown
    assert 'task.classes           ["0", "é"]\n' in shown
    assert "metrics.accuracy_int8  97.50%\n" in shown


def test_what_is_shown_fits_80_columns_but_for_paths(data: Path) -> None:
    lines = [*output("--data-dir", data).splitlines(), *output("show", 1, "--data-dir", data).splitlines()]
    assert max(len(line) for line in lines if str(data) not in line) <= 80


def test_a_release_whose_files_are_gone_says_so(data: Path) -> None:
    shutil.rmtree(data / "releases" / "0001")
    assert "Its files are not on this machine" in output("show", 1, "--data-dir", data)
    found = json.loads(output("show", 1, "--data-dir", data, "--json"))
    assert found["present"] is False
    assert found["model_card"] is None


def test_json_of_a_release_has_every_documented_field(data: Path) -> None:
    found = json.loads(output("show", 1, "--data-dir", data, "--json"))
    documentation = sys.modules[commands.registered_commands[0].callback.__module__].__doc__
    for name in (*found, *found["release"]):
        assert name in str(documentation), f"{name} is not documented"
    assert found["release"]["accuracy_int8"] == 0.975
    assert found["release"]["created_at"] == "2026-05-06T12:00:00+00:00"
    assert found["release"]["manifest"] == json.loads(files_of(1)["manifest.json"])
    assert found["directory"] == str(data / "releases" / "0001")
    assert found["present"] is True
    assert found["model_card"] == str(data / "releases" / "0001" / "README.md")


def test_json_of_the_list_is_newest_first(data: Path) -> None:
    found = json.loads(output("--data-dir", data, "--json"))
    assert [release["number"] for release in found["releases"]] == [2, 1]
    assert json.loads(output("--data-dir", data, "--json", "--limit", 1))["releases"] == found["releases"][:1]


def test_options_count_before_and_after_the_subcommand(data: Path) -> None:
    assert output("--data-dir", data, "--json", "show", 1) == output("show", 1, "--data-dir", data, "--json")


def test_an_unknown_release_is_refused_with_those_there_are(data: Path) -> None:
    result = run("show", 3, "--data-dir", data)
    assert isinstance(result.exception, UnknownReleaseError)
    assert str(result.exception) == "release 3 is not on record; there are 1-2"
    assert result.exception.exit_status == 2


def test_an_empty_record_says_how_to_make_a_release_and_stays_empty(tmp_path: Path) -> None:
    assert "handfed simulate" in output("--data-dir", tmp_path)
    assert json.loads(output("--data-dir", tmp_path, "--json")) == {"releases": []}
    result = run("show", 1, "--data-dir", tmp_path)
    assert isinstance(result.exception, HandfedError)
    assert "handfed simulate" in str(result.exception)
    assert list(tmp_path.iterdir()) == []
