"""The tables of a report: what its charts show, in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from handfed.server import wording
from handfed.shared.metrics import worst_confusions
from handfed.shared.run_settings import option
from handfed.simulations.decoders import Decoders
from handfed.simulations.readings import Readings
from handfed.simulations.report.charts.grid import NOTHING, seen
from handfed.simulations.report.charts.groups import signed
from handfed.simulations.report.charts.robustness import in_words
from handfed.simulations.report.contents import Report, Robustness
from handfed.simulations.report.findings import (
    Group,
    Pairs,
    finite,
    label_skew,
    mean_accuracy,
    wilson,
    worst_decile,
    worst_first,
)
from handfed.simulations.robustness import AS_WRITTEN

MOST_ROWS = 200  # of a table that grows with the run
MOST_DEVICES = 10  # of the worst tenth; the others are in the table of all
MOST_CONFUSIONS = 10

Cell = str | Markup


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: What it holds.
        columns: Headings.
        figures: Headings of columns that hold figures, which are set flush right.
        rows: Cells, as many as there are columns.
        note: What a reader should know beside; empty for nothing.
    """

    caption: str
    columns: tuple[str, ...]
    figures: frozenset[str]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def name(text: str) -> Markup:
    """A class's name, kept from turning the text around it where its script runs from right to left."""
    return Markup("<bdi>{}</bdi>").format(seen(text))


def size(size_bytes: float) -> str:
    """An amount of data."""
    return f"{size_bytes / 1e9:,.2f} GB" if size_bytes >= 1e9 else wording.megabytes(int(size_bytes))  # noqa: PLR2004


