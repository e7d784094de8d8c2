"""Options made from tables of settings."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from handfed.shared.run_settings import RunSettings
from handfed.simulations.faults import Faults
from handfed.simulations.options import command_line, typed, with_settings


@with_settings(RunSettings, Faults)
def command(context: typer.Context, mine: int = 1, **settings: Any) -> None:
    """A command."""
    assert mine in {1, 2}
    assert settings["rounds"] in {RunSettings().rounds, 7}
    typer.echo(sorted(typed(context).items()))


def output(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_every_setting_and_fault_is_an_option_with_its_default() -> None:
    parameters = inspect.signature(command).parameters
    assert list(parameters)[:2] == ["context", "mine"]
    for table in (RunSettings(), Faults()):
        for name in table.__dataclass_fields__:
            assert parameters[name].default == getattr(table, name)


def test_the_help_keeps_tables_apart_and_shows_defaults() -> None:
    shown = output("--help")
    settings, faults = shown.index("Settings of the run"), shown.index("Faults on purpose")
    assert settings < shown.index("--learning-rate") < faults < shown.index("--sign-flipped")
    assert "[default: 0.05]" in shown


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), "[]"),
        (("--rounds", "7"), "[('rounds', 7)]"),
        (("--rounds", "40"), "[('rounds', 40)]"),  # typed, though it is the default
        (("--nan", "0.5", "--mine", "2"), "[('mine', 2), ('nan', 0.5)]"),
    ],
)
def test_only_what_was_typed_counts_as_typed(arguments: tuple[str, ...], found: str) -> None:
    assert output(*arguments) == f"{found}\n"


def test_what_was_typed_is_told_without_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sys.argv", ["/bin/handfed", "simulate", "--database", "postgresql://ada:secret@host/db", "a b"]
    )
    assert command_line() == "handfed simulate --database postgresql://ada:***@host/db 'a b'"
    monkeypatch.setattr("sys.argv", ["/bin/handfed", "simulate", "--mlflow", "http://127.0.0.1:5000", "x@y"])
    assert command_line() == "handfed simulate --mlflow http://127.0.0.1:5000 x@y"
