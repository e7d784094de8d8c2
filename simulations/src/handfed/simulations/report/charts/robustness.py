"""The chart of accuracy on deformed images, a bar a deformation."""

from __future__ import annotations

import numpy as np

from handfed.server import wording
from handfed.simulations.report import drawing
from handfed.simulations.report.charts import Chart, Key, Mark
from handfed.simulations.report.contents import Robustness
from handfed.simulations.report.drawing import FIRST, INK, SOFT, THIRD
from handfed.simulations.robustness import AS_WRITTEN

_ROW = 19.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 104.0, 56.0, 6.0, 24.0
_BAR = 0.68  # height of a bar in its row


def accuracies(found: Robustness) -> Chart:
    """Accuracy under each deformation, beside that on the images as they were written."""
    names, values = list(found.accuracies), np.array(list(found.accuracies.values()))
    count, usual = len(names), found.accuracies[AS_WRITTEN]
    figure = drawing.figure(_TOP + _ROW * count + _BOTTOM)
    axes = drawing.axes(figure, left=_LEFT, right=_RIGHT, top=_TOP, bottom=_BOTTOM)
    axes.set_xlim(0, 1)
    axes.set_ylim(count, 0)
    row = np.arange(count) + (1 - _BAR) / 2
    written = np.array([name == AS_WRITTEN for name in names])
    for chosen, colour in ((written, THIRD), (~written, FIRST)):
        drawing.boxes(axes, np.zeros(chosen.sum()), row[chosen], values[chosen], _BAR, colour=colour)
    axes.axvline(usual, color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.set_yticks(np.arange(count) + 0.5, [in_words(name) for name in names], color=INK)
    axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
    for place, value in enumerate(values.tolist()):
        axes.annotate(
            wording.percent(value),
            (1, place + 0.5),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=INK,
        )
    worst = min(found.accuracies, key=lambda name: found.accuracies[name])
    return Chart(
        "Accuracy by deformation",
        "Of the same images, each deformed in one way, and in all ways together.",
        drawing.embed(
            figure,
            name="robustness",
            title="Accuracy by deformation",
            description=f"{wording.percent(usual)} as written; least, {wording.percent(found.accuracies[worst])}, under"
            f" {in_words(worst)}.",
        ),
        (Key(Mark.BLOCK, "third", "as written"), Key(Mark.BLOCK, "first", "deformed")),
    )


def in_words(deformation: str) -> str:
    """Its name as people write it, on a page that shows ink dark, whatever the data set does."""
    return {"dark-on-light": "negative"}.get(deformation, deformation.replace("-", " "))
