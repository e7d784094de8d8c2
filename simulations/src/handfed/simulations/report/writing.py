"""From a simulation and its outcome to the page on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import StorageError
from handfed.shared.files import write_atomically
from handfed.simulations.federation import Federation, Outcome
from handfed.simulations.partition.device_styles import styles_of
from handfed.simulations.report.contents import Evaluation, Report
from handfed.simulations.report.page import render


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
        settings=federation.settings.to_mapping(),
        dataset=dataset,
        partition_scheme=federation.scenario.partition,
        split_by=partition.split_by,
        rounds=outcome.rounds,
        label_counts=_label_counts(federation),
        evaluation=Evaluation(
            labels=readings.labels,
            readings=readings.int8,
            float_readings=readings.floating,
            device=readings.device,
            writer=None if dataset.writers is None else dataset.writers[readings.rows],
        ),
        held_out_images=dataset.images[readings.rows],
        accuracy_float=verdict.float_correct / verdict.samples,
        accuracy_int8=verdict.int8_correct / verdict.samples,
        accuracy_calibrated=publication.calibrated.int8_correct / verdict.samples,
        size_bytes=len(publication.model),
        latency_ms=outcome.latency_ms,
        wall_s=outcome.wall_s,
        peak_memory_bytes=outcome.peak_memory_bytes,
        weights_sha256=publication.weights_sha256,
        refused=None,
        styles=_styles(federation),
    )


def _styles(federation: Federation) -> list[str]:
    """What each device's handwriting looks like, in words; none where all look alike."""
    styles = styles_of(federation.scenario.partition, federation.partition.devices, federation.settings.seed)
    return [style.in_words() for style in styles]


def _label_counts(federation: Federation) -> NDArray[np.int64]:
    """int64 (devices, classes): training samples."""
    training = ~federation.partition.held_out
    counts = np.zeros((federation.partition.devices, len(federation.dataset.alphabet)), np.int64)
    np.add.at(counts, (federation.partition.device[training], federation.dataset.labels[training]), 1)
    return counts
