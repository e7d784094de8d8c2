"""Reading samples with a published model: what devices judge it by, and what people are told."""

from __future__ import annotations

from handfed.shared import ctc
from handfed.shared.litert import Int8Model
from handfed.shared.samples import Samples

_AT_ONCE = 64  # samples of like width


def read(model: Int8Model, samples: Samples) -> list[list[int]]:
    """The classes that a model reads, of each sample.

    Raises:
        ManifestError: The model breaks as it runs.
    """
    if not samples.are_texts:
        return [[int(label)] for label in model.logits(samples.pictures).argmax(axis=1)]
    found: list[list[int]] = [[]] * len(samples)
    for rows, part in samples.batches(_AT_ONCE):
        logits = model.logits(part.images)  # (n, steps, classes + 1)
        steps = part.steps(part.images.shape[2] // logits.shape[1])
        for row, text in zip(rows, ctc.best_path(logits, steps), strict=True):
            found[row] = text
    return found
