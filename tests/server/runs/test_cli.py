"""`handfed runs`."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from handfed.server.database import Database, open_database
from handfed.server.runs.cli import commands
from handfed.server.runs.schemas import DeviceResult, Rejection, RoundResult, RunStart, UnknownRunError
from handfed.server.runs.service import RunRecord
from handfed.shared.data_directory import database_url
from handfed.shared.disclosure import ClassCount
from handfed.shared.errors import HandfedError

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with two runs: one done, one failed."""
    with open_database(database_url(tmp_path / "data", None)) as database:
        fill(database)
    return tmp_path / "data"


SETTINGS = {"rounds": 2, "data": {"name": "[b]mnist[/b]"}, "alphabet": '["0", "1", "2", "3", "4", "5", "6", "[b]"]'}


def fill(database: Database) -> None:
    record = RunRecord(database, lambda: NOON)
    number = record.start(RunStart("digits", "cnn", "fedavg", 7, SETTINGS, 3, "in-process"))
    for place in (1, 2):
        rejections = (Rejection(2**64 - 1, "not-finite", "conv/kernel: NaN [red]or[/red] infinite"),)
        devices = (DeviceResult(5, 100, 0.5, 2.0, 800_000, 40, 30, 0.75),)
        record.add_round(
            number,
            RoundResult(
                number=place,
                phase="float" if place == 1 else "qat",
                started_at=NOON,
                seconds=4.25,
                train_seconds=11.5,
                participants=3,
                accepted=2,
                examples=200,
                loss=1.5 / place,
                accuracy=0.4375 * place,
                evaluated=80,
                bytes_down=2_400_000,
                bytes_up=1_600_000,
                devices=devices if place == 1 else (),
                rejections=rejections if place == 2 else (),
                writer_bins=(*[0] * 12, 2, 0, 0, 0, 0, 10, 0, 8) if place == 2 else (),
                class_counts=tuple(ClassCount(label, 40, 40 - label) for label in range(8)) if place == 2 else (),
            ),
        )
    record.finish(number, {"accuracy_float": 0.875, "accuracy_int8": 0.8625, "weights_sha256": "ab" * 32})
    record.fail(record.start(RunStart("digits", "cnn", "fedadam", 7, {}, 3, "in-process")), "too few [devices]")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


