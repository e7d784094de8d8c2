"""Charts of what a run learnt by round: accuracy and loss, float and quantization-aware rounds told apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from handfed.server import wording
from handfed.server.runs.schemas import Phase, RoundResult
from handfed.simulations.report import drawing
from handfed.simulations.report.charts import Chart, Key
from handfed.simulations.report.contents import ACCURACY_TARGET, Report
from handfed.simulations.report.drawing import FIRST, INK, SECOND, SOFT, THIRD
from handfed.simulations.report.findings import finite, held_out_loss

HEIGHT = 236
_MOST_MARKERS = 80  # rounds: with more the markers would touch
_TICKS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
_LOG_FROM = 10.0  # largest loss over smallest, from which the axis is logarithmic
_PHASES: tuple[Phase, ...] = ("float", "qat")

_Points = list[tuple[int, float]]


def accuracy(report: Report) -> Chart:
    """Accuracy on held-out images, by round and phase, and of the final float model and INT8 file."""
    figure = drawing.figure(HEIGHT)
    axes = drawing.axes(figure, left=46, top=22)
    phases = _by_phase(report.rounds, lambda each: each.accuracy)
    _draw_phases(axes, phases, len(report.rounds))
    last = max((each.number for each in report.rounds), default=0)
    finals = _finals(report)
    end = _draw_finals(axes, finals, last)
    known = [value for points in phases.values() for _, value in points]
    _accuracy_axis(axes, known + [value for *_, value in finals])
    round_axis(axes, last, end)
    keys = _phase_keys(phases)
    keys += [Key(key.mark, key.role, f"{key.text} {wording.percent(value)}") for key, value in finals]
    named = [f"{key.text} {wording.percent(value)}" for key, value in finals]
    return Chart(
        "Accuracy by round",
        "On the devices' held-out images; the target is dashed. The scale widens towards 100%, where"
        " differences count.",
        drawing.embed(
            figure,
            name="accuracy",
            title="Accuracy by round",
            description=" ".join(
                [
                    *_courses("Accuracy", phases, wording.percent),
                    f"In the end: {', '.join(named)}." if named else "",
                ]
            ),
        ),
        tuple(keys),
    )


def loss(report: Report) -> Chart:
    """Mean training loss by round and phase, and the loss on held-out images where it is known."""
    figure = drawing.figure(HEIGHT)
    axes = drawing.axes(figure, left=46, top=22)
    phases = _by_phase(report.rounds, lambda each: each.loss)
    held_out = [
        (each.number, value) for each in report.rounds if (value := finite(held_out_loss(each))) is not None
    ]
    if held_out:
        axes.plot(*zip(*held_out, strict=True), color=SOFT, linewidth=1.5, linestyle=(0, (1, 1.6)))
    _draw_phases(axes, phases, len(report.rounds))
    _loss_axis(axes, [value for points in (*phases.values(), held_out) for _, value in points])
    last = max((each.number for each in report.rounds), default=0)
    round_axis(axes, last, last)
    keys = _phase_keys(phases, before="training, ")
    if held_out:
        keys.append(Key("dots", "soft", "held-out images"))
    return Chart(
        "Loss by round",
        "Mean over the samples that devices trained on"
        + (", and over held-out images. Augmentation can make training the harder." if held_out else "."),
        drawing.embed(
            figure,
            name="loss",
            title="Loss by round",
            description=" ".join(
                _courses("Training loss", phases, lambda value: wording.decimals(value, 4))
            ),
        ),
        tuple(keys),
    )


def round_axis(axes: Axes, last: int, end: float) -> None:
    """Makes the horizontal axis one of rounds, from 1 to `last`, with room up to `end`."""
    margin = max(end, 1) * 0.025
    axes.set_xlim(min(1 - margin, 0.6), max(end + margin, 1.4))
    ticks = MaxNLocator(nbins=6, integer=True).tick_values(1, max(last, 1))
    axes.xaxis.set_major_locator(FixedLocator(sorted({1, *(int(tick) for tick in ticks if 1 < tick <= last)})))
    axes.set_xlabel("round")


def _by_phase(
    rounds: Sequence[RoundResult], figure: Callable[[RoundResult], float | None]
) -> dict[Phase, _Points]:
    """The rounds in which a figure is known, by phase."""
    return {
        phase: [
            (each.number, value)
            for each in rounds
            if each.phase == phase and (value := finite(figure(each))) is not None
        ]
        for phase in _PHASES
    }


def _draw_phases(axes: Axes, phases: Mapping[Phase, _Points], rounds: int) -> None:
    marked = rounds <= _MOST_MARKERS
    for phase, colour, marker in (("float", FIRST, "o"), ("qat", SECOND, "s")):
        points = phases[phase]
        if points:
            shown = marker if marked or len(points) == 1 else ""
            axes.plot(*zip(*points, strict=True), color=colour, marker=shown, markersize=3.5)


def _phase_keys(phases: Mapping[Phase, _Points], before: str = "") -> list[Key]:
    keys = {
        "float": Key("line", "first", f"{before}float rounds"),
        "qat": Key("squares", "second", f"{before}quantization-aware rounds"),
    }
    return [keys[phase] for phase in _PHASES if phases[phase]]


def _finals(report: Report) -> list[tuple[Key, float]]:
    """The accuracies in the end, as far as they are known, each with what stands for it."""
    found = (
        (Key("ring", "ink", "final float model"), report.accuracy_float),
        (Key("diamond", "third", "final INT8"), report.accuracy_int8),
        (Key("cross", "soft", "INT8 by calibration alone"), report.accuracy_calibrated),
    )
    return [(key, value) for key, figure in found if (value := finite(figure)) is not None]


def _draw_finals(axes: Axes, finals: Sequence[tuple[Key, float]], last: int) -> float:
    """Draws the final accuracies right of the rounds, and where INT8 was converted; returns how far right."""
    step = max(last * 0.045, 0.5)
    at = last + step
    for key, value in finals:
        height, places = _stretched(value), {"ring": at, "diamond": at + step, "cross": at + 2 * step}
        look = {
            "ring": {"marker": "o", "markersize": 6.5, "markerfacecolor": "none", "color": INK},
            "diamond": {"marker": "D", "markersize": 6, "color": THIRD},
            "cross": {"marker": "x", "markersize": 6, "color": SOFT, "markeredgewidth": 1.8},
        }[key.mark]
        axes.plot([places[key.mark]], [height], linestyle="", **look)
    return at
