"""The page of a study: a picture and its tables, or the picture alone; its security policy lets it load nothing."""

from __future__ import annotations

from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from handfed.shared.errors import StorageError
from handfed.shared.files import write_atomically
from handfed.shared.printable import printable
from handfed.simulations.comparison.charts import standalone
from handfed.simulations.report import drawing
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
    text = standalone(picture) if path.suffix.lower() == ".svg" else _page(found, picture, command)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {path.parent}: {error.strerror}; name another file") from error
    write_atomically(path, text.encode())


def _page(found: Finding, picture: str, command: str) -> str:
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("handfed.simulations.studies"), PackageLoader("handfed.simulations.report")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["zip"] = zip
    page = environment.get_template("study.html.jinja").render(
        found=found, command=command, picture=picture, tables=(*found.tables, found.aims_table())
    )
    return printable(page)
