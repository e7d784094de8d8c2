"""`handfed device`: what the person in charge of a device does with it."""

from __future__ import annotations

import typer

from handfed.clients.device.doctor import doctor
from handfed.clients.device.enrolment_cli import move, rotate, show
from handfed.clients.device.forms.cli import import_scan, sheet
from handfed.clients.device.labels.cli import review
from handfed.clients.device.run_cli import run, status
from handfed.clients.device.store.cli import commands as store_commands

commands = typer.Typer(
    help="This device: its part in the federation, and the handwriting that it keeps to itself.", no_args_is_help=True
)
for command in (run, status, show, rotate, move, doctor, review):
    commands.command()(command)
commands.command()(sheet)
commands.command(name="import-scan")(import_scan)
commands.add_typer(store_commands)
