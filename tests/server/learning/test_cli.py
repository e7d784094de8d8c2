"""`handfed policy`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from handfed.server.database import open_database
from handfed.server.learning.cli import commands
from handfed.server.learning.service import Policies
from handfed.shared.data_directory import database_url
from handfed.shared.errors import NotFoundError, SettingError
from handfed.shared.learning.settings import RANGES

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory of a server that was started once."""
    open_database(database_url(tmp_path, None)).close()
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


def output(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def answer(*arguments: object) -> Any:
    return json.loads(output(*arguments, "--json"))


def test_what_is_set_is_shown_all_of_it(data: Path) -> None:
    found = answer("show", "--data-dir", data)["policy"]
    assert (found["task"], found["enabled_at"], found["last_run"]) == ("digits", None, None)
    assert found["settings"].keys() == RANGES.keys()
    changed = answer("set", "--set", "least-samples=500", "--run-set", "rounds=20", "--data-dir", data)["policy"]
    assert (changed["settings"]["least_samples"], changed["run_settings"]) == (500, {"rounds": 20})
    assert answer("set", "--run-set", "rounds=", "--data-dir", data)["policy"]["run_settings"] == {}
    shown = output("show", "--data-dir", data)
    assert "disabled" in shown
    assert "500" in shown


def test_enabling_says_what_it_will_do_and_what_stands_in_the_way(data: Path) -> None:
    said = " ".join(output("enable", "--data-dir", data).split())
    assert "starts runs of digits by itself" in said
    assert "new samples: 1,000 on 5 devices" in said
    assert "no release is in use yet" in said
    assert "starts no runs" in output("disable", "--data-dir", data)


def test_an_explanation_names_each_condition_with_what_was_found_and_what_it_takes(data: Path) -> None:
    found = answer("explain", "--data-dir", data)
    names = [each["name"] for each in found["now"]["conditions"]]
    assert names == ["policy", "release in use", "other run", "cool-down", "new samples", "drift", "schedule"]
    assert (found["now"]["start"], found["last"]) == (False, None)
    shown = output("explain", "--data-dir", data)
    assert "A run is not started now: policy: disabled" in " ".join(shown.split())
    assert all(name.split()[0] in shown for name in names)


@pytest.mark.parametrize("given", [("--set", "least_samples"), ("--set", "nonsense=1"), ("--run-set", "rounds=x")])
def test_what_cannot_be_set_is_refused(data: Path, given: tuple[str, str]) -> None:
    assert isinstance(run("set", *given, "--data-dir", data).exception, SettingError)


@pytest.mark.parametrize("command", ["show", "set", "enable", "disable", "explain"])
def test_a_task_that_there_is_not_is_refused(data: Path, command: str) -> None:
    result = run(command, "--task", "nope", "--data-dir", data)
    assert isinstance(result.exception, NotFoundError)
    assert "no task 'nope'; choose of characters, digits, words, lines, or name a .toml" in str(result.exception)
    with open_database(database_url(data, None)) as database:
        assert Policies(database).every() == []


def test_a_task_may_be_a_file(data: Path) -> None:
    file = data / "cheques.toml"
    file.write_text('summary = "Cheques"\nalphabet = "digits"')
    assert "runs of cheques by itself" in " ".join(output("enable", "--task", file, "--data-dir", data).split())
    file.unlink()
    assert answer("show", "--task", "cheques", "--data-dir", data)["policy"]["enabled_at"] is not None


def test_there_is_no_policy_without_a_server(tmp_path: Path) -> None:
    assert isinstance(run("show", "--data-dir", tmp_path).exception, SettingError)
