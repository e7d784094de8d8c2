"""The page of a comparison: two pictures and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from handfed.server import wording
from handfed.simulations.comparison import charts
from handfed.simulations.comparison.contents import Compared, columns
from handfed.simulations.report import documents, drawing

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
    table = columns(runs)
    return documents.html(
        "comparison.html.jinja",
        "handfed.simulations.comparison",
        title=f"Runs {wording.spans([run.run.id for run in runs])} side by side",
        command=command,
        pictures=[each for each in pictures if each[2] is not None],
        columns=list(table),
        rows=list(zip(*table.values(), strict=True)),
    )


def picture(runs: Sequence[Compared]) -> Markup:
    """The accuracy by round alone; see `render`."""
    with drawing.style():
        return charts.accuracy(runs)
