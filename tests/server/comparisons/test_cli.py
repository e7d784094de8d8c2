"""`handfed releases compare`, `comparison` and `end-comparison`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from handfed.server.database import open_database
from handfed.server.releases.cli import commands
from handfed.shared.data_directory import database_url
from handfed.shared.errors import ConflictError
from tests.server.recorded import publish

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with two releases and no device."""
    with open_database(database_url(tmp_path, None)) as database, database.write() as session:
        publish(session, 1)
        publish(session, 2)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


def output(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def answer(*arguments: object) -> Any:
    return json.loads(output(*arguments, "--json"))


def test_a_comparison_is_started_shown_and_ended(data: Path) -> None:
    said = output("compare", 1, 2, "--percent", 30, "--data-dir", data)
    assert "30 devices in a hundred use release 2, all others release 1" in said
    found = answer("comparison", 1, "--data-dir", data)
    assert (found["comparison"]["percent"], found["comparison"]["ended_at"]) == (30, None)
    assert found["evidence"]["corrections"] == {"a": None, "b": None, "difference": None}
    shown = output("comparison", 1, "--data-dir", data)
    assert "goes on" in shown
    assert "too few devices" in shown
    assert answer("end-comparison", 1, "--data-dir", data)["comparison"]["ended_at"] is not None
    assert "ended 2" in output("comparison", 1, "--data-dir", data)
    assert isinstance(run("end-comparison", 1, "--data-dir", data).exception, ConflictError)
