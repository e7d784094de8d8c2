"""The chart of confidences against what came true."""

from __future__ import annotations

import numpy as np

from handfed.server import wording
from handfed.shared.calibration import BINS, Reliability
from handfed.simulations.report import drawing
from handfed.simulations.report.charts import Chart, Key, Mark
from handfed.simulations.report.drawing import FIRST, SOFT, THIRD

_SIDE = 200.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 12.0, 8.0, 40.0


def reliability(found: Reliability) -> Chart:
    """How often readings of each confidence are right: on the diagonal, as often as they say."""
    figure = drawing.figure(_TOP + _SIDE + _BOTTOM)
    axes = drawing.axes(figure, left=_LEFT, right=_RIGHT, top=_TOP, bottom=_BOTTOM)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    held = found.counts > 0
    starts = np.arange(BINS) / BINS
    shares = found.accuracies[held]
    drawing.boxes(axes, starts[held], np.zeros(len(shares)), 1 / BINS, shares, colour=FIRST)
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.plot(found.mean_confidences[held], found.accuracies[held], "D", color=THIRD, markersize=4)
    axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
    axes.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
    axes.set_xlabel("confidence")
    axes.set_ylabel("right")
    error = wording.percent(found.expected_calibration_error())
    return Chart(
        "Confidence against what came true",
        f"Expected calibration error (Guo et al. 2017): {error}, over {BINS} bins.",
        drawing.embed(
            figure,
            name="reliability",
            title="Confidence against what came true",
            description=f"Expected calibration error {error} over {int(found.counts.sum()):,} readings.",
        ),
        (
            Key(Mark.BLOCK, "first", "right, of those so sure"),
            Key(Mark.DIAMOND, "third", "at their mean confidence"),
        ),
    )
