"""From a simulation and its outcome to the page on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import StorageError
from handfed.shared.files import write_atomically
from handfed.shared.inputs import parse
from handfed.shared.litert import Int8Model
from handfed.shared.planes import seen
from handfed.shared.tasks import name_of
from handfed.simulations.faults import liars
from handfed.simulations.federation import Federation, Outcome
from handfed.simulations.partition.device_styles import styles_of
from handfed.simulations.report.contents import Misbehaviour, Report, Robustness
from handfed.simulations.report.page import render
from handfed.simulations.robustness import accuracies, deformed, text_accuracies, texts

MOST_DEFORMED: Final = 1_000  # images, evenly picked
MOST_DEFORMED_TEXTS: Final = 200

_SCHEMES: Final[Mapping[str, str]] = {
    "iid": "the same share of everything to each, at random",
    "dirichlet": "of each class unequal shares, drawn from Dirichlet({})",
    "shards": "{} classes to each",
    "quantity": "the same mix of classes to each, in amounts drawn from Dirichlet({})",
    "writer": "each writer is a device",
    "schools": "whole writers, in {} groups",
    "feature": "the same share of everything to each, at random; each has a {} of its own",
}


def write_report(path: Path, federation: Federation, outcome: Outcome, command: str) -> None:
    """Writes the report of a simulation.

    Args:
        path: Where to; its folder is made where there is none.
        federation: What was simulated.
        outcome: What it gave.
        command: The command that ran it, for the page.

    Raises:
        StorageError: The page cannot be written.
    """
    page = render(report_of(federation, outcome, command))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {path.parent}: {error.strerror}; name another file") from error
    write_atomically(path, page.encode())


def report_of(federation: Federation, outcome: Outcome, command: str) -> Report:
    """Everything that the page tells."""
    dataset, partition, readings = federation.dataset, federation.partition, outcome.readings
    publication, verdict = outcome.publication, outcome.publication.verdict
    return Report(
        title=f"Run {outcome.run}: {partition.devices} devices, {dataset.name}",
        run=outcome.run,
        release=publication.number,
        command=command,
        settings={
            **federation.scenario.to_mapping(),
            "data": dataset.name,
            "task": name_of(federation.scenario.task),
        },
        dataset=dataset,
        partition_scheme=in_words(federation.scenario.partition),
        split_by=partition.split_by,
        rounds=outcome.rounds,
        label_counts=_label_counts(federation),
        readings=readings,
        held_out=dataset.samples.take(readings.rows),
        accuracy_float=verdict.accuracy_float,
        accuracy_int8=verdict.accuracy_int8,
        accuracy_calibrated=publication.calibrated.accuracy_int8,
        size_bytes=len(publication.model),
        latency_ms=outcome.latency_ms,
        wall_s=outcome.wall_s,
        peak_memory_bytes=outcome.peak_memory_bytes,
        weights_sha256=publication.weights_sha256,
        refused=None,
        styles=_styles(federation),
        misbehaviour=_misbehaviour(federation),
        robustness=_robustness(federation, outcome),
        decoders=outcome.decoders,
    )


def in_words(scheme: str) -> str:
    """How a partition scheme deals handwriting out.

    Args:
        scheme: As on the command line.
    """
    name, _, parameter = scheme.partition(":")
    return f"{_SCHEMES[name].format(parameter)} ({scheme})"


def _misbehaviour(federation: Federation) -> Misbehaviour | None:
    faults, settings = federation.scenario.faults, federation.settings
    if not faults:
        return None
    who = liars(faults, federation.partition.devices, settings.seed)
    return Misbehaviour(faults, who, inspected=settings.visibility == "inspected")


def _robustness(federation: Federation, outcome: Outcome) -> Robustness:
    """What the published file reads of deformed images; about a millisecond for each image."""
    of_texts = outcome.of_texts
    rows, most = outcome.readings.rows, MOST_DEFORMED_TEXTS if of_texts else MOST_DEFORMED
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).round().astype(np.int64)]
    samples, model = federation.dataset.samples.take(rows), Int8Model(outcome.publication.model)
    if of_texts:
        examples = [pictures[0] for pictures in texts(samples.take(np.array([0]))).values()]
        return Robustness(len(rows), text_accuracies(model, samples), examples, of_texts=True)
    images, inputs = samples.images, parse(federation.settings.inputs)

    def read(pictures: NDArray[np.uint8]) -> NDArray[np.int32]:
        return np.asarray(model.logits(seen(pictures, inputs)).argmax(axis=1), np.int32)

    found = accuracies(read, images, samples.labels)
    return Robustness(len(rows), found, [images[0], *(each[0] for each in deformed(images[:1]).values())])


def _styles(federation: Federation) -> list[str]:
    """What each device's handwriting looks like, in words; none where all look alike."""
    styles = styles_of(federation.scenario.partition, federation.partition.devices, federation.settings.seed)
    return [style.in_words() for style in styles]


def _label_counts(federation: Federation) -> NDArray[np.int64]:
    """int64 (devices, classes): training samples, and of texts their characters."""
    partition, dataset = federation.partition, federation.dataset
    rows = map(partition.training_rows, range(partition.devices))
    return np.stack([dataset.take(each).class_counts() for each in rows])
