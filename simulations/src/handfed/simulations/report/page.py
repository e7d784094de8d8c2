"""The page: gathers headline, charts, tables and words, and hands them to the template.

Everything that a run brings (names, command, reasons) is escaped by the template engine; what neither HTML nor UTF-8
can hold becomes U+FFFD. The page's content security policy forbids it to load anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from handfed.server import wording
from handfed.shared import targets
from handfed.shared.metrics import confusion_matrix
from handfed.shared.printable import printable
from handfed.simulations.report import drawing, gallery, tables
from handfed.simulations.report.charts import Chart, classes, costs, groups, holdings, rounds
from handfed.simulations.report.contents import (
    Report,
)
from handfed.simulations.report.findings import Pairs, finite, wilson, worst_decile, worst_first
from handfed.simulations.report.tables import Table

State = Literal["met", "missed", "unknown"]

_UNKNOWN = "not measured"
_NOTHING_READ = "No held-out image was read."


@dataclass(frozen=True)
class Target:
    """A figure against what was aimed at.

    Attributes:
        what: What is measured.
        value: The figure.
        aim: What was aimed at.
        state: Whether it was reached.
        detail: How sure or how exact the figure is.
    """

    what: str
    value: str
    aim: str
    state: State
    detail: str


@dataclass(frozen=True)
class Figure:
    """A figure or a fact with its name; `code` is set as it would be typed."""

    what: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        name: Of its anchor.
        heading: Its heading.
        charts: Its pictures.
        tables: Tables that are always seen.
        folded: Tables that open at a click.
        words: Paragraphs.
        samples: An image of each device.
        tiles: Misread images.
        misread: How many were misread in all.
    """

    name: str
    heading: str
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()
    words: tuple[str, ...] = ()
    samples: tuple[gallery.Sample, ...] = ()
    tiles: tuple[gallery.Tile, ...] = ()
    misread: int = 0


