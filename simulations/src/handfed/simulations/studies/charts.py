"""The picture of a study: accuracies, a row for each case and a mark in it for each series."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from handfed.server import wording
from handfed.simulations.comparison.charts import legend
from handfed.simulations.report import drawing
from handfed.simulations.report.drawing import BAD, FIRST, INK
from handfed.simulations.studies.finding import Finding

_ROW: Final = 34  # units, of a case
_LEGEND_ROW: Final = 17
_COLOURS: Final = (INK, BAD, FIRST)
_MARKERS: Final = ("o", "s", "D")


def accuracies(found: Finding) -> Markup:
    """Accuracy of each case, by series; up to three series are told apart."""
    series = list(found.rows[0].values)
    below = 40 + len(series) * _LEGEND_ROW
    figure = drawing.figure(8 + below + len(found.rows) * _ROW)
    axes = drawing.axes(figure, left=12, right=12, top=8, bottom=below)
    for name, colour, marker in zip(series, _COLOURS, _MARKERS, strict=False):
        values = [row.values[name] * 100 for row in found.rows]
        axes.plot(values, range(len(values)), marker, color=colour, markersize=6, fillstyle="none", markeredgewidth=1.8)
    for place in range(len(found.rows)):
        axes.annotate(
            drawing.token(len(series) + place),
            (0, place),
            (0, 8),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=drawing.SMALL_TEXT,
        )
    axes.set_ylim(len(found.rows) - 0.4, -0.7)
    axes.set_yticks([])
    axes.grid(axis="x")
    axes.set_xlabel("accuracy, percent")
    legend(figure, [("solid", colour) for colour in _COLOURS[: len(series)]])
    return drawing.embed(
        figure,
        name="study",
        title=found.picture,
        description=" ".join(
            f"{row.name}: {', '.join(f'{name} {wording.percent(value)}' for name, value in row.values.items())}."
            for row in found.rows
        ),
        texts=[*series, *(row.name for row in found.rows)],
    )
