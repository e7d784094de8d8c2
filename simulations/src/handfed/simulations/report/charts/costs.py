"""Charts of what a run cost by round: traffic and time, as stacked bars."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from handfed.simulations.report import drawing
from handfed.simulations.report.charts import Chart, Key, Mark
from handfed.simulations.report.charts.rounds import round_axis
from handfed.simulations.report.contents import Report
from handfed.simulations.report.drawing import FIRST, SECOND
from handfed.simulations.report.findings import finite

_HEIGHT = 190
_MOST_GAPS = 120  # rounds: with more, bars have no gap between them
_BAR = 0.78  # width of a bar that has


def traffic(report: Report) -> Chart:
    """Bytes to and from devices, by round."""
    down = np.array([each.bytes_down for each in report.rounds], np.float64) / 1e6
    up = np.array([each.bytes_up for each in report.rounds], np.float64) / 1e6
    figure = _stacked(report, down, up, unit="MB")
    return Chart(
        "Traffic by round",
        "Weights that the server sends to devices, and what they send back.",
        drawing.embed(
            figure,
            name="traffic",
            title="Traffic by round",
            description=f"In all {down.sum() + up.sum():,.1f} MB: {down.sum():,.1f} MB down to devices and"
            f" {up.sum():,.1f} MB up from them.",
        ),
        (Key(Mark.BLOCK, "first", "down to devices"), Key(Mark.BLOCK, "second", "up from devices")),
    )


def time(report: Report) -> Chart:
    """Seconds a round, split into training and the rest."""
    seconds = np.array([finite(each.seconds) or 0.0 for each in report.rounds])
    training = np.array([finite(each.train_seconds) or 0.0 for each in report.rounds])
    at_once = bool((training > seconds).any())
    training = np.minimum(training, seconds)
    caption = "Training, summed over devices, and the rest: sending, checking, combining, evaluating."
    if at_once:
        caption = (
            "Devices trained at the same time: where their times add up to more than the round took, training fills it."
        )
    return Chart(
        "Time by round",
        caption,
        drawing.embed(
            _stacked(report, training, seconds - training, unit="s"),
            name="time",
            title="Time by round",
            description=f"{seconds.sum():,.1f} s in all rounds, of which {training.sum():,.1f} s training.",
        ),
        (Key(Mark.BLOCK, "first", "training"), Key(Mark.BLOCK, "second", "the rest")),
    )


def _stacked(report: Report, lower: NDArray[np.float64], upper: NDArray[np.float64], *, unit: str) -> Figure:
    """Bars a round, of two parts."""
    figure = drawing.figure(_HEIGHT)
    axes = drawing.axes(figure, left=46, top=18)
    numbers = np.array([each.number for each in report.rounds], np.float64)
    width = _BAR if len(numbers) <= _MOST_GAPS else 1.0
    drawing.boxes(axes, numbers - width / 2, np.zeros_like(lower), width, lower, colour=FIRST)
    drawing.boxes(axes, numbers - width / 2, lower, width, upper, colour=SECOND)
    last = int(numbers.max())
    round_axis(axes, last, last)
    axes.set_xlim(0.4, last + 0.6)
    axes.set_ylim(0, max(float((lower + upper).max()) * 1.05, 1e-9))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.annotate(
        unit, (0, 1), (-6, 6), xycoords="axes fraction", textcoords="offset points", ha="right", color=drawing.SOFT
    )
    axes.grid(axis="y")
    return figure
