"""Charts of held-out accuracy: float beside INT8, and one device or writer beside another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from handfed.server import wording
from handfed.simulations.report import drawing
from handfed.simulations.report.charts import Chart, Key, Mark
from handfed.simulations.report.contents import Report
from handfed.simulations.report.drawing import BAD, FIRST, INK, LINE, SOFT, THIRD
from handfed.simulations.report.findings import Group, Pairs, finite, worst_decile

_MOST_NAMED = 24  # devices: with more, their numbers would touch
_DIGIT, _GAP, _ROOM = 5.4, 3.0, 286.0  # units of a digit, between numbers, and of the axis


def difference(report: Report, pairs: Pairs) -> Chart | None:
    """Accuracy of INT8 less that of float on the same images; None without images."""
    found = pairs.difference
    if found is None:
        return None
    figure = drawing.figure(168)
    upper = drawing.axes(figure, left=96, right=58, top=8, bottom=102)
    _accuracies(upper, report)
    lower = drawing.axes(figure, left=96, right=58, top=96, bottom=36)
    low, middle, high = found.low * 100, found.difference * 100, found.high * 100
    lower.axvline(0, color=SOFT, linewidth=1)
    lower.plot([low, high], [0, 0], color=THIRD, linewidth=3)
    lower.plot([middle], [0], marker="D", markersize=7, color=THIRD)
    widest = max(abs(low), abs(high), 0.1) * 1.15
    lower.set_xlim(-widest, widest)
    lower.set_ylim(-1, 1)
    lower.set_yticks([0], ["INT8 less float"])
    lower.xaxis.set_major_locator(MaxNLocator(nbins=4, symmetric=True))
    lower.xaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value)))
    lower.set_xlabel("percentage points, with 95% interval")
    return Chart(
        "Float against INT8",
        f"Both read the same {report.noun}s, so the difference is told more exactly than either accuracy."
        + (" It is of texts without an error." if report.of_texts else ""),
        drawing.embed(
            figure,
            name="difference",
            title="Float against INT8",
            description=f"INT8 less float: {signed(middle, 2)} percentage points, 95% interval {signed(low, 2)} to"
            f" {signed(high, 2)}, on {pairs.samples:,} {report.noun}s.",
        ),
    )


def signed(figure: float, places: int | None = None) -> str:
    """A figure with its sign, as a minus sign where it is negative."""
    text = f"{abs(figure):g}" if places is None else f"{abs(figure):.{places}f}"
    if not text.strip("0."):
        return text
    return ("+" if figure > 0 else "\N{MINUS SIGN}") + text


def devices(found: Sequence[Group]) -> Chart:
    """Accuracy of each device, the worst on the left."""
    needed = sum(_DIGIT * len(str(group.number + 1)) + _GAP for group in found)
    named = len(found) <= _MOST_NAMED and needed <= _ROOM
    return _groups(found, name="devices", one="device", many="devices", named=named)


def writers(found: Sequence[Group]) -> Chart:
    """Accuracy of each writer, the worst on the left; who they are is not known here, so none is named."""
    return _groups(found, name="writers", one="writer", many="writers", named=False)


def _groups(found: Sequence[Group], *, name: str, one: str, many: str, named: bool) -> Chart:
    figure = drawing.figure(212)
    axes = drawing.axes(figure, left=46, top=10)
    values = np.array([group.accuracy for group in found])
    worst = len(worst_decile(found))
    size = 30 if len(found) <= _MOST_NAMED else max(4.0, 900 / len(found))
    rank = np.arange(len(found))
    middle = float(np.median(values))
    axes.axhline(middle, color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.scatter(rank[worst:], values[worst:], s=size, color=FIRST, linewidths=0, clip_on=False, zorder=3)
    axes.scatter(rank[:worst], values[:worst], s=size, color=BAD, marker="D", linewidths=0, clip_on=False, zorder=3)
    _share_axis(axes, float(values.min()))
    axes.set_xlim(-0.7, len(found) - 0.3)
    if named:
        axes.set_xticks(rank, [str(group.number + 1) for group in found])
        axes.tick_params(axis="x", labelsize=drawing.SMALL_TEXT)
        axes.set_xlabel(f"number of the {one}, worst first")
    else:
        axes.set_xticks([])
        axes.set_xlabel(f"{len(found):,} {many}, worst first")
    keys = [
        Key(Mark.DIAMOND, "bad", f"worst tenth ({worst})"),
        Key(Mark.DASHES, "soft", f"median {wording.percent(middle)}"),
    ]
    if worst < len(found):
        keys.insert(1, Key(Mark.DOT, "first", "the others"))
    return Chart(
        f"Accuracy of each {one}",
        f"Each {one} counts the same, however many held-out images it has.",
        drawing.embed(
            figure,
            name=name,
            title=f"Accuracy of each {one}",
            description=f"{len(found):,} {many}: from {wording.percent(float(values.min()))} to"
            f" {wording.percent(float(values.max()))}, median {wording.percent(middle)}.",
        ),
        tuple(keys),
    )


def _accuracies(axes: Axes, report: Report) -> None:
    """The accuracies beside one another, as far as they are known, from top to bottom."""
    rows = [
        (name, value, marker, colour)
        for name, figure, marker, colour in (
            ("float", report.accuracy_float, "o", FIRST),
            ("INT8", report.accuracy_int8, "D", THIRD),
            ("by calibration", report.accuracy_calibrated, "X", SOFT),
        )
        if (value := finite(figure)) is not None
    ]
    if not rows:
        axes.set_axis_off()
        return
    values = [value for _, value, *_ in rows]
    margin = max(max(values) - min(values), 0.002) * 0.25
    axes.set_xlim(min(values) - margin, max(values) + margin)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.hlines(range(len(rows)), *axes.get_xlim(), color=LINE, linewidth=1, zorder=1)
    for row, (_, value, marker, colour) in enumerate(rows):
        axes.plot([value], [row], marker=marker, markersize=7, color=colour)
        axes.annotate(
            wording.percent(value),
            (1, row),
            (8, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=INK,
        )


def _share_axis(axes: Axes, lowest: float) -> None:
    """An axis of accuracies up to 100%, from a round figure below the lowest."""
    step = next(step for step in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25) if (1 - lowest) <= 4.0001 * step)
    ticks = 1 - step * np.arange(max(math.ceil((1 - lowest) / step - 1e-6), 1) + 1)
    floor = float(ticks[-1])
    axes.set_ylim(floor - step * 0.1, 1 + step * 0.1)
    axes.set_yticks(ticks, [f"{tick * 100:.4g}%" for tick in ticks])
    axes.grid(axis="y")
