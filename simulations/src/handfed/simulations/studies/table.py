"""A study's tables on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from handfed.simulations.studies.finding import Columns, Finding


def show(found: Finding, page: str, console: Console) -> None:
    """Prints what a study found."""
    console.print(found.setting, markup=False)
    for each in (*found.tables, found.aims_table()):
        console.print(_table(each))
    console.print(f"page  {page}", markup=False, soft_wrap=True)


def _table(columns: Columns) -> Table:
    table = Table(title=columns.title, title_justify="left")
    for place, heading in enumerate(columns.cells):
        table.add_column(heading, justify="right" if place else "left")
    for row in zip(*columns.cells.values(), strict=True):
        table.add_row(*row)
    return table
