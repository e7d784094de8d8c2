"""What came to a device's store since runs had it, in figures: how much, how it looks, and how the release reads it.

    python -m handfed.clients.device.survey PARENT FOLDER RELEASE

prints the JSON of `handfed.shared.handwriting_reports.HandwritingReport`. It is a process of its own, so that its
memory is let go.

Rules, beside those of the report:
1. What is compared is alike: how the release reads is told of writers of whom it has seen nothing, among what came
   before those that are held out.
2. Figures are all that is printed.
"""

from __future__ import annotations

import json
import operator
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.device.folder import store_in
from handfed.clients.device.store.handwriting import ByWriter
from handfed.clients.device.store.store import Store
from handfed.clients.edge.recogniser import Recogniser
from handfed.shared.appearance import appearance
from handfed.shared.disclosure import LEAST_SAMPLES, LEAST_WRITERS
from handfed.shared.errors import ConflictError, HandfedError
from handfed.shared.handwriting_reports import (
    APPEARANCE,
    CONFIDENCE,
    EACH,
    LEAST_OF_WRITER,
    MOST_CLASSES,
    MOST_WRITERS,
    Figure,
    HandwritingReport,
    class_name,
    in_tens,
    rounded,
)
from handfed.shared.parent import die_with
from handfed.shared.samples import Samples

_MOST_JUDGED: Final = 1000  # samples that are held out; of more, an even pick
_SUREST: Final = 12.0  # log-odds, beyond which how sure a release is says more of its arithmetic than of a hand


def surveyed(folder: Path, release: Path) -> HandwritingReport:
    """What a device has to tell of its handwriting.

    Args:
        folder: The device's folder.
        release: Directory of the release in use.

    Raises:
        HandfedError: The release or the store cannot be used.
    """
    recogniser = Recogniser.open(release)
    if recogniser.release is None:
        raise ConflictError("a bare file is no release; what it reads is told nobody")
    with Store.open(store_in(folder), make=False) as store:
        found = store.survey(recogniser.task, recogniser.alphabet, each=EACH)
        held_out = store.handwriting(recogniser.task, recogniser.alphabet).held_out
    known, recent = figures(found.known, recogniser), figures(found.recent, recogniser)
    counts = (in_tens(count) for count in (found.feedback, found.feedback_used))
    return HandwritingReport(
        recogniser.release, in_tens(found.fresh), known, recent, *judged(held_out, recogniser), *counts
    )


def judged(held_out: Samples, recogniser: Recogniser) -> tuple[int, int]:
    """How many samples that are held out a release has read, and how many of them without an error.

    Args:
        held_out: Samples, with labels of the release's alphabet.
        recogniser: The release in use.
    """
    if len(held_out) < LEAST_SAMPLES:
        return 0, 0
    picked = np.linspace(0, len(held_out) - 1, min(len(held_out), _MOST_JUDGED)).round().astype(np.int64)
    samples = held_out.take(picked)
    right = sum(map(operator.eq, recogniser.transcribe(samples), samples.written()))
    return len(samples), right


def figures(side: ByWriter, recogniser: Recogniser) -> dict[str, Figure]:
    """Figures of one side of a store, those that may be told.

    Args:
        side: Samples, by writer.
        recogniser: The release in use.
    """
    told = {}
    rows = rows_of_groups(side.writers)
    if len(rows):
        values = appearance(side.samples.take(rows))
        told = {name: by_writer(column, side.writers[rows]) for name, column in zip(APPEARANCE, values.T, strict=True)}
    unseen = np.flatnonzero(side.unseen)
    rows = unseen[rows_of_groups(side.writers[unseen])]
    return told | (readings(side.samples.take(rows), side.writers[rows], recogniser) if len(rows) else {})


def rows_of_groups(writers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of writers who are told of: whole groups, in the order in which they came to have enough samples.

    Args:
        writers: int64 (n,), who wrote each sample, in the order in which they came.

    Returns:
        int64 (k,), ascending.
    """
    found, place, counts = np.unique(writers, return_inverse=True, return_counts=True)
    order = np.argsort(place, kind="stable")  # rows by writer, each writer's as they came
    first = np.cumsum(counts) - counts
    enough = np.flatnonzero(counts >= LEAST_OF_WRITER)
    came = order[first[enough] + LEAST_OF_WRITER - 1]  # the row with which a writer had enough
    in_order = enough[np.argsort(came)]
    told = in_order[: len(in_order) // LEAST_WRITERS * LEAST_WRITERS][-MOST_WRITERS:]
    return np.flatnonzero(np.isin(writers, found[told]))


def by_writer(values: NDArray[np.float64], writers: NDArray[np.int64]) -> Figure:
    """The figure of values over writers, each counted by the mean over his or her samples.

    Args:
        values: float64 (n,).
        writers: int64 (n,), who wrote each.
    """
    _, place, counts = np.unique(writers, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=values) / counts
    return Figure(len(means), rounded(float(means.mean())), rounded(float(means.std(ddof=1))))


def readings(samples: Samples, writers: NDArray[np.int64], recogniser: Recogniser) -> dict[str, Figure]:
    """Figures of how a release reads: how sure it is, and of which classes what it reads is.

    Args:
        samples: Of writers whom the release has not seen.
        writers: int64 (n,), who wrote each.
        recogniser: The release.
    """
    sure = recogniser.confidences(samples)
    odds = np.clip(np.log(np.maximum(sure, 1e-9)) - np.log(np.maximum(1 - sure, 1e-9)), -_SUREST, _SUREST)
    shares = class_shares(recogniser.transcribe(samples), len(recogniser.alphabet))
    told = {CONFIDENCE: by_writer(odds, writers)}
    for label in classes_told((shares > 0).sum(axis=0), len(samples)):
        told[class_name(label)] = by_writer(shares[:, label], writers)
    return told


def class_shares(read: list[list[int]], classes: int) -> NDArray[np.float64]:
    """Of each sample, which share of what is read is of each class.

    Args:
        read: The classes that each sample is read as.
        classes: How many there are.

    Returns:
        float64 (n, classes); each row sums to 1, or to 0 where nothing is read.
    """
    shares = np.zeros((len(read), classes))
    for row, labels in enumerate(read):
        shares[row] = np.bincount(np.array(labels, np.int64), minlength=classes) / max(len(labels), 1)
    return shares


def classes_told(samples: NDArray[np.int64], total: int) -> list[int]:
    """The classes that are told of, those with most samples first where there are too many.

    Args:
        samples: int64 (classes,), in how many samples each was read.
        total: How many samples there are.
    """
    enough = np.flatnonzero(samples >= LEAST_SAMPLES)
    enough = enough[np.argsort(-samples[enough], kind="stable")][:MOST_CLASSES]
    if len(enough) and 0 < total - samples[enough].sum() < LEAST_SAMPLES:
        enough = enough[:-1]  # or those below could be told from the rest
    return sorted(enough.tolist())


def main(arguments: list[str]) -> int:
    """Prints the figures; exit status 0, or that of the error."""
    die_with(int(arguments[0]))
    try:
        found = surveyed(*map(Path, arguments[1:]))
    except HandfedError as error:
        sys.stderr.write(f"{type(error).__name__}\n")  # its text may name a file
        return error.exit_status
    sys.stdout.write(json.dumps(found.to_json()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
