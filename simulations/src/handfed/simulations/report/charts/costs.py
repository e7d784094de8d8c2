"""Charts of what a run cost by round: traffic and time, as stacked bars."""

from __future__ import annotations

import numpy as np

from handfed.simulations.report import drawing
from handfed.simulations.report.charts import Chart, Key, Mark
from handfed.simulations.report.charts.stacks import stacked
from handfed.simulations.report.contents import Report
from handfed.simulations.report.drawing import FIRST, SECOND
from handfed.simulations.report.findings import finite


def traffic(report: Report) -> Chart:
    """Bytes to and from devices, by round."""
    down = np.array([each.bytes_down for each in report.rounds], np.float64) / 1e6
    up = np.array([each.bytes_up for each in report.rounds], np.float64) / 1e6
    figure = stacked(report.rounds, [(down, FIRST), (up, SECOND)], unit="MB")
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
            stacked(report.rounds, [(training, FIRST), (seconds - training, SECOND)], unit="s"),
            name="time",
            title="Time by round",
            description=f"{seconds.sum():,.1f} s in all rounds, of which {training.sum():,.1f} s training.",
        ),
        (Key(Mark.BLOCK, "first", "training"), Key(Mark.BLOCK, "second", "the rest")),
    )
