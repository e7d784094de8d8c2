"""How installed parts come together in one command: the rules of its entry points."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from handfed.shared.cli import build

ENTRY_POINTS = """\
[handfed.commands]
zoo = zoo_of_a_part:commands
zoo.feed = zoo_of_another:feed
zoo.look = zoo_of_another:feed
alone = zoo_of_a_part:look
alone.feed = zoo_of_another:feed
nowhere.feed = zoo_of_another:feed
"""
A_PART = """\
import typer
commands = typer.Typer(invoke_without_command=True)

@commands.callback()
def main(context: typer.Context, loud: bool = False) -> None:
    context.obj = loud
    if context.invoked_subcommand is None:
        print("the whole zoo")

@commands.command()
def look() -> None:
    '''Looks around.'''
    print("looking")
"""
ANOTHER = """\
import typer

def feed(context: typer.Context, animal: str, times: int = 1) -> None:
    '''Feeds an animal.'''
    print(animal, times, context.obj)
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two invented parts, installed as `pip` would have left them."""
    information = tmp_path / "zoo-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "zoo_of_a_part.py").write_text(A_PART)
    (tmp_path / "zoo_of_another.py").write_text(ANOTHER)
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("zoo_of_a_part", "zoo_of_another"):
        monkeypatch.delitem(sys.modules, module, raising=False)


def output(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(build(), arguments)
    assert result.exit_code == exit_code, result.output
    return result.output


def test_a_dotted_name_attaches_a_command_to_another_parts_group() -> None:
    assert output("zoo", "--loud", "feed", "lion", "--times", "2") == "lion 2 True\n"
    shown = output("zoo", "--help")
    assert "Looks around." in shown
    assert "Feeds an animal." in shown


def test_an_attached_command_is_not_imported_before_its_group_is_asked() -> None:
    assert "zoo" in output("--help")
    assert "zoo_of_a_part" in sys.modules
    assert output("zoo") == "the whole zoo\n"
    assert output("zoo", "look") == "looking\n"
    assert "zoo_of_another" not in sys.modules


def test_what_a_group_has_itself_is_not_replaced() -> None:
    assert output("zoo", "look") == "looking\n"


def test_without_its_group_an_attached_command_is_not_there() -> None:
    assert "nowhere" not in output("--help")
    assert "No such command" in output("nowhere", "feed", "lion", exit_code=2)
    assert output("alone") == "looking\n"  # a command is no group


def test_wrong_use_of_an_attached_command_names_it_whole() -> None:
    shown = output("zoo", "feed", exit_code=2)
    assert "zoo feed" in shown
    assert "Missing argument" in shown
