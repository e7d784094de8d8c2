"""Bars of several parts, one a round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from handfed.server.runs.schemas import RoundResult
from handfed.simulations.report import drawing
from handfed.simulations.report.charts.rounds import round_axis

_HEIGHT = 190
_MOST_GAPS = 120  # rounds: with more, bars have no gap between them
_BAR = 0.78  # width of a bar that has

Part = tuple[NDArray[Any], str]  # a figure a round, and the role of its colour


def stacked(rounds: Sequence[RoundResult], parts: Sequence[Part], *, unit: str, whole: bool = False) -> Figure:
    """Draws a bar a round.

    Args:
        rounds: At least one.
        parts: From bottom to top.
        unit: What the figures count.
        whole: Whether they are whole numbers.
    """
    figure = drawing.figure(_HEIGHT)
    axes = drawing.axes(figure, left=46, top=18)
    numbers = np.array([each.number for each in rounds], np.float64)
    width = _BAR if len(numbers) <= _MOST_GAPS else 1.0
    below = np.zeros(len(numbers))
    for values, colour in parts:
        drawing.boxes(axes, numbers - width / 2, below, width, values, colour=colour)
        below = below + values
    last = int(numbers.max())
    round_axis(axes, last, last)
    axes.set_xlim(0.4, last + 0.6)
    axes.set_ylim(0, max(float(below.max()) * 1.05, 1.0 if whole else 1e-9))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=whole))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.annotate(
        unit, (0, 1), (-6, 6), xycoords="axes fraction", textcoords="offset points", ha="right", color=drawing.SOFT
    )
    axes.grid(axis="y")
    return figure
