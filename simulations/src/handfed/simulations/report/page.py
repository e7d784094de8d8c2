"""The page: gathers headline, charts, tables and words, and hands them to the template.

Everything that a run brings (names, command, reasons) is escaped by the template engine; what neither HTML nor UTF-8
can hold becomes U+FFFD. The page's content security policy forbids it to load anything.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TypeVar

from handfed.simulations.decoders import Decoders
from handfed.simulations.report import documents, drawing, gallery, headline, rejected, tables
from handfed.simulations.report.charts import (
    Chart,
    classes,
    costs,
    groups,
    holdings,
    rejections,
    reliability,
    robustness,
    rounds,
)
from handfed.simulations.report.contents import Report, Robustness
from handfed.simulations.report.findings import Pairs, worst_first
from handfed.simulations.report.tables import Table

_Part = TypeVar("_Part")

_MOST_CHARACTERS = 240  # of the names of an alphabet
_NOTHING_READ = "No held-out image was read."


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
        galleries: Pictures of handwriting.
    """

    name: str
    heading: str
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()
    words: tuple[str, ...] = ()
    galleries: tuple[gallery.Gallery, ...] = ()


def render(report: Report) -> str:
    """The report of a simulation as one HTML page.

    Matplotlib's settings are the process's, and are changed while it draws: let no other thread draw meanwhile.
    """
    with drawing.style():
        sections = (
            _learning(report),
            _rejections(report),
            _quantization(report),
            _groups(report),
            _errors(report),
            *([] if report.decoders is None else [_decoders(report.decoders)]),
            *([] if report.robustness is None else [_robustness(report.robustness)]),
            _holdings(report),
            _costs(report),
            _settings(report),
        )
    return documents.html(
        "report.html.jinja",
        report=report,
        lead=headline.lead(report),
        targets=headline.targets(report),
        figures=headline.figures(report),
        sections=sections,
        facts=_facts(report),
        measured=_measured(report),
    )


def _present(*parts: _Part | None) -> tuple[_Part, ...]:
    """What there is of some parts of a section."""
    return tuple(part for part in parts if part is not None)


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
    heading, pairs = "Quantization", Pairs.of(report.readings)
    chart = groups.difference(report, pairs)
    if chart is None:
        return Section("quantization", heading, words=(_NOTHING_READ,))
    return Section("quantization", heading, charts=(chart,), tables=(tables.pairs(pairs, report.noun),))


def _groups(report: Report) -> Section:
    found = report.readings
    heading = "Devices and writers" if found.writer is not None else "Devices"
    if not len(found):
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
    found, names = report.readings.int8, report.dataset.alphabet.names
    if not len(found):
        return Section("errors", "Errors", words=(_NOTHING_READ,))
    matrix = found.confusions(len(names))
    if not report.of_texts:  # of characters each is written and read
        matrix = matrix[:-1, :-1]
    return Section(
        "errors",
        "Errors",
        charts=(classes.confusion(matrix, names), reliability.reliability(report.readings.reliability)),
        tables=(tables.confusions(matrix, names),),
        folded=(tables.classes(matrix, names),),
        galleries=_present(gallery.misread(report)),
    )


def _decoders(found: Decoders) -> Section:
    return Section(
        "decoders",
        "Decoders",
        words=(
            "The INT8 file gives probabilities of classes, step by step; a decoder makes a text of them.",
            "All other figures of this page are of the greedy one, which takes the most probable class of each step.",
            "A beam finds the most probable text; with a lexicon or n-grams of characters, under those as well.",
        ),
        tables=(tables.decoders(found),),
    )


def _robustness(found: Robustness) -> Section:
    what = "texts" if found.of_texts else "images"
    return Section(
        "robustness",
        "Robustness",
        words=(
            f"Of the held-out {what}, the INT8 file reads {found.images:,} again, deformed in ways that never change.",
            "A picture is normalised before it is read, as on a device.",
        ),
        charts=(robustness.accuracies(found),),
        tables=(tables.robustness(found),),
        galleries=(gallery.deformed(found),),
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
        galleries=_present(gallery.of_devices(report)),
    )


def _costs(report: Report) -> Section:
    heading = "Traffic and time"
    if not report.rounds:
        return Section("costs", heading, words=("No round was finished.",))
    return Section("costs", heading, charts=(costs.traffic(report), costs.time(report)), tables=(tables.costs(report),))


def _rejections(report: Report) -> Section:
    return Section(
        "rejections",
        "Rejected updates" if report.misbehaviour is None else "Faults on purpose, and rejected updates",
        words=rejected.words(report),
        charts=_present(rejections.by_round(report)),
        tables=_present(rejected.of_kinds(report), rejected.by_reason(report)),
        folded=_present(rejected.one_by_one(report)),
    )


def _settings(report: Report) -> Section:
    return Section("settings", "Settings", folded=(tables.settings(report),))


def _facts(report: Report) -> tuple[headline.Figure, ...]:
    """What was run on what, to run it again."""
    seed, alphabet = report.settings.get("seed"), report.dataset.alphabet
    classes_named = textwrap.shorten(alphabet.summary(), _MOST_CHARACTERS, placeholder=" …")
    return (
        headline.Figure("Command", report.command, code=True),
        headline.Figure("Seed", "not set" if seed is None else str(seed)),
        headline.Figure("Run", str(report.run)),
        headline.Figure("Release", "none" if report.release is None else str(report.release)),
        headline.Figure("Data set", f"{report.dataset.name}: {report.dataset.source}"),
        headline.Figure("Licence", report.dataset.licence),
        headline.Figure("Alphabet", f"{len(alphabet)} classes: {classes_named}"),
        headline.Figure("Weights, SHA-256", report.weights_sha256 or "none", code=report.weights_sha256 is not None),
    )


def _measured(report: Report) -> tuple[str, ...]:
    """How the figures were measured, said plainly."""
    split = {
        "writer": "Held out by writer: nobody who wrote a held-out image wrote a training image, so accuracy here is"
        " that on the handwriting of strangers.",
        "image": "Held out by image: a held-out image was not trained on, but whoever wrote it may have written"
        " training images too, so accuracy on the handwriting of strangers may be lower.",
    }[report.split_by]
    of_what = "the fraction of held-out images"
    if report.of_texts:
        of_what = "1 less the character error rate (characters to insert, delete or replace, a character), on the texts"
    return (
        split,
        (
            f"Accuracy of INT8 is {of_what} that the converted file reads right. Float is the"
            " model of the last float round, on the same images; the quantization-aware rounds train it further, so"
            " INT8 may be better. Intervals of one accuracy are Wilson's."
        ),
        (
            "The accuracy of a round is what the devices count on their own held-out images, with the model as"
            " combined in that round."
        ),
    )
