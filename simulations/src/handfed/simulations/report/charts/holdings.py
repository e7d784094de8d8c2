"""Charts of who holds what: the classes on each device, and how much there is on each.

Of few devices each is a row with its number, to be looked up. Of many, each is a column, in the order of the class that
it holds most of, so that what they have in common is seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from handfed.simulations.report import drawing
from handfed.simulations.report.charts import Chart, Key, Mark
from handfed.simulations.report.charts.grid import name_classes, short, table_axes, turned
from handfed.simulations.report.drawing import FIRST, SECOND, SOFT, THIRD
from handfed.simulations.report.findings import half_of_all, label_shares

MOST_NUMBERED = 25  # devices: with more, they are columns in the order of their classes
_MOST_DEVICES = 640  # a unit each
_MOST_CLASSES = 64
_MOST_CELLS = 12_000  # about half a megabyte
_ROW_HEIGHT = 16.0
_LEVELS = 10  # shades, as of `drawing.cells`
_FAINTEST = 0.12  # opacity of the faintest, likewise
_GAP = 0.04  # between rows
_BARS_HEIGHT = 64
_MOST_APART = 60  # devices whose bars have gaps between them
_BAR = 0.78  # width of a bar that has


def labels(label_counts: NDArray[np.int64], names: Sequence[str]) -> Chart:
    """Which classes the training samples of each device are of.

    Args:
        label_counts: int64 (devices, classes), at least one of each.
        names: Of the classes.
    """
    columns = _classes_shown(label_counts)
    few = len(label_counts) <= MOST_NUMBERED
    rows = np.arange(len(label_counts)) if few else _devices_shown(label_counts, len(columns))
    texts = [short(names[column]) for column in columns]
    share = label_shares(label_counts)
    shown = share[np.ix_(rows, columns)]
    samples = label_counts[rows].sum(axis=1)
    figure = _as_rows(shown, samples, texts) if few else _as_columns(shown, samples, texts)
    return Chart(
        "Classes on each device",
        _how_to_read(label_counts, rows=len(rows), classes_left_out=len(columns) < len(names)),
        drawing.embed(
            figure,
            name="labels",
            title="Classes on each device",
            description=_in_words(label_counts, float(share.max())),
            texts=texts,
        ),
        (
            Key(Mark.BLOCK, "first", "all that a device trains on is of this class"),
            Key(Mark.FAINT, "first", "a tenth of it is"),
            Key(Mark.BLOCK, "second", "training samples"),
        ),
        wide=not few,
    )


def sizes(label_counts: NDArray[np.int64], held_out: NDArray[np.int64]) -> Chart:
    """How many samples each device has, who trains on most on the left.

    Args:
        label_counts: int64 (devices, classes), training samples.
        held_out: int64 (devices,), held-out images.
    """
    training = label_counts.sum(axis=1)
    order = np.lexsort((-held_out, -training))
    figure = drawing.figure(212)
    axes = drawing.axes(figure, left=46, top=18)
    _stack(axes, training[order].astype(np.float64), held_out[order].astype(np.float64))
    middle = float(np.median(training))
    axes.axhline(middle, color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)))
    if len(order) <= MOST_NUMBERED:
        axes.set_xticks(np.arange(len(order)) + 0.5, [str(device + 1) for device in order])
        axes.tick_params(axis="x", labelsize=drawing.SMALL_TEXT)
        axes.set_xlabel("number of the device, most to train on first")
    else:
        axes.set_xticks([])
        axes.set_xlabel(f"{len(order):,} devices, most to train on first")
    return Chart(
        "Samples on each device",
        _where_half_is(training),
        drawing.embed(
            figure,
            name="sizes",
            title="Samples on each device",
            description=f"A device trains on {training.min():,} to {training.max():,} samples, median {middle:,.0f},"
            f" and evaluates on {held_out.min():,} to {held_out.max():,}.",
        ),
        (
            Key(Mark.BLOCK, "second", "trained on"),
            Key(Mark.BLOCK, "third", "held out"),
            Key(Mark.DASHES, "soft", f"median {middle:,.0f} trained on"),
        ),
    )


def _how_to_read(label_counts: NDArray[np.int64], *, rows: int, classes_left_out: bool) -> str:
    if len(label_counts) <= MOST_NUMBERED:
        text = "Each row is a device; on the right, its training samples."
    else:
        text = "Each column is a device, beside those that hold most of the same class; below, its training samples."
        holding = np.count_nonzero(label_counts.sum(axis=1))
        empty = len(label_counts) - holding
        if rows < holding:
            text += f" {rows:,} of {holding:,} devices, evenly picked."
        if empty:
            text += f" {empty:,} {'device trains' if empty == 1 else 'devices train'} on nothing and"
            text += f" {'is' if empty == 1 else 'are'} left out."
    if classes_left_out:
        text += f" The {_MOST_CLASSES} most frequent of {label_counts.shape[1]} classes."
    return text


def _in_words(label_counts: NDArray[np.int64], largest: float) -> str:
    kinds = np.count_nonzero(label_counts[label_counts.sum(axis=1) > 0], axis=1)
    if not len(kinds):
        return "No device has a training sample."
    return (
        f"A device that trains holds {kinds.min()} to {kinds.max()} of {label_counts.shape[1]} classes, median"
        f" {np.median(kinds):.0f}. The largest share that one class has on a device is {largest:.0%}."
    )


def _where_half_is(training: NDArray[np.int64]) -> str:
    if not training.any():
        return "No device has a training sample."
    half, empty = half_of_all(training), int(np.count_nonzero(training == 0))
    text = f"Half of all training samples are on {half:,} of {len(training):,} devices."
    if empty:
        text += f" {empty:,} {'trains' if empty == 1 else 'train'} on nothing."
    return text


def _devices_shown(label_counts: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Devices with samples, by the class they have most of and the one that comes next; of very many an even pick."""
    holding = np.flatnonzero(label_counts.sum(axis=1))
    counts = label_counts[holding]
    favourites = np.argsort(-counts, axis=1, kind="stable")
    first = favourites[:, 0]
    second = np.where(np.count_nonzero(counts, axis=1) > 1, favourites[:, min(1, counts.shape[1] - 1)], -1)
    largest = label_shares(counts).max(axis=1, initial=0.0)
    order = holding[np.lexsort((-largest, second, first))]
    most = min(_MOST_DEVICES, _MOST_CELLS // classes)
    if len(order) <= most:
        return order
    return order[np.linspace(0, len(order) - 1, most).round().astype(np.int64)]


def _classes_shown(label_counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """All classes, or of very many the most frequent, in their order."""
    return np.sort(np.argsort(-label_counts.sum(axis=0), kind="stable")[:_MOST_CLASSES])


def _as_rows(share: NDArray[np.float64], samples: NDArray[np.int64], texts: Sequence[str]) -> Figure:
    """A row a device, with its number and a bar of its samples."""
    count, classes = share.shape
    left, right, bottom = 36.0, 70.0, 22.0
    top = 12 + 6.2 * max(len(text) for text in texts) if turned(texts) else 20.0
    figure = drawing.figure(top + _ROW_HEIGHT * count + bottom)
    axes = drawing.axes(figure, left=left, right=right, top=top, bottom=bottom)
    table_axes(axes, classes, count)
    drawing.cells(axes, _strength(share), colour=FIRST)
    name_classes(axes, texts, columns=True, rows=False, room=(drawing.WIDTH - left - right) / classes)
    axes.set_ylabel("device", labelpad=4)
    axes.set_yticks(np.arange(count) + 0.5, [str(row + 1) for row in range(count)])
    beside = drawing.axes(figure, left=drawing.WIDTH - 62, right=8, top=top, bottom=bottom)
    beside.set_ylim(axes.get_ylim())
    beside.set_yticks([])
    beside.spines["bottom"].set_visible(False)
    most = max(int(samples.max()), 1)
    beside.set_xlim(0, most)
    row = np.arange(count, dtype=np.float64)
    drawing.boxes(beside, np.zeros(count), row + 0.12, samples.astype(np.float64), 0.76, colour=SECOND)
    beside.set_xticks([0, most], ["0", f"{most:,}"], color=SOFT)
    beside.get_xticklabels()[0].set_horizontalalignment("left")
    beside.get_xticklabels()[1].set_horizontalalignment("right")
    return figure


def _as_columns(share: NDArray[np.float64], samples: NDArray[np.int64], texts: Sequence[str]) -> Figure:
    """A column a device, over a bar of its samples."""
    count, classes = share.shape
    row = min(18.0, max(7.5, 260 / classes))
    most = max(int(samples.max(initial=0)), 1)
    left = 16 + 6.2 * max(len(text) for text in (*texts, f"{most:,}"))
    right, top, bottom, between = 8.0, 8.0, 28.0, 12.0
    figure = drawing.figure(top + row * classes + between + _BARS_HEIGHT + bottom, width=drawing.WIDE)
    axes = drawing.axes(figure, left=left, right=right, top=top, bottom=bottom + _BARS_HEIGHT + between)
    table_axes(axes, max(count, 1), classes)
    if count <= _MOST_APART:
        drawing.cells(axes, _strength(share).T, colour=FIRST)
    else:
        _bands(axes, _strength(share).T)
    name_classes(axes, texts, columns=False, rows=True, room=row)
    below = drawing.axes(figure, left=left, right=right, top=top + row * classes + between, bottom=bottom)
    below.set_xlim(axes.get_xlim())
    _stack(below, samples.astype(np.float64), np.zeros(count))
    below.set_ylim(0, most)
    below.set_yticks([0, most], ["0", f"{most:,}"])
    below.set_xticks([])
    below.set_xlabel(f"{count:,} devices, in the order of the class that each holds most of")
    return figure


def _strength(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a cell's colour: the square root, so that a little is seen too. It is the same in every report."""
    return np.asarray(np.sqrt(share), np.float64)


def _bands(on: Axes, strength: NDArray[np.float64]) -> None:
    """As `drawing.cells`, with neighbours of one shade as one box: that keeps hundreds of devices small."""
    level = np.ceil(strength * _LEVELS)
    changes = np.diff(level, axis=1, prepend=-1.0) != 0
    row, start = np.nonzero(changes)
    end = np.append(start[1:], 0)  # a row's first box starts at 0: so ends the one before it
    end = np.where(end == 0, level.shape[1], end).astype(np.float64)
    of_box = level[row, start]
    for each in range(1, _LEVELS + 1):
        chosen = of_box == each
        left, top = start[chosen].astype(np.float64), row[chosen] + _GAP
        opacity = _FAINTEST + (1 - _FAINTEST) * (each - 1) / (_LEVELS - 1)
        drawing.boxes(on, left, top, end[chosen] - left, 1 - 2 * _GAP, colour=FIRST, opacity=opacity)


def _stack(on: Axes, training: NDArray[np.float64], held_out: NDArray[np.float64]) -> None:
    """Bars of two parts, a device each, from 0 to as many as there are."""
    count = len(training)
    if count <= _MOST_APART:
        left = np.arange(count, dtype=np.float64) + (1 - _BAR) / 2
        drawing.boxes(on, left, np.zeros(count), _BAR, training, colour=SECOND)
        drawing.boxes(on, left, training, _BAR, held_out, colour=THIRD)
    else:
        edges = np.arange(count + 1)
        on.stairs(training, edges, fill=True, color=SECOND, linewidth=0)
        if held_out.any():
            on.stairs(training + held_out, edges, baseline=training, fill=True, color=THIRD, linewidth=0)
    on.set_xlim(0, max(count, 1))
    on.set_ylim(0, max(float((training + held_out).max(initial=0)) * 1.05, 1.0))
    on.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    on.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    on.grid(axis="y")
