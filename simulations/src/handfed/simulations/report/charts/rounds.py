"""Charts of what a run learnt by round: accuracy and loss, float and quantization-aware rounds told apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from handfed.server import wording
from handfed.server.runs.schemas import Phase, RoundResult
from handfed.simulations.report import drawing
from handfed.simulations.report.charts import Chart, Key, Mark, Role
from handfed.simulations.report.contents import Report
from handfed.simulations.report.drawing import FIRST, INK, SECOND, SOFT, THIRD
from handfed.simulations.report.findings import finite, held_out_loss

HEIGHT = 236
_MOST_MARKERS = 80  # rounds: with more the markers would touch
_TICKS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
_NEAR_PERFECT = 0.002  # error that is told from none by 0.3 decades
_LEAST_TICK_GAP = 0.07  # of the axis: closer labels would touch
_LOG_FROM = 10.0  # largest loss over smallest, from which the axis is logarithmic
_PHASES: tuple[Phase, ...] = ("float", "qat")

_Points = list[tuple[int, float]]


def accuracy(report: Report) -> Chart:
    """Accuracy on held-out images, by round and phase, and of the final float model and INT8 file."""
    figure = drawing.figure(HEIGHT)
    axes = drawing.axes(figure, left=46, top=22)
    phases = _by_phase(report.rounds, lambda each: each.accuracy)
    heights = {phase: [(number, stretched(value)) for number, value in points] for phase, points in phases.items()}
    _draw_phases(axes, heights, len(report.rounds))
    last = max(each.number for each in report.rounds)
    last_float = max((each.number for each in report.rounds if each.phase == "float"), default=last)
    finals = _finals(report)
    end = _draw_finals(axes, finals, last, last_float)
    known = [value for points in phases.values() for _, value in points]
    _accuracy_axis(axes, known + [final.value for final in finals], report.aim)
    round_axis(axes, last, end)
    keys = [*_phase_keys(phases), *(final.key for final in finals)]
    named = [final.key.text for final in finals]
    return Chart(
        "Accuracy by round",
        f"On the devices' held-out {report.noun}s; the target is dashed. The scale widens towards 100%, where"
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
    held_out = [(each.number, value) for each in report.rounds if (value := finite(held_out_loss(each))) is not None]
    if held_out:
        marker = "." if len(held_out) == 1 else ""
        axes.plot(*zip(*held_out, strict=True), color=SOFT, linewidth=1.5, linestyle=(0, (1, 1.6)), marker=marker)
    _draw_phases(axes, phases, len(report.rounds))
    _loss_axis(axes, [value for points in (*phases.values(), held_out) for _, value in points])
    last = max(each.number for each in report.rounds)
    round_axis(axes, last, last)
    keys = _phase_keys(phases, before="training, ")
    if held_out:
        keys.append(Key(Mark.DOTS, "soft", f"held-out {report.noun}s"))
    losses = (
        "; of held-out texts the CTC loss. Devices train on augmented texts, so the two curves are not on one scale."
        if report.of_texts
        else "; of held-out images the cross-entropy. Devices train by a focal loss on augmented images, so the two"
        " curves are not on one scale."
    )
    return Chart(
        "Loss by round",
        "Mean over the samples that devices trained on" + (losses if held_out else "."),
        drawing.embed(
            figure,
            name="loss",
            title="Loss by round",
            description=" ".join(_courses("Training loss", phases, lambda value: wording.decimals(value, 4))),
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


def _by_phase(rounds: Sequence[RoundResult], figure: Callable[[RoundResult], float | None]) -> dict[Phase, _Points]:
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
    for phase, colour, marker in zip(_PHASES, (FIRST, SECOND), "os", strict=True):
        points = phases[phase]
        if points:
            shown = marker if marked or len(points) == 1 else ""
            axes.plot(*zip(*points, strict=True), color=colour, marker=shown, markersize=3.5)


def _phase_keys(phases: Mapping[Phase, _Points], before: str = "") -> list[Key]:
    keys = {
        "float": Key(Mark.LINE, "first", f"{before}float rounds"),
        "qat": Key(Mark.SQUARES, "second", f"{before}quantization-aware rounds"),
    }
    return [keys[phase] for phase in _PHASES if phases[phase]]


@dataclass(frozen=True)
class _Final:
    """An accuracy that the run ended with.

    Attributes:
        key: Its entry in the legend.
        value: The accuracy.
        steps: How many steps right of the last round it is drawn; 0 for at the last float round.
        marker: Matplotlib's name of its marker.
        colour: Of the marker.
    """

    key: Key
    value: float
    steps: int
    marker: str
    colour: str


def _finals(report: Report) -> list[_Final]:
    """What is known of the end: the model of the last float round, and what it became through conversion."""
    found: tuple[tuple[float | None, str, Mark, Role, int, str, str], ...] = (
        (report.accuracy_float, "final float model", Mark.RING, "ink", 0, "o", INK),
        (report.accuracy_int8, "final INT8", Mark.DIAMOND, "third", 1, "D", THIRD),
        (report.accuracy_calibrated, "INT8 by calibration alone", Mark.CROSS, "soft", 2, "x", SOFT),
    )
    return [
        _Final(Key(mark, role, f"{text} {wording.percent(value)}"), value, steps, marker, colour)
        for figure, text, mark, role, steps, marker, colour in found
        if (value := finite(figure)) is not None
    ]


def _draw_finals(axes: Axes, finals: Sequence[_Final], last: int, last_float: int) -> float:
    """Draws the accuracies in the end, and where INT8 was converted; returns how far right that goes."""
    step = max(last * 0.05, 0.4)
    for final in finals:
        axes.plot(
            [last + final.steps * step if final.steps else last_float],
            [stretched(final.value)],
            linestyle="",
            marker=final.marker,
            markersize=9 if final.steps == 0 else 6,
            markerfacecolor="none" if final.steps == 0 else final.colour,
            markeredgecolor=final.colour,
            markeredgewidth=1.6,
            clip_on=False,
            zorder=3,
        )
    steps = max((final.steps for final in finals), default=0)
    if steps:
        axes.axvline(last + step / 2, color=SOFT, linewidth=1, linestyle=(0, (2, 2)))
        axes.annotate(
            "converted to INT8",
            (last + step / 2, 1),
            (4, 6),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right",
            color=SOFT,
            fontsize=drawing.SMALL_TEXT,
        )
    return last + steps * step


def stretched(accuracy: float) -> float:
    """Where an accuracy is on an axis that widens towards 1: like a logarithm of the error, yet finite at no error."""
    return -math.log10(min(max(1 - accuracy, 0.0), 1.0) + _NEAR_PERFECT)


def _accuracy_axis(axes: Axes, values: Sequence[float], aim: float) -> None:
    low = min([*values, aim - 0.01])
    first = max((tick for tick in _TICKS if tick <= low), default=0.0)
    axes.set_ylim(stretched(min(first, low)) - 0.04, stretched(1.0) + 0.04)
    ticks = [tick for tick in _TICKS if tick >= first]
    span = stretched(1.0) - stretched(first)
    kept: list[float] = []
    for tick in reversed(ticks):  # from the top, where they matter most
        if not kept or stretched(kept[-1]) - stretched(tick) > span * _LEAST_TICK_GAP:
            kept.append(tick)
    axes.set_yticks([stretched(tick) for tick in kept], [f"{tick * 100:g}%" for tick in kept])
    axes.grid(axis="y")
    axes.axhline(stretched(aim), color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)


def _loss_axis(axes: Axes, values: Sequence[float]) -> None:
    if values and min(values) > 0 and max(values) / min(values) > _LOG_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
    elif values:
        axes.set_ylim(min([0.0, *values]), max([*values, 1e-6]) * 1.05)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(axis="y")


def _courses(what: str, phases: Mapping[Phase, _Points], wording_of: Callable[[float], str]) -> list[str]:
    """How a figure went, phase by phase, in words."""
    named = {"float": "float", "qat": "quantization-aware"}
    return [
        f"{what} goes from {wording_of(points[0][1])} in round {points[0][0]} to {wording_of(points[-1][1])} in round"
        f" {points[-1][0]} over the {named[phase]} rounds."
        for phase, points in phases.items()
        if points
    ]
