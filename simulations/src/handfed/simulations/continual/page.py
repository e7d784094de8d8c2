"""The page of learning in steps: a picture, a table, and each method's accuracy matrix; or the picture alone.

What a data set brings (names of classes) is escaped by the template engine; the page's content security policy forbids
it to load anything.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from handfed.shared.errors import StorageError
from handfed.shared.files import write_atomically
from handfed.shared.printable import printable
from handfed.simulations.comparison.charts import standalone
from handfed.simulations.continual import charts
from handfed.simulations.continual.findings import Findings
from handfed.simulations.continual.table import columns, matrix
from handfed.simulations.report import drawing


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
    text = standalone(picture) if path.suffix.lower() == ".svg" else _page(found, picture, command)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {path.parent}: {error.strerror}; name another file") from error
    write_atomically(path, text.encode())


def _page(found: Findings, picture: str, command: str) -> str:
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("handfed.simulations.continual"), PackageLoader("handfed.simulations.report")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["zip"] = zip
    page = environment.get_template("steps.html.jinja").render(
        title=f"{len(found.steps)} steps, learnt in {len(found.learnt)} ways",
        command=command,
        picture=picture,
        summary=columns(found),
        matrices=[(each.method, matrix(found, each)) for each in found.learnt],
        published=f"{found.published}, release {found.release}: {found.accuracy_int8:.2%} in INT8",
    )
    return printable(page)
