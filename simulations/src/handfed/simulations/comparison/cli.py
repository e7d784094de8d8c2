"""`handfed runs compare`: runs of the record side by side.

`--json` prints one object:

    differing   each setting in which the runs differ, with a list of its values in the order of the runs, as text
    runs        a list: run, label, status, rounds (how many are recorded), rounds_to (by accuracy as text: the first
                evaluated round that reached it, or null), bytes_sent (both ways, all rounds), summary (closing
                figures, or null), accuracy_by_round (pairs of round and accuracy)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from handfed.server import terminal
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir
from handfed.shared.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handfed.simulations.comparison.contents import Compared

_MOST_COLUMNS: Final = 6  # of runs, within 80 characters


def compare(
    context: typer.Context,
    runs: Annotated[list[int], typer.Argument(metavar="RUN RUN...", help="Numbers of runs.", show_default=False)],
    picture: Annotated[
        Path | None,
        typer.Option(help="Write a page (.html), or accuracy by round alone (.svg).", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs: the settings in which they differ, how fast each learnt, and what came of it."""
    from handfed.server.runs.schemas import UnknownRunError
    from handfed.server.runs.service import RunRecord
    from handfed.simulations.comparison import contents

    numbers = list(dict.fromkeys(runs))
    if len(numbers) < 2:  # noqa: PLR2004 - to compare takes two
        raise SettingError("name at least two runs to compare; `handfed runs` lists them")
    if picture is not None:
        _check_kind(picture)
    choices = Choices(data_dir, database, as_json).over(context.obj or Choices(None, None, as_json=False))
    opened = choices.open()
    if opened is None:
        raise UnknownRunError(numbers[0], ())
    with opened:
        compared = contents.named(contents.read(RunRecord(opened), dict.fromkeys(numbers, "")))
    if picture is not None:
        from handfed.simulations.comparison.writing import write_page
        from handfed.simulations.options import command_line

        write_page(picture, compared, command_line())
    if choices.as_json:
        terminal.print_json(contents.as_json(compared))
    else:
        _show(compared)


def _check_kind(picture: Path) -> None:
    from handfed.simulations.comparison.writing import check_kind

    check_kind(picture)


def _show(compared: Sequence[Compared]) -> None:
    """A column a run, where these are few; else a row a run, with its closing figures alone."""
    from handfed.simulations.comparison.contents import columns
    from handfed.simulations.terminal import run_table

    if len(compared) > _MOST_COLUMNS:
        terminal.console().print(run_table(compared))
        return
    found = columns(compared)
    numbers = found.pop("run")
    table = terminal.table("run", *numbers, right=tuple(numbers))
    for name, values in found.items():
        table.add_row(name, *values)
    terminal.console().print(table)
