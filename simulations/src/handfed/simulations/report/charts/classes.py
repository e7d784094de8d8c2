"""Charts over classes: which are taken for which, and which devices hold which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from handfed.simulations.report import drawing
from handfed.simulations.report.charts import Chart, Key, Mark
from handfed.simulations.report.drawing import BAD, FIRST, INK, SECOND, SOFT
from handfed.simulations.report.findings import label_shares

MOST_IN_MATRIX = 64  # classes: with more, those with most errors are shown
_SHOWN_OF_MORE = 48
_MOST_NARROW = 20  # classes: with more, the matrix takes the page's width
_MOST_COUNTED = 12  # classes: with more, cells have no figures
_MOST_COLUMNS = 64  # classes of the label distribution
_MOST_ROWS = 60  # devices of the label distribution
_MOST_NAMED_ROWS = 25
_LONGEST_NAME = 10  # characters


def confusion(matrix: NDArray[np.int64], names: Sequence[str]) -> Chart:
    """What was written, by row, and what was read, by column.

    Args:
        matrix: int64 (classes, classes), as `handfed.shared.metrics.confusion_matrix` has it.
        names: Of the classes.
    """
    shown = _most_confused(matrix)
    part, texts = matrix[np.ix_(shown, shown)], [_short(names[position]) for position in shown]
    count = len(shown)
    wide = count > _MOST_NARROW
    width = drawing.WIDE if wide else drawing.WIDTH
    margin = 28 + 6.2 * max(len(text) for text in texts)
    side = width - margin - 8
    figure = drawing.figure(margin + side + 8, width=width)
    axes = drawing.axes(figure, left=margin, right=8, top=margin, bottom=8)
    _square(axes, count, count)
    share = label_shares(part) ** 0.5  # so that one error in a hundred is seen
    right = np.eye(count, dtype=bool)
    drawing.cells(axes, np.where(right, share, 0), colour=FIRST, faintest=0.08, strongest=0.42)
    drawing.cells(axes, np.where(right, 0, share), colour=BAD, faintest=0.25, strongest=0.95)
    _name_classes(axes, texts, columns=True, rows=True, room=side / count)
    axes.set_ylabel("written")
    axes.yaxis.set_label_coords(-(margin - 14) / side, 0.5)  # where no name of a class reaches
    axes.set_xlabel("read as")
    axes.xaxis.set_label_coords(0.5, 1 + (margin - 14) / side)
    if count <= _MOST_COUNTED:
        for row, column in zip(*np.nonzero(part), strict=True):
            axes.text(column + 0.5, row + 0.5, f"{part[row, column]}", ha="center", va="center", fontsize=9.5)
    errors, samples = int(matrix.sum() - np.trace(matrix)), int(matrix.sum())
    left_out = f" The {count} of {len(matrix)} classes with most errors are shown." if count < len(matrix) else ""
    return Chart(
        "What was read for what",
        f"Rows are what was written, columns what INT8 read; errors are off the diagonal.{left_out}",
        drawing.embed(
            figure,
            name="confusion",
            title="Confusion matrix",
            description=f"{samples - errors:,} of {samples:,} held-out images were read right; the most frequent"
            " errors are in the table that follows.",
            texts=texts,
        ),
        (
            Key(Mark.FAINT, "first", "right"),
            Key(Mark.BLOCK, "bad", "wrong: the stronger, the larger its share of the row"),
        ),
        wide=wide,
    )


def labels(label_counts: NDArray[np.int64], names: Sequence[str]) -> Chart:
    """Which classes the training samples of each device are of.

    Args:
        label_counts: int64 (devices, classes).
        names: Of the classes.
    """
    rows, columns = _rows_shown(label_counts), _columns_shown(label_counts)
    share = label_shares(label_counts)[np.ix_(rows, columns)]
    texts = [_short(names[column]) for column in columns]
    row_height = min(16.0, max(4.5, 270 / len(rows)))
    top = 12 + 6.2 * max(len(text) for text in texts) if _turned(texts) else 20.0
    figure = drawing.figure(top + row_height * len(rows) + 22)
    left, right = 36.0, 70.0
    axes = drawing.axes(figure, left=left, right=right, top=top, bottom=22)
    _square(axes, len(columns), len(rows))
    drawing.cells(axes, share / max(float(share.max()), 1e-9), colour=FIRST)
    _name_classes(axes, texts, columns=True, rows=False, room=(drawing.WIDTH - left - right) / len(columns))
    axes.set_ylabel("device", labelpad=4)
    named = len(rows) <= _MOST_NAMED_ROWS
    if named:
        axes.set_yticks(np.arange(len(rows)) + 0.5, [str(row + 1) for row in rows])
        axes.tick_params(axis="y", labelsize=min(drawing.TEXT, row_height - 1))
    _sample_bars(figure, axes, label_counts[rows].sum(axis=1), top=top)
    picked = len(rows) < len(label_counts)
    caption = "Each row is a device; the stronger a colour, the larger the share of its class."
    caption += " On the right, its training samples."
    if picked:
        caption += (
            f" {len(rows)} of {len(label_counts):,} devices, evenly picked in the order of their most frequent class."
        )
    if len(columns) < len(names):
        caption += f" The {len(columns)} most frequent of {len(names)} classes."
    return Chart(
        "Classes on each device",
        caption,
        drawing.embed(
            figure,
            name="labels",
            title="Classes on each device",
            description=f"The largest share that one class has on a device shown is {share.max():.0%}.",
            texts=texts,
        ),
        (Key(Mark.BLOCK, "first", "share of the device's samples"), Key(Mark.BLOCK, "second", "samples")),
    )


def _most_confused(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """The classes to show, in their order: all, or of very many those that are misread most."""
    if len(matrix) <= MOST_IN_MATRIX:
        return np.arange(len(matrix))
    errors = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diagonal(matrix)
    return np.sort(np.argsort(-errors, kind="stable")[:_SHOWN_OF_MORE])


def _rows_shown(label_counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """All devices in their order, or of very many an even pick, sorted by their most frequent class."""
    if len(label_counts) <= _MOST_ROWS:
        return np.arange(len(label_counts))
    order = np.lexsort((-label_shares(label_counts).max(axis=1), label_counts.argmax(axis=1)))
    return order[np.linspace(0, len(order) - 1, _MOST_ROWS).round().astype(np.int64)]


def _columns_shown(label_counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """All classes, or of very many the most frequent, in their order."""
    return np.sort(np.argsort(-label_counts.sum(axis=0), kind="stable")[:_MOST_COLUMNS])


def _short(name: str) -> str:
    """A class's name, or of a long one its two ends: names of classes often differ in the last letters only."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:4]}…{name[-5:]}"


