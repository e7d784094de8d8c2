"""The top of the page: what came of the run in plain words, its figures against their targets, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from handfed.server import wording
from handfed.shared import targets as aims
from handfed.shared.lookalikes import accuracies
from handfed.simulations.report import tables
from handfed.simulations.report.contents import Report
from handfed.simulations.report.findings import finite, mean_accuracy, wilson, worst_decile, worst_first

State = Literal["met", "missed", "unknown"]

_UNKNOWN = "not measured"
_LATENCY_PLACES = 0.1  # milliseconds: what takes less needs a third decimal to be told from nothing


@dataclass(frozen=True)
class Target:
    """A figure against what was aimed at.

    Attributes:
        what: What is measured.
        value: The figure.
        aim: What was aimed at.
        state: Whether it was reached.
        details: How sure or how exact the figure is, and for whom it holds.
    """

    what: str
    value: str
    aim: str
    state: State
    details: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A figure or a fact with its name; `code` is set as it would be typed."""

    what: str
    value: str
    code: bool = False


def lead(report: Report) -> str:
    """What was done and what came of it, for a reader who knows none of the words that follow."""
    devices, rounds = len(report.label_counts), len(report.rounds)
    who, times = "device" if devices == 1 else "devices", "round" if rounds == 1 else "rounds"
    sentences = [f"{devices:,} {who} trained one recogniser in {rounds:,} {times}, each on its own handwriting."]
    if report.misbehaviour is not None and report.misbehaviour.liars:
        sentences.append(f"Wrong on purpose: the updates of {len(report.misbehaviour.liars):,} of them.")
    accuracy, images = finite(report.accuracy_int8), len(report.readings)
    if accuracy is not None and images:
        file = "converted" if report.release is None else "published"
        what = f"{images:,} {'image' if images == 1 else 'images'}"
        if report.of_texts:
            what = f"{int(report.readings.int8.characters.sum()):,} characters in {images:,} texts"
        sentences.append(
            f"Of {what} that nobody trained on, the {file} file reads {_told_from(accuracy, report.aim)} right."
        )
    sentences.append(
        "INT8 is that file: it computes in 8-bit integers, for small devices. Float is the model before that."
    )
    return " ".join(sentences)


def targets(report: Report) -> tuple[Target, ...]:
    """The figures that there is an aim for."""
    accuracy, latency, size = finite(report.accuracy_int8), finite(report.latency_ms), report.size_bytes
    return (
        Target(
            "Accuracy of INT8",
            _told_from(accuracy, report.aim) if accuracy is not None else _UNKNOWN,
            f"at least {report.aim:.0%}",
            _state(accuracy is not None, met=accuracy is not None and accuracy >= report.aim),
            _certainty(report),
        ),
        Target(
            f"Time to read one {report.noun}",
            f"{latency:.{2 if latency >= _LATENCY_PLACES else 3}f} ms" if latency is not None else _UNKNOWN,
            f"at most {aims.LATENCY_MS:g} ms",
            _state(latency is not None, met=latency is not None and latency <= aims.LATENCY_MS),
            ("on the machine that ran the simulation" if latency is not None else "no file was timed",),
        ),
        Target(
            "Size of the INT8 file",
            wording.megabytes(size) if size is not None else _UNKNOWN,
            f"at most {aims.SIZE_BYTES / 1e6:g} MB",
            _state(size is not None, met=size is not None and size <= aims.SIZE_BYTES),
            (f"{size:,} bytes" if size is not None else "no file was converted",),
        ),
    )


def figures(report: Report) -> tuple[Figure, ...]:
    """What comes next after the targets."""
    traffic = sum(each.bytes_down + each.bytes_up for each in report.rounds)
    rejected = sum(len(each.rejections) for each in report.rounds)
    quantized = sum(each.phase == "qat" for each in report.rounds)
    memory = report.peak_memory_bytes
    found = [
        Figure("Accuracy of float", _or_unknown(report.accuracy_float)),
        Figure("INT8 by calibration alone", _or_unknown(report.accuracy_calibrated)),
        Figure("Devices", f"{len(report.label_counts):,}"),
        Figure(f"Rounds, {quantized:,} quantization-aware", f"{len(report.rounds):,}"),
        Figure("Time in all", tables.duration(report.wall_s) if finite(report.wall_s) is not None else _UNKNOWN),
        Figure("Peak memory", tables.size(memory) if memory is not None else _UNKNOWN),
        Figure("Traffic in all", tables.size(traffic)),
        Figure("Rejected updates", f"{rejected:,}"),
    ]
    if len(report.readings):
        worst = mean_accuracy(worst_decile(worst_first(report.readings, report.readings.device)))
        found.insert(2, Figure("Worst tenth of the devices", wording.percent(worst)))
    if len(report.readings):
        error = report.readings.reliability.expected_calibration_error()
        found.insert(2, Figure("Calibration error of confidences", wording.percent(error)))
    if report.of_texts and len(report.readings):
        int8 = report.readings.int8
        found[2:2] = [
            Figure("Character error rate (CER)", wording.percent(int8.cer)),
            Figure("Word error rate (WER)", wording.percent(int8.wer(report.dataset.alphabet))),
            Figure("Texts without an error", wording.percent(float(int8.correct.mean()))),
        ]
    if len(report.readings):
        tolerant = accuracies(report.readings.int8, report.dataset.alphabet)
        found[1:1] = [Figure(f"INT8, {way.replace('_', ' ')}", wording.percent(rate)) for way, rate in tolerant.items()]
    if report.robustness is not None:
        worst = min(report.robustness.accuracies.values())
        found.insert(3, Figure("Worst deformation", wording.percent(worst)))
    return tuple(found)


def _told_from(fraction: float, target: float) -> str:
    """A percentage with enough decimals for one below the target not to be rounded up to it."""
    text = wording.percent(fraction)
    return f"{fraction:.5%}" if fraction < target and text == wording.percent(target) else text


def _state(known: bool, *, met: bool) -> State:
    if not known:
        return "unknown"
    return "met" if met else "missed"


def _certainty(report: Report) -> tuple[str, ...]:
    """On how many images accuracy was measured, how sure that makes it, and how it differs between people."""
    found = report.readings
    if not len(found):
        return ("no held-out image was read",)
    details = [f"on {len(found):,} held-out {report.noun}s"]
    if not report.of_texts:  # characters of a text are not drawn one by one
        low, high = wilson(int(found.int8.correct.sum()), len(found))
        details[0] += f"; 95% interval {wording.percent(low)} to {wording.percent(high)}"
    if found.writer is not None:
        writers = worst_first(found, found.writer)
        mean, worst = (wording.percent(mean_accuracy(each)) for each in (writers, worst_decile(writers)))
        details.append(f"{len(writers):,} writers: mean {mean}, worst tenth {worst}")
    return tuple(details)


def _or_unknown(fraction: float | None) -> str:
    return wording.percent(fraction) if finite(fraction) is not None else _UNKNOWN