def output(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def refusal(*arguments: object) -> HandfedError:
    result = run(*arguments)
    assert isinstance(result.exception, HandfedError)
    assert result.stdout == ""
    return result.exception


def test_runs_are_listed_with_what_came_of_them(data: Path) -> None:
    lines = output("--data-dir", data).splitlines()
    assert lines[0].split() == [
        "Run", "Status", "Started", "Task", "Recogniser", "Strategy", "Rounds", "Accuracy",
    ]  # fmt: skip
    assert lines[2].split()[:2] == ["2", "failed"]
    assert lines[3].split()[-3:] == ["fedavg", "2", "86.25%"]


def test_the_list_can_be_cut(data: Path) -> None:
    found = json.loads(output("--data-dir", data, "--limit", 1, "--json"))
    assert [entry["id"] for entry in found["runs"]] == [2]


def test_a_run_is_shown_with_settings_rounds_rejections_and_closing_figures(data: Path) -> None:
    shown = output("show", 1, "--data-dir", data)
    assert shown.startswith("Run 1: done\n")
    assert "data.name  [b]mnist[/b]\n" in shown  # brackets are no markup
    rows = [line.split() for line in shown.splitlines()]
    assert ["1", "float", "2/3", "1.5000", "43.75%", "███████", "4.2", "4.0", "MB"] in rows
    assert ["2", "qat", "2/3", "0.7500", "87.50%", "██████████████", "4.2", "4.0", "MB"] in rows
    assert "18446744073709551615  not-finite  conv/kernel: NaN [red]or[/red]" in shown
    assert "accuracy_int8   86.25%\n" in shown
    assert "ab" * 32 in shown


def test_a_run_is_shown_with_how_writers_and_classes_are_read(data: Path) -> None:
    shown = [line.split() for line in output("show", 1, "--data-dir", data).splitlines()]
    start = shown.index(["Held-out", "writers,", "round", "2"])
    assert [row[0] for row in shown[start + 1 : start + 6]] == ["writers", "p10", "median", "p90", "worst"]
    assert shown[start + 1][-1] == "20"
    assert 87.5 <= float(shown[start + 5][-1].rstrip("%")) <= 90  # of the two in the bin from 0.875 to 0.9
    start = shown.index(["Worst", "classes", "on", "held-out", "handwriting,", "round", "2"])
    assert shown[start + 1] == ["[b]", "82.50%", "of", "40"]
    assert shown[start + 5][0] == "3"


def test_a_failed_run_says_why(data: Path) -> None:
    assert "It failed: too few [devices]" in output("show", 2, "--data-dir", data)


@pytest.mark.parametrize("arguments", [(), ("show", 1), ("show", 2)])
def test_what_is_shown_fits_80_columns(data: Path, arguments: tuple[object, ...]) -> None:
    lines = output(*arguments, "--data-dir", data).splitlines()
    assert max(len(line) for line in lines) <= 80


def test_json_of_a_run_has_every_documented_field(data: Path) -> None:
    found = json.loads(output("show", 1, "--data-dir", data, "--json"))
    documentation = sys.modules[commands.registered_commands[0].callback.__module__].__doc__
    assert set(found) == {"run", "rounds", "writers", "rejections", "devices"}
    records = (found["run"], found["rounds"][0], found["writers"][0], found["rejections"][0], found["devices"][0])
    for record in records:
        for name in record:
            assert name in str(documentation), f"{name} is not documented"
    assert found["run"]["summary"]["accuracy_int8"] == 0.8625
    assert found["run"]["started_at"] == "2026-05-06T12:00:00+00:00"
    assert [row["accuracy"] for row in found["rounds"]] == [0.4375, 0.875]
    assert found["rejections"] == [
        {
            "round": 2,
            "device": 2**64 - 1,
            "reason": "not-finite",
            "detail": "conv/kernel: NaN [red]or[/red] infinite",
        }
    ]
    assert found["devices"][0]["held_out_loss"] == 0.75
    assert found["rounds"][0]["writer_bins"] == found["rounds"][0]["class_counts"] == []
    assert found["rounds"][1]["writer_bins"] == [*[0] * 12, 2, 0, 0, 0, 0, 10, 0, 8]
    assert found["rounds"][1]["class_counts"][2] == [2, 40, 38]
    assert (found["writers"][0]["round"], found["writers"][0]["count"]) == (2, 20)


def test_options_count_before_and_after_the_subcommand(data: Path) -> None:
    after = output("show", 1, "--data-dir", data, "--json")
    assert output("--data-dir", data, "--json", "show", 1) == after
    assert output("--data-dir", "/nowhere", "show", 1, "--data-dir", data, "--json") == after


def test_the_environment_says_where_data_is(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDFED_DATA_DIR", str(data))
    assert json.loads(output("--json"))["runs"][0]["id"] == 2


def test_an_unknown_run_is_refused_with_those_there_are(data: Path) -> None:
    error = refusal("show", 3, "--data-dir", data)
    assert isinstance(error, UnknownRunError)
    assert str(error) == "run 3 is not on record; there are 1-2"
    assert error.exit_status == 2


@pytest.mark.parametrize("arguments", [("show", "first"), ("--limit", "0"), ("show",), ("--unknown",)])
def test_wrong_use_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_an_empty_record_says_how_to_make_a_run_and_stays_empty(tmp_path: Path) -> None:
    assert "handfed simulate" in output("--data-dir", tmp_path)
    assert json.loads(output("--data-dir", tmp_path, "--json")) == {"runs": []}
    assert "handfed simulate" in str(refusal("show", 1, "--data-dir", tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_record_on_postgresql_is_shown(postgresql_url: str) -> None:
    assert json.loads(output("--database", postgresql_url, "--json")) == {"runs": []}
    with open_database(postgresql_url) as database:
        fill(database)
    found: dict[str, Any] = json.loads(output("show", 1, "--database", postgresql_url, "--json"))
    assert list(found["run"]["settings"]) == ["rounds", "data", "alphabet"]
    assert found["rejections"][0]["device"] == 2**64 - 1


def test_a_terminal_without_block_characters_gets_others(data: Path) -> None:
    code = "import sys; from handfed.server.runs.cli import commands; commands(sys.argv[1:])"
    result = subprocess.run(
        [sys.executable, "-c", code, "show", "1", "--data-dir", str(data)],
        check=True,
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert b"#######" in result.stdout