def _turned(texts: Sequence[str]) -> bool:
    """Whether column names need turning: they are words rather than characters."""
    return max(len(text) for text in texts) > 2  # noqa: PLR2004 - a letter and its accent


def _square(axes: Axes, columns: int, rows: int) -> None:
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.set_ticks_position("top")
    axes.xaxis.set_label_position("top")
    axes.set_xticks([])
    axes.set_yticks([])


def _name_classes(axes: Axes, texts: Sequence[str], *, columns: bool, rows: bool, room: float) -> None:
    """Names classes on the axes, by tokens; where there is no room for all, every second, third, … of them.

    Args:
        axes: The axes.
        texts: The names.
        columns: Whether columns are classes.
        rows: Whether rows are.
        room: Units from one class to the next.
    """
    every = int(np.ceil(7 / room))
    positions = np.arange(0, len(texts), every)
    size = min(drawing.TEXT, max(7.0, room * every * 0.95))
    tokens = [drawing.token(int(position)) for position in positions]
    if columns:
        axes.set_xticks(positions + 0.5, tokens, color=INK, fontsize=size)
        if _turned(texts):
            for text in axes.get_xticklabels():
                text.set(rotation=90, rotation_mode="anchor", ha="left", va="center")
    if rows:
        axes.set_yticks(positions + 0.5, tokens, color=INK, fontsize=size)


def _sample_bars(figure: Figure, beside: Axes, samples: NDArray[np.int64], *, top: float) -> None:
    """How many samples each row has, on the right of the table."""
    axes = drawing.axes(figure, left=drawing.WIDTH - 62, right=8, top=top, bottom=22)
    axes.set_ylim(beside.get_ylim())
    most = max(int(samples.max()), 1)
    axes.set_xlim(0, most)
    row = np.arange(len(samples), dtype=np.float64)
    drawing.boxes(axes, np.zeros(len(row)), row + 0.12, samples.astype(np.float64), 0.76, colour=SECOND)
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([0, most], ["0", f"{most:,}"], color=SOFT)
    axes.get_xticklabels()[0].set_horizontalalignment("left")
    axes.get_xticklabels()[1].set_horizontalalignment("right")
