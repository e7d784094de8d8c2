"""`handfed releases`: which models were published, and what each is.

`handfed releases --json` prints `{"releases": [release, ...]}`, newest first.
`handfed releases show N --json` prints an object of:

    release      number, run_id, task, recogniser, path (relative to the releases directory), sha256 (of the
                 model file), size_bytes, accuracy_float, accuracy_int8, manifest (object), created_at
    directory    where its files are on this machine
    present      whether they are there
    model_card   its model card in that directory, or null

Rates are fractions from 0 to 1, times are ISO 8601 in UTC, what is unknown is null.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handfed.server import terminal, wording
from handfed.server.comparisons import cli as comparisons
from handfed.server.promotion import cli as promotion
from handfed.server.releases.exports.cli import export
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir
from handfed.shared import data_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from handfed.server.releases.schemas import RecordedRelease

commands = typer.Typer(help="The published models.", invoke_without_command=True)


@commands.callback()
def list_releases(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="How many releases to list, newest first.", min=1)] = 20,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Lists the published models; `show` tells more about one."""
    context.obj = Choices(data_dir, database, as_json)
    if context.invoked_subcommand is None:
        _list(context.obj, limit)


@commands.command()
def show(
    context: typer.Context,
    release: Annotated[int, typer.Argument(help="Number of the release.", show_default=False)],
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show a release: its figures, where its files are, and its manifest."""
    from handfed.server.releases.schemas import UnknownReleaseError
    from handfed.server.releases.service import ReleaseRecord

    choices = Choices(data_dir, database, as_json).over(context.obj)
    opened = choices.open()
    if opened is None:
        raise UnknownReleaseError(release, ())
    with opened:
        found = ReleaseRecord(opened).get(release)
    directory = data_directory.releases_in(choices.directory).absolute() / found.path
    if choices.as_json:
        card = _model_card(directory)
        place = {"directory": str(directory), "present": directory.is_dir(), "model_card": card and str(card)}
        terminal.print_json({"release": found, **place})
    else:
        _show(found, directory)


for _command in (promotion.promotions, promotion.promote, promotion.pause, promotion.rollback, promotion.pin, export):
    commands.command()(_command)
for _command in (comparisons.compare, comparisons.comparison, comparisons.end_comparison):
    commands.command()(_command)


def _list(choices: Choices, limit: int) -> None:
    from handfed.server.releases.service import ReleaseRecord

    releases: tuple[RecordedRelease, ...] = ()
    opened = choices.open()
    if opened is not None:
        with opened:
            releases = ReleaseRecord(opened).list(limit)
    if choices.as_json:
        terminal.print_json({"releases": releases})
    elif releases:
        terminal.console().print(_release_table(releases))
    else:
        terminal.console().print("Nothing is published yet: `handfed simulate` makes a release.")


def _release_table(releases: Sequence[RecordedRelease]) -> Table:
    columns = ("Release", "Published", "Run", "Task", "Recogniser", "Size", "Float", "INT8")
    table = terminal.table(*columns, right=("Release", "Run", "Size", "Float", "INT8"), whole=("Published",))
    for release in releases:
        table.add_row(
            str(release.number),
            wording.moment(release.created_at),
            "-" if release.run_id is None else str(release.run_id),
            release.task,
            release.recogniser,
            wording.megabytes(release.size_bytes),
            wording.percent(release.accuracy_float),
            wording.percent(release.accuracy_int8),
        )
    return table


def _show(release: RecordedRelease, directory: Path) -> None:
    console = terminal.console()
    terminal.print_section(console, f"Release {release.number}", _facts(release))
    # Paths are printed whole, since people copy them.
    if directory.is_dir():
        console.print(f"directory       {directory}", soft_wrap=True)
    else:
        console.print(f"Its files are not on this machine: there is no {directory}", style="red", soft_wrap=True)
    card = _model_card(directory)
    if card is not None:
        console.print(f"model card      {card}", soft_wrap=True)
    terminal.print_section(console, "\nManifest", list(wording.entries(release.manifest)))


def _facts(release: RecordedRelease) -> list[tuple[str, str]]:
    return [
        ("task", release.task),
        ("recogniser", release.recogniser),
        ("run", "-" if release.run_id is None else str(release.run_id)),
        ("published", wording.moment(release.created_at)),
        ("size", wording.megabytes(release.size_bytes)),
        ("sha256", release.sha256),
        ("accuracy float", wording.percent(release.accuracy_float)),
        ("accuracy INT8", wording.percent(release.accuracy_int8)),
    ]


def _model_card(directory: Path) -> Path | None:
    from handfed.shared.manifest import MODEL_CARD

    card = directory / MODEL_CARD
    return card if card.is_file() else None
