"""The page of a study: a picture and its tables, or the picture alone."""

from __future__ import annotations

from pathlib import Path

from handfed.simulations.report import documents, drawing
from handfed.simulations.studies import charts
from handfed.simulations.studies.finding import Finding


def write_page(path: Path, found: Finding, command: str) -> None:
    """Writes the picture alone where the name ends in `.svg`, else the page.

    Args:
        path: Where to; its folder is made where there is none.
        found: What the study found.
        command: The command that made it.

    Raises:
        StorageError: The file cannot be written.
    """
    with drawing.style():
        picture = charts.accuracies(found)
    documents.write(path, lambda: picture, lambda: _page(found, picture, command))


def _page(found: Finding, picture: str, command: str) -> str:
    tables = (*found.tables, found.aims_table())
    return documents.html(
        "study.html.jinja",
        "handfed.simulations.studies",
        found=found,
        command=command,
        picture=picture,
        tables=tables,
    )
