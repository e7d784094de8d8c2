"""The page of learning in steps: a picture, a table, and each method's accuracy matrix; or the picture alone."""

from __future__ import annotations

from pathlib import Path

from handfed.simulations.continual import charts
from handfed.simulations.continual.findings import Findings
from handfed.simulations.continual.table import columns, matrix
from handfed.simulations.report import documents, drawing


def write_page(path: Path, found: Findings, command: str) -> None:
    """Writes the picture alone where the name ends in `.svg`, else the page.

    Args:
        path: Where to; its folder is made where there is none.
        found: What came of the steps.
        command: The command that made it.

    Raises:
        StorageError: The file cannot be written.
    """
    with drawing.style():
        picture = charts.accuracy(found)
    documents.write(path, lambda: picture, lambda: _page(found, picture, command))


def _page(found: Findings, picture: str, command: str) -> str:
    return documents.html(
        "steps.html.jinja",
        "handfed.simulations.continual",
        title=f"{len(found.steps)} steps, learnt in {len(found.learnt)} ways",
        command=command,
        picture=picture,
        summary=columns(found),
        matrices=[(each.method, matrix(found, each)) for each in found.learnt],
        published=f"{found.published}, release {found.release}: {found.accuracy_int8:.2%} in INT8",
    )