def render(report: Report) -> str:
    """The report of a simulation as one HTML page.

    Matplotlib's settings are the process's, and are changed while it draws: let no other thread draw meanwhile.
    """
    with drawing.style():
        sections = (
            _learning(report),
            _quantization(report),
            _groups(report),
            _errors(report),
            _holdings(report),
            _costs(report),
            _rejections(report),
            _settings(report),
        )
    environment = Environment(
        loader=PackageLoader("handfed.simulations.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.jinja").render(
        report=report,
        targets=_targets(report),
        figures=_figures(report),
        sections=sections,
        facts=_facts(report),
        measured=_measured(report),
    )
    return printable(page)


def _targets(report: Report) -> tuple[Target, ...]:
    accuracy, latency, size = finite(report.accuracy_int8), finite(report.latency_ms), report.size_bytes
    return (
        Target(
            "Accuracy of INT8",
            _told_from(accuracy, targets.ACCURACY) if accuracy is not None else _UNKNOWN,
            f"at least {targets.ACCURACY:.0%}",
            _state(accuracy is not None, met=accuracy is not None and accuracy >= targets.ACCURACY),
            _certainty(report),
        ),
        Target(
            "Time to read one image",
            f"{latency:.2f} ms" if latency is not None else _UNKNOWN,
            f"at most {targets.LATENCY_MS:g} ms",
            _state(latency is not None, met=latency is not None and latency <= targets.LATENCY_MS),
            "on the machine that ran the simulation" if latency is not None else "no file was timed",
        ),
        Target(
            "Size of the INT8 file",
            wording.megabytes(size) if size is not None else _UNKNOWN,
            f"at most {targets.SIZE_BYTES / 1e6:g} MB",
            _state(size is not None, met=size is not None and size <= targets.SIZE_BYTES),
            f"{size:,} bytes" if size is not None else "no file was converted",
        ),
    )


def _told_from(fraction: float, target: float) -> str:
    """A percentage with enough decimals for one below the target not to be rounded up to it."""
    text = wording.percent(fraction)
    return f"{fraction:.5%}" if fraction < target and text == wording.percent(target) else text


def _state(known: bool, *, met: bool) -> State:
    if not known:
        return "unknown"
    return "met" if met else "missed"


def _certainty(report: Report) -> str:
    """On how many images accuracy was measured, and how sure that makes it."""
    found = report.evaluation
    count = len(found.labels)
    if not count:
        return "no held-out image was read"
    low, high = wilson(int(np.count_nonzero(found.readings == found.labels)), count)
    return f"on {count:,} held-out images; 95% interval {wording.percent(low)} to {wording.percent(high)}"


def _figures(report: Report) -> tuple[Figure, ...]:
    """What comes next after the targets."""
    traffic = sum(each.bytes_down + each.bytes_up for each in report.rounds)
    rejected = sum(len(each.rejections) for each in report.rounds)
    quantized = sum(each.phase == "qat" for each in report.rounds)
    memory = report.peak_memory_bytes
    figures = [
        Figure("Accuracy of float", _or_unknown(report.accuracy_float)),
        Figure("INT8 by calibration alone", _or_unknown(report.accuracy_calibrated)),
        Figure("Devices", f"{len(report.label_counts):,}"),
        Figure(f"Rounds, {quantized:,} quantization-aware", f"{len(report.rounds):,}"),
        Figure("Time in all", tables.duration(report.wall_s) if finite(report.wall_s) is not None else _UNKNOWN),
        Figure("Peak memory", tables.size(memory) if memory is not None else _UNKNOWN),
        Figure("Traffic in all", tables.size(traffic)),
        Figure("Rejected updates", f"{rejected:,}"),
    ]
    if len(report.evaluation.labels):
        groups = worst_decile(worst_first(report.evaluation, report.evaluation.device))
        worst = sum(group.accuracy for group in groups) / len(groups)
        figures.insert(2, Figure("Worst tenth of the devices", wording.percent(worst)))
    return tuple(figures)


def _or_unknown(fraction: float | None) -> str:
    return wording.percent(fraction) if finite(fraction) is not None else _UNKNOWN


def _learning(report: Report) -> Section:
    heading = "Learning"
    if not report.rounds:
        return Section("learning", heading, words=("No round was finished.",))
    return Section(
        "learning",
        heading,
        charts=(rounds.accuracy(report), rounds.loss(report)),
        folded=(tables.rounds(report),),
    )


def _quantization(report: Report) -> Section:
    heading, pairs = "Quantization", Pairs.of(report.evaluation)
    chart = groups.difference(report, pairs)
    if chart is None:
        return Section("quantization", heading, words=(_NOTHING_READ,))
    return Section("quantization", heading, charts=(chart,), tables=(tables.pairs(pairs),))


def _groups(report: Report) -> Section:
    found = report.evaluation
    heading = "Devices and writers" if found.writer is not None else "Devices"
    if not len(found.labels):
        return Section("devices", heading, words=(_NOTHING_READ,))
    devices = worst_first(found, found.device)
    charts = [groups.devices(devices)]
    if found.writer is not None:
        charts.append(groups.writers(worst_first(found, found.writer)))
    without = len(report.label_counts) - len(devices)
    words = () if found.writer is not None else ("Who wrote which image is not known, so writers cannot be compared.",)
    return Section(
        "devices",
        heading,
        words=words,
        charts=tuple(charts),
        tables=(tables.spreads(found), tables.worst_devices(devices, without)),
        folded=(tables.every_device(devices),),
    )


def _errors(report: Report) -> Section:
    found, names = report.evaluation, report.dataset.alphabet.names
    if not len(found.labels):
        return Section("errors", "Errors", words=(_NOTHING_READ,))
    matrix = confusion_matrix(found.labels, found.readings, len(names))
    return Section(
        "errors",
        "Errors",
        charts=(classes.confusion(matrix, names),),
        tables=(tables.confusions(matrix, names),),
        folded=(tables.classes(matrix, names),),
        tiles=tuple(gallery.misread(report)),
        misread=int(np.count_nonzero(found.readings != found.labels)),
    )


def _holdings(report: Report) -> Section:
    charts: tuple[Chart, ...] = ()
    if report.label_counts.size:
        charts = (
            holdings.labels(report.label_counts, report.dataset.alphabet.names),
            holdings.sizes(report.label_counts, report.held_out_counts()),
        )
    return Section(
        "handwriting",
        "Handwriting on devices",
        words=(f"Shared out among devices: {report.partition_scheme}.",),
        charts=charts,
        tables=(tables.holdings(report),),
        folded=(tables.every_holding(report),),
        samples=tuple(gallery.of_devices(report)),
    )


def _costs(report: Report) -> Section:
    heading = "Traffic and time"
    if not report.rounds:
        return Section("costs", heading, words=("No round was finished.",))
    return Section("costs", heading, charts=(costs.traffic(report), costs.time(report)), tables=(tables.costs(report),))


def _rejections(report: Report) -> Section:
    heading, found = "Rejected updates", tables.rejections(report)
    if found is None:
        return Section("rejections", heading, words=("None: every update that devices returned was used.",))
    by_reason, one_by_one = found
    return Section("rejections", heading, tables=(by_reason,), folded=(one_by_one,))


def _settings(report: Report) -> Section:
    return Section("settings", "Settings", folded=(tables.settings(report),))


def _facts(report: Report) -> tuple[Figure, ...]:
    """What was run on what, to run it again."""
    seed = report.settings.get("seed")
    return (
        Figure("Command", report.command, code=True),
        Figure("Seed", "not set" if seed is None else str(seed)),
        Figure("Run", str(report.run)),
        Figure("Release", "none" if report.release is None else str(report.release)),
        Figure("Data set", f"{report.dataset.name}: {report.dataset.source}"),
        Figure("Licence", report.dataset.licence),
        Figure("Alphabet", f"{len(report.dataset.alphabet)} classes: {report.dataset.alphabet.summary()}"),
        Figure("Weights, SHA-256", report.weights_sha256 or "none", code=report.weights_sha256 is not None),
    )


def _measured(report: Report) -> tuple[str, ...]:
    """How the figures were measured, said plainly."""
    split = {
        "writer": "Held out by writer: nobody who wrote a held-out image wrote a training image, so accuracy here is"
        " that on the handwriting of strangers.",
        "image": "Held out by image: a held-out image was not trained on, but whoever wrote it may have written"
        " training images too, so accuracy on the handwriting of strangers may be lower.",
    }[report.split_by]
    return (
        split,
        (
            "Accuracy of INT8 is the fraction of held-out images that the converted file reads right; float is the"
            " model that it was converted from, on the same images. Intervals of one accuracy are Wilson's."
        ),
        (
            "The accuracy of a round is what the devices count on their own held-out images, with the model as"
            " combined in that round."
        ),
    )
