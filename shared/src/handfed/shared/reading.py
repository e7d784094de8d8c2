"""Reading samples with a published model: what devices judge it by, and what people are told."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from handfed.shared import ctc
from handfed.shared.calibration import TemperatureCurve
from handfed.shared.decoding.greedy import Greedy
from handfed.shared.litert import Int8Model, softmax
from handfed.shared.samples import Samples

_AT_ONCE = 64  # samples of like width
_MOST_TEXTS = 500  # of which a device works out a curve: each takes milliseconds

Logits = NDArray[np.float32]


def read(model: Int8Model, samples: Samples) -> list[list[int]]:
    """The classes that a model reads, of each sample: of texts by the best path.

    Raises:
        ManifestError: The model breaks as it runs.
    """
    if not samples.are_texts:
        return [[int(label)] for label in model.logits(samples.pictures).argmax(axis=1)]
    found: list[list[int]] = [[]] * len(samples)
    for rows, logits, steps in _texts(model, samples):
        for row, text in zip(rows, ctc.best_path(logits, steps), strict=True):
            found[row] = text
    return found


def temperature_curve(model: Int8Model, samples: Samples) -> TemperatureCurve:
    """How well each temperature explains what was written; of very many texts, of an even pick.

    Raises:
        ManifestError: The model breaks as it runs.
    """
    if not samples.are_texts:
        return TemperatureCurve.of_characters(model.logits(samples.pictures), samples.labels)
    picked = samples.take(np.linspace(0, len(samples) - 1, min(len(samples), _MOST_TEXTS)).round().astype(np.int64))
    written, curve = picked.written(), TemperatureCurve.empty()
    for row, logits in text_logits(model, picked):
        curve += TemperatureCurve.of_text(logits, written[row])
    return curve


def confidences(model: Int8Model, samples: Samples, temperature: float) -> NDArray[np.float64]:
    """float64 (n,): how probable what `read` gives is, under a temperature.

    Raises:
        ManifestError: The model breaks as it runs.
    """
    if not samples.are_texts:
        probabilities = softmax(model.logits(samples.pictures) / np.float32(temperature))
        return np.asarray(probabilities.max(axis=1, initial=0), np.float64)
    found = np.zeros(len(samples))
    for row, logits in text_logits(model, samples):
        found[row] = Greedy().decode(logits / np.float32(temperature)).confidence
    return found


def text_logits(model: Int8Model, samples: Samples) -> Iterator[tuple[int, Logits]]:
    """Each text's row and logits (steps, classes + 1), of the steps that hold something of it; texts in any order.

    Raises:
        ManifestError: The model breaks as it runs.
    """
    for rows, logits, steps in _texts(model, samples):
        for row, one, count in zip(rows.tolist(), logits, steps.tolist(), strict=True):
            yield row, one[:count]


def _texts(model: Int8Model, samples: Samples) -> Iterator[tuple[NDArray[np.int64], Logits, NDArray[np.int32]]]:
    """Rows, logits (n, steps, classes + 1), and how many of the steps hold something of each text, part by part."""
    for rows, part in samples.batches(_AT_ONCE):
        logits = model.logits(part.images)
        yield rows, logits, part.steps(part.images.shape[2] // logits.shape[1])
