"""The picture of learning in steps: the mean accuracy over what has come so far, after each step, by method."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

from handfed.server import wording
from handfed.simulations.comparison.charts import legend
from handfed.simulations.continual.findings import Findings
from handfed.simulations.report import drawing
from handfed.simulations.report.drawing import BAD, FIRST, INK, SECOND, THIRD

_HEIGHT: Final = 236  # units, without the legend
_ROW: Final = 17  # units, of the legend
_LINES: Final[dict[str, tuple[Any, str]]] = {
    "naive": ((0, (4, 2)), BAD),
    "replay": ("solid", FIRST),
    "distillation": ((0, (1, 1.5)), THIRD),
    "both": ("solid", SECOND),
    "joint": ((0, (4, 2)), INK),
}


def accuracy(found: Findings) -> Markup:
    """Accuracy over the steps so far, after each."""
    rows = len(found.learnt)
    figure = drawing.figure(_HEIGHT + rows * _ROW)
    axes = drawing.axes(figure, left=46, top=10, bottom=44 + rows * _ROW)
    numbers = list(range(1, len(found.steps) + 1))
    for learnt in found.learnt:
        dashes, colour = _LINES[learnt.method]
        values = [value * 100 for value in learnt.so_far()]
        axes.plot(numbers, values, color=colour, linestyle=dashes, linewidth=1.8, marker="o", markersize=3.5)
    low = min(value * 100 for learnt in found.learnt for value in learnt.so_far())
    axes.set_ylim(max(low - 3, 0), 100.5)
    axes.set_xticks(numbers)
    axes.grid(axis="y")
    axes.set_xlabel("step")
    axes.set_ylabel("accuracy so far, percent")
    legend(figure, [_LINES[learnt.method] for learnt in found.learnt])
    return drawing.embed(
        figure,
        name="steps",
        title="Accuracy over what has come so far, after each step",
        description=" ".join(
            f"{learnt.method}: {wording.percent(learnt.so_far()[-1])} in the end." for learnt in found.learnt
        ),
        texts=[f"{learnt.method}: {wording.percent(learnt.so_far()[-1])}" for learnt in found.learnt],
    )
