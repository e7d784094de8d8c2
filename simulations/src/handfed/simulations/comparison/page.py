"""The page of a comparison: two pictures and a table.

What runs bring is escaped by the template engine; the page's content security policy forbids it to load anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from handfed.server import wording
from handfed.shared.printable import printable
from handfed.simulations.comparison import charts
from handfed.simulations.comparison.contents import Compared, columns
from handfed.simulations.report import drawing

_BY_ROUND: Final = (
    "On the devices' held-out images; the target is dashed. The scale widens towards 100%, where differences count."
)
_CLOSING: Final = (
    "INT8, on held-out images; the target is dashed. Where intervals overlap, the runs may be as good as one another."
)


def render(runs: Sequence[Compared], command: str) -> str:
    """The comparison as one HTML page.

    Matplotlib's settings are the process's, and are changed while it draws: let no other thread draw meanwhile.

    Args:
        runs: At least one.
        command: The command that made it.
    """
    with drawing.style():
        pictures = (
            ("Accuracy by round", _BY_ROUND, charts.accuracy(runs)),
            ("Accuracy of what was published", _CLOSING, charts.closing(runs)),
        )
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("handfed.simulations.comparison"), PackageLoader("handfed.simulations.report")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    table = columns(runs)
    page = environment.get_template("comparison.html.jinja").render(
        title=f"Runs {wording.spans([run.run.id for run in runs])} side by side",
        command=command,
        pictures=[each for each in pictures if each[2] is not None],
        columns=list(table),
        rows=list(zip(*table.values(), strict=True)),
    )
    return printable(page)


def picture(runs: Sequence[Compared]) -> Markup:
    """The accuracy by round alone; see `render`."""
    with drawing.style():
        return charts.accuracy(runs)
