"""The chart of which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handfed.simulations.report import drawing
from handfed.simulations.report.charts import Chart, Key, Mark
from handfed.simulations.report.charts.grid import NOTHING, name_classes, short, table_axes
from handfed.simulations.report.drawing import BAD, FIRST
from handfed.simulations.report.findings import label_shares

MOST_IN_MATRIX = 64  # classes: with more, those with most errors are shown
_SHOWN_OF_MORE = 48
_MOST_NARROW = 20  # classes: with more, the matrix takes the page's width
_MOST_COUNTED = 12  # classes: with more, cells have no figures


def confusion(matrix: NDArray[np.int64], names: Sequence[str]) -> Chart:
    """What was written, by row, and what was read, by column.

    Args:
        matrix: int64 (classes, classes), as `handfed.shared.transcripts` has it; of texts with the row and column of
            nothing.
        names: Of the classes.
    """
    shown, named = _most_confused(matrix), (*names, NOTHING)
    part, texts = matrix[np.ix_(shown, shown)], [short(named[position]) for position in shown]
    count = len(shown)
    wide = count > _MOST_NARROW
    width = drawing.WIDE if wide else drawing.WIDTH
    margin = 28 + 6.2 * max(len(text) for text in texts)
    side = width - margin - 8
    figure = drawing.figure(margin + side + 8, width=width)
    axes = drawing.axes(figure, left=margin, right=8, top=margin, bottom=8)
    table_axes(axes, count, count)
    share = label_shares(part) ** 0.5  # so that one error in a hundred is seen
    right = np.eye(count, dtype=bool)
    drawing.cells(axes, np.where(right, share, 0), colour=FIRST, faintest=0.08, strongest=0.42)
    drawing.cells(axes, np.where(right, 0, share), colour=BAD, faintest=0.25, strongest=0.95)
    name_classes(axes, texts, columns=True, rows=True, room=side / count)
    axes.set_ylabel("written")
    axes.yaxis.set_label_coords(-(margin - 14) / side, 0.5)  # where no name of a class reaches
    axes.set_xlabel("read as")
    axes.xaxis.set_label_coords(0.5, 1 + (margin - 14) / side)
    if count <= _MOST_COUNTED:
        size = min(9.5, side / count / (0.64 * len(str(part.max()))))  # so that the longest figure fits
        for row, column in zip(*np.nonzero(part), strict=True):
            axes.text(column + 0.5, row + 0.5, f"{part[row, column]}", ha="center", va="center", fontsize=size)
    errors, samples = int(matrix.sum() - np.trace(matrix)), int(matrix.sum())
    left_out = f" The {count} of {len(matrix)} classes with most errors are shown." if count < len(matrix) else ""
    return Chart(
        "What was read for what",
        f"Rows are what was written, columns what INT8 read; errors are off the diagonal.{left_out}",
        drawing.embed(
            figure,
            name="confusion",
            title="Confusion matrix",
            description=f"{samples - errors:,} of {samples:,} times it was read right; the most frequent errors are in"
            " the table that follows.",
            texts=texts,
        ),
        (
            Key(Mark.FAINT, "first", "right"),
            Key(Mark.BLOCK, "bad", "wrong: the stronger, the larger its share of the row"),
        ),
        wide=wide,
    )


def _most_confused(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """The classes to show, in their order: all, or of very many those that are misread most."""
    if len(matrix) <= MOST_IN_MATRIX:
        return np.arange(len(matrix))
    errors = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diagonal(matrix)
    return np.sort(np.argsort(-errors, kind="stable")[:_SHOWN_OF_MORE])
