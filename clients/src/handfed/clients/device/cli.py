"""`handfed device`: what the person in charge of a device does with it."""

from __future__ import annotations

import typer

from handfed.clients.device.store.cli import commands as store_commands

commands = typer.Typer(help="This device: the handwriting that it keeps to itself.", no_args_is_help=True)
commands.add_typer(store_commands)
