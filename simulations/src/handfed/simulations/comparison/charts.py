"""The pictures of a comparison; each holds its own legend, so that it also stands alone.

Up to twelve runs are told apart by colour and dashes; of more, the twelve that ended best, and the others are faint.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Final

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from handfed.server import wording
from handfed.shared import targets
from handfed.simulations.comparison.contents import Compared
from handfed.simulations.report import drawing
from handfed.simulations.report.charts.rounds import round_axis, stretched
from handfed.simulations.report.drawing import FIRST, INK, SECOND, SOFT, THIRD
from handfed.simulations.report.findings import wilson

_HEIGHT: Final = 236  # units, without the legend
_ROW: Final = 17  # units, of the legend and of the closing figures
_DASHES: Final[tuple[Any, ...]] = ("solid", (0, (4, 2)), (0, (1, 1.5)))
_LINES: Final[tuple[tuple[Any, str], ...]] = tuple(product(_DASHES, (FIRST, SECOND, THIRD, INK)))
_FAINT: Final = 0.35  # opacity
_TICKS: Final = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
_LEAST_GAP: Final = 0.07  # of the axis: closer labels would touch
_MOST_CHARACTERS: Final = 52  # of a legend's line


def accuracy(runs: Sequence[Compared]) -> Markup:
    """Accuracy by round of each run that was evaluated."""
    shown = [run for run in runs if run.curve]
    styled = sorted(shown, key=lambda run: run.accuracy or 0.0, reverse=True)[: len(_LINES)]
    told_apart = [run for run in shown if run in styled]
    others = len(shown) - len(told_apart)
    rows = len(told_apart) + bool(others)
    figure = drawing.figure(_HEIGHT + rows * _ROW)
    axes = drawing.axes(figure, left=46, top=10, bottom=44 + rows * _ROW)
    for run in shown:
        if run not in told_apart:
            axes.plot(*_points(run), color=SOFT, linewidth=1, alpha=_FAINT)
    for run, (dashes, colour) in zip(told_apart, _LINES, strict=False):
        marker = "o" if len(run.curve) == 1 else ""
        axes.plot(*_points(run), color=colour, linestyle=dashes, linewidth=1.8, marker=marker, markersize=4)
    _accuracy_axis(axes, [value for run in shown for _, value in run.curve])
    last = max((number for run in shown for number, _ in run.curve), default=1)
    round_axis(axes, last, last)
    texts = [_cut(run.name) for run in told_apart]
    lines = list(_LINES[: len(told_apart)])
    if others:
        texts.append(f"{others} others")
        lines.append(("solid", SOFT))
    legend(figure, lines)
    return drawing.embed(
        figure,
        name="accuracy",
        title="Accuracy by round",
        description=" ".join(
            f"{run.name}: {wording.percent(run.curve[-1][1])} in round {run.curve[-1][0]}." for run in shown
        ),
        texts=texts,
    )


def closing(runs: Sequence[Compared]) -> Markup | None:
    """Accuracy of what each run published, with its 95 % interval, the best on top; None where none published."""
    published = [run for run in runs if run.figure("accuracy_int8") is not None and run.figure("samples")]
    if not published:
        return None
    published.sort(key=lambda run: run.figure("accuracy_int8") or 0.0)
    figure = drawing.figure(52 + len(published) * 2 * _ROW)
    axes = drawing.axes(figure, left=12, right=12, top=8, bottom=36)
    for row, run in enumerate(published):
        samples = int(run.figure("samples") or 0)
        share = run.figure("accuracy_int8") or 0.0
        low, high = wilson(round(share * samples), samples)
        axes.plot([low * 100, high * 100], [row, row], color=FIRST, linewidth=3, alpha=0.5)
        axes.plot([share * 100], [row], marker="D", markersize=6, color=FIRST)
        axes.annotate(
            drawing.token(row),
            (0, row),
            (0, 7),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=drawing.SMALL_TEXT,
        )
    axes.set_ylim(-0.6, len(published) - 0.2)
    axes.set_yticks([])
    axes.grid(axis="x")
    axes.axvline(targets.ACCURACY * 100, color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    axes.set_xlabel("accuracy of INT8 in percent, with 95% interval")
    return drawing.embed(
        figure,
        name="closing",
        title="Accuracy of what was published",
        description=" ".join(
            f"{run.name}: {wording.percent(run.figure('accuracy_int8'))}." for run in reversed(published)
        ),
        texts=[f"{wording.percent(run.figure('accuracy_int8'))}  {_cut(run.name)}" for run in published],
    )


def _points(run: Compared) -> tuple[list[int], list[float]]:
    return [number for number, _ in run.curve], [stretched(value) for _, value in run.curve]


def _accuracy_axis(axes: Axes, values: Sequence[float]) -> None:
    low = min([*values, 0.98])
    top = stretched(1.0)
    first = max(tick for tick in _TICKS if tick <= low)
    kept: list[float] = []
    for tick in reversed(_TICKS):  # from the top, where they matter most
        room = not kept or stretched(kept[-1]) - stretched(tick) > (top - stretched(first)) * _LEAST_GAP
        if tick >= first and room:
            kept.append(tick)
    axes.set_ylim(stretched(first) - 0.04, top + 0.04)
    axes.set_yticks([stretched(tick) for tick in kept], [f"{tick * 100:g}%" for tick in kept])
    axes.grid(axis="y")
    axes.axhline(stretched(targets.ACCURACY), color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)


def legend(figure: Figure, lines: Sequence[tuple[Any, str]]) -> None:
    """A line for each text of the picture, below the axes."""
    width, height = (side * 72 for side in figure.get_size_inches())
    for row, (dashes, colour) in enumerate(lines):
        middle = ((len(lines) - row - 0.5) * _ROW) / height
        figure.add_artist(
            Line2D([12 / width, 40 / width], [middle, middle], color=colour, linestyle=dashes, linewidth=1.8)
        )
        figure.text(48 / width, middle, drawing.token(row), va="center", color=INK, fontsize=drawing.SMALL_TEXT)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
