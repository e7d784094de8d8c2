"""The `handfed` command: its subcommands are those of the parts that are installed here.

A part offers a subcommand through the entry-point group `handfed.commands`: the entry's name is the subcommand, its
value a function or a `typer.Typer`. A device that installed only the edge sees only the edge's.

A dotted name attaches a function to another part's `typer.Typer`: `runs.compare` is `handfed runs compare`. It is
imported when that group is asked for help or for the command, not when `handfed` starts; where no installed part
offers the group, it is not there.

Exit status: 0 done, 2 wrong use or input, 1 anything else.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

import click
import typer
from typer.core import TyperGroup

from handfed.shared.errors import HandfedError
from handfed.shared.printable import printable

GROUP = "handfed.commands"


def build() -> typer.Typer:
    """The command with every subcommand that is installed."""
    app = typer.Typer(
        name="handfed",
        help="Federated and continual learning for handwriting recognition.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    nested: dict[str, dict[str, EntryPoint]] = {}
    own: list[EntryPoint] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        group, dot, name = entry.name.partition(".")
        if dot:
            nested.setdefault(group, {})[name] = entry
        else:
            own.append(entry)
    for entry in own:
        _add(app, entry, nested.get(entry.name, {}))
    return app


def _add(app: typer.Typer, entry: EntryPoint, nested: Mapping[str, EntryPoint]) -> None:
    command = entry.load()
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=entry.name, cls=_group_with(nested))
    else:
        app.command(name=entry.name)(command)


def _group_with(nested: Mapping[str, EntryPoint]) -> type[TyperGroup]:
    """A group that has these commands beside its own, and imports each when it is looked up."""

    class Group(TyperGroup):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return sorted({*super().list_commands(ctx), *nested})

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            own = super().get_command(ctx, cmd_name)
            return own if own is not None or cmd_name not in nested else _loaded(nested[cmd_name], cmd_name)

    return Group


def _loaded(entry: EntryPoint, name: str) -> click.Command:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    alone.command(name=name)(entry.load())
    return typer.main.get_command(alone)


def main() -> None:
    """Runs the command and turns errors into a message and an exit status."""
    try:
        build()(standalone_mode=True)
    except HandfedError as error:
        from rich.console import Console

        message = printable(f"handfed: {error}")
        Console(stderr=True).print(message, style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_status)