def duration(seconds: float | None) -> str:
    """A time, as a person says it."""
    known = finite(seconds)
    if known is None:
        return wording.decimals(None, 0)
    minutes, rest = divmod(round(known), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{known:.1f} s"


def rounds(report: Report) -> Table:
    """Every round."""
    columns = ("Round", "Phase", "Used", "Loss", "Accuracy", "Time", "Training", "Down", "Up")
    rows = tuple(
        (
            f"{each.number}",
            each.phase,
            f"{each.accepted} of {each.participants}",
            wording.decimals(finite(each.loss), 4),
            wording.percent(finite(each.accuracy)),
            f"{wording.decimals(finite(each.seconds), 1)} s",
            f"{wording.decimals(finite(each.train_seconds), 1)} s",
            size(each.bytes_down),
            size(each.bytes_up),
        )
        for each in report.rounds
    )
    shown = rows[-MOST_ROWS:]
    note = f"The last {MOST_ROWS} of {len(rows):,} rounds." if len(shown) < len(rows) else ""
    return Table("Every round", columns, frozenset(columns[2:]), shown, note)


def pairs(found: Pairs, noun: str) -> Table:
    """How float and INT8 read the same samples, which are called so."""
    rows = (
        ("Both right", found.both),
        ("Only INT8 right", found.only_int8),
        ("Only float right", found.only_float),
        ("Both wrong", found.neither),
    )
    note = ""
    if (difference := found.difference) is not None:
        low, middle, high = (signed(each * 100, 2) for each in (difference.low, difference.difference, difference.high))
        note = f"INT8 less float: {middle} percentage points, 95% interval {low} to {high} (Bonett and Price 2012)."
    columns = (f"On the same {noun}s", f"{noun}s".capitalize(), "Share")
    return Table(
        f"{noun} by {noun}".capitalize(),
        columns,
        frozenset(columns[1:]),
        tuple((what, f"{count:,}", wording.percent(count / max(found.samples, 1))) for what, count in rows),
        note,
    )


def spreads(readings: Readings) -> Table:
    """How accuracy differs between devices, and between writers where they are known."""
    groups = [("Devices", readings.device)]
    if readings.writer is not None:
        groups.append(("Writers", readings.writer))
    found = [(what, readings.by(numbers)) for what, numbers in groups]
    means = [mean_accuracy(worst_first(readings, numbers)) for _, numbers in groups]
    columns = ("Accuracy of", *(what for what, _ in found))
    return Table(
        f"{' and '.join(what for what, _ in groups)}, in figures".capitalize(),
        columns,
        frozenset(columns[1:]),
        (
            ("How many", *(f"{each.count:,}" for _, each in found)),
            ("Mean", *map(wording.percent, means)),
            ("Tenth percentile", *(wording.percent(each.p10) for _, each in found)),
            ("Median", *(wording.percent(each.median) for _, each in found)),
            ("Ninetieth percentile", *(wording.percent(each.p90) for _, each in found)),
            ("Worst tenth, mean", *(wording.percent(each.worst_decile) for _, each in found)),
            ("Gini coefficient", *(wording.decimals(each.gini, 3) for _, each in found)),
        ),
    )


def worst_devices(found: Sequence[Group], without: int) -> Table:
    """The worst tenth of the devices.

    Args:
        found: Devices with held-out images, worst first.
        without: How many others have none.
    """
    worst = worst_decile(found)
    notes = []
    if len(worst) > MOST_DEVICES:
        notes.append(f"The worst {MOST_DEVICES} of {len(worst)} in the worst tenth.")
    if without:
        notes.append(
            f"{without:,} {'device has' if without == 1 else 'devices have'} no held-out image"
            f" and {'is' if without == 1 else 'are'} left out."
        )
    return _devices("The worst tenth of the devices", worst[:MOST_DEVICES], " ".join(notes))


def every_device(found: Sequence[Group]) -> Table:
    """All devices with held-out images, worst first."""
    note = f"The worst {MOST_ROWS} of {len(found):,} devices." if len(found) > MOST_ROWS else ""
    return _devices("Every device", found[:MOST_ROWS], note)


def _devices(caption: str, shown: Sequence[Group], note: str) -> Table:
    columns = ("Device", "Held-out images", "Characters", "Errors", "Accuracy")
    rows = tuple(
        (
            f"{each.number + 1}",
            f"{each.samples:,}",
            f"{each.characters:,}",
            f"{each.errors:,}",
            wording.percent(each.accuracy),
        )
        for each in shown
    )
    return Table(caption, columns, frozenset(columns[1:]), rows, note)


def confusions(matrix: NDArray[np.int64], names: Sequence[str]) -> Table:
    """The most frequent errors.

    Args:
        matrix: What was read for what; of texts it has another row and column, of nothing.
        names: Of the classes.
    """
    written, named = matrix.sum(axis=1), (*names, NOTHING)
    columns = ("Written", "Read as", "Times", "Share of written")
    rows = tuple(
        (
            name(named[label]),
            name(named[reading]),
            f"{count:,}",
            wording.percent(count / written[label] if label < len(names) else None),
        )
        for label, reading, count in worst_confusions(matrix, MOST_CONFUSIONS)
    )
    note = "" if rows else "Nothing was misread."
    return Table("The most frequent errors", columns, frozenset(columns[2:]), rows, note)


def classes(matrix: NDArray[np.int64], names: Sequence[str]) -> Table:
    """Accuracy of each class, the worst first; classes that nobody wrote last.

    Args:
        matrix: What was read for what; of texts it has another row and column, of nothing.
        names: Of the classes.
    """
    written, right = matrix.sum(axis=1)[: len(names)], np.diagonal(matrix)[: len(names)]
    share = np.where(written > 0, right / np.maximum(written, 1), 2.0)
    columns = ("Class", "Written", "Right", "Accuracy")
    order = np.argsort(share, kind="stable")[:MOST_ROWS]
    rows = tuple(
        (
            name(names[each]),
            f"{written[each]:,}",
            f"{right[each]:,}",
            wording.percent(float(share[each]) if written[each] else None),
        )
        for each in order
    )
    note = f"The worst {MOST_ROWS} of {len(names):,} classes." if len(rows) < len(names) else ""
    return Table("Accuracy of each class", columns, frozenset(columns[1:]), rows, note)


def holdings(report: Report) -> Table:
    """How much of what the devices hold."""
    counts = report.label_counts
    samples, kinds = counts.sum(axis=1), np.count_nonzero(counts, axis=1)
    columns = ("A device", "Least", "Median", "Most")

    def row(what: str, figures: NDArray[np.int64]) -> tuple[str, ...]:
        if not len(figures):
            return (what, *[wording.percent(None)] * 3)
        return (what, f"{figures.min():,}", f"{np.median(figures):,.0f}", f"{figures.max():,}")

    skew = label_skew(counts)
    notes = [f"{len(counts):,} devices with {int(samples.sum()):,} training samples in all."]
    if skew is not None:
        notes.append(
            f"On average {skew:.0%} of a device's samples would have to be of other classes for it to be like the"
            " whole federation."
        )
    return Table(
        "What devices hold, in figures",
        columns,
        frozenset(columns[1:]),
        (row("Training samples", samples), row("Classes", kinds), row("Held-out images", report.held_out_counts())),
        " ".join(notes),
    )


def every_holding(report: Report) -> Table:
    """What each device holds, in the order of their numbers."""
    counts, held_out, names = report.label_counts, report.held_out_counts(), report.dataset.alphabet.names
    samples, kinds, favourite = counts.sum(axis=1), np.count_nonzero(counts, axis=1), counts.argmax(axis=1)
    columns = ("Device", "Training samples", "Held-out images", "Classes", "Most frequent", "Its share")
    styles = report.styles
    rows = tuple(
        (
            f"{device + 1}",
            f"{samples[device]:,}",
            f"{held_out[device]:,}",
            f"{kinds[device]:,}",
            name(names[favourite[device]]) if samples[device] else wording.percent(None),
            wording.percent(float(counts[device].max() / samples[device]) if samples[device] else None),
            *styles[device : device + 1],
        )
        for device in range(min(len(counts), MOST_ROWS))
    )
    note = f"The first {MOST_ROWS} of {len(counts):,} devices." if len(counts) > MOST_ROWS else ""
    figures = frozenset(columns) - {"Device", "Most frequent"}
    return Table("What every device holds", (*columns, *(["Style"] if styles else [])), figures, rows, note)


def costs(report: Report) -> Table:
    """Traffic and time in all."""
    down, up = (sum(getattr(each, way) for each in report.rounds) for way in ("bytes_down", "bytes_up"))
    seconds = sum(finite(each.seconds) or 0.0 for each in report.rounds)
    training = sum(finite(each.train_seconds) or 0.0 for each in report.rounds)
    count = max(len(report.rounds), 1)
    columns = ("What", "In all", "A round")
    return Table(
        "Traffic and time, in figures",
        columns,
        frozenset(columns[1:]),
        (
            ("Down to devices", size(down), size(down / count)),
            ("Up from devices", size(up), size(up / count)),
            ("Both ways", size(down + up), size((down + up) / count)),
            ("Rounds", duration(seconds), duration(seconds / count)),
            ("Training, summed over devices", duration(training), duration(training / count)),
        ),
    )


def decoders(found: Decoders) -> Table:
    """How each decoder reads the same texts."""
    columns = ("Decoder", "CER", "CER of new words", "WER", "Texts right", "Calibration error", "Time a text")
    rows = tuple(
        (
            each.decoder,
            wording.percent(each.cer),
            wording.percent(each.cer_new_words),
            wording.percent(each.wer),
            wording.percent(each.texts_right),
            wording.percent(each.expected_calibration_error),
            f"{each.decode_ms_median:.2f} ms",
        )
        for each in found.rows
    )
    return Table("Decoders, in figures", columns, frozenset(columns[1:]), rows, found.note())


def robustness(found: Robustness) -> Table:
    """Accuracy under each deformation."""
    usual = found.accuracies[AS_WRITTEN]
    rows = tuple(
        (
            in_words(name),
            wording.percent(accuracy),
            wording.percent(None) if name == AS_WRITTEN else signed((accuracy - usual) * 100, 2),
        )
        for name, accuracy in found.accuracies.items()
    )
    what = "texts" if found.of_texts else "images"
    note = f"On {found.images:,} held-out {what} each. Changes are in percentage points."
    if not found.of_texts:  # characters of a text are not drawn one by one
        intervals = [wilson(round(accuracy * found.images), found.images) for accuracy in found.accuracies.values()]
        reach = max(high - low for low, high in intervals) * 50
        note += f" 95% intervals of what is read right reach up to {reach:.1f} points either way."
    columns = ("Deformation", "Right", "Change")
    return Table(
        "Deformations, in figures",
        columns,
        frozenset(columns[1:]),
        rows,
        note,
    )


def settings(report: Report) -> Table:
    """Every setting of the run."""
    return Table(
        f"All {len(report.settings)} settings",
        ("Setting", "Value"),
        frozenset(),
        tuple((option(setting), value) for setting, value in wording.entries(report.settings)),
    )
