"""The `handfed` command: its subcommands are those of the parts that are installed here.

A part offers a subcommand through the entry-point group `handfed.commands`: the entry's name is the subcommand, its
value a function or a `typer.Typer`. A device that installed only the edge sees only the edge's.

Exit status: 0 done, 2 wrong use or input, 1 anything else.
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points

import typer

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
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        _add(app, entry)
    return app


def _add(app: typer.Typer, entry: EntryPoint) -> None:
    command = entry.load()
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=entry.name)
    else:
        app.command(name=entry.name)(command)


def main() -> None:
    """Runs the command and turns errors into a message and an exit status."""
    try:
        build()(standalone_mode=True)
    except HandfedError as error:
        from rich.console import Console

        message = printable(f"handfed: {error}")
        Console(stderr=True).print(message, style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_status)
