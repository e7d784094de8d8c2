"""What a device learns of handwriting that nobody labelled: what the model reads surely of it serves as its label.

Rules:
1. Only a run that goes on from an earlier one does so, since an untrained model has nothing to say. A round's
   pseudo-labels are those of the arrays that the round begins with: in the first round, of the champion. So a round is
   a function of what it is sent and of what the device holds, and a device that comes late, or begins anew, has the
   same labels as one that was there throughout.
2. The confidences are calibrated by one temperature, fitted to what the device holds out; of fewer than `LEAST_FITTED`
   samples it stays 1. Held-out handwriting is read for that, and never trained on.
3. Nothing of it leaves the device: neither a label, nor how many there are. An update weighs what it weighs without
   them, so a device cannot gain weight by what it reads into its own pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.calibration import TemperatureCurve
from handfed.shared.litert import softmax
from handfed.shared.local_training import LocalTraining
from handfed.shared.pseudo_labels import pseudo_labels, taught
from handfed.shared.samples import Samples

LEAST_FITTED: Final = 10  # samples
MOST_FITTED: Final = 500  # an even pick: one number is fitted


def with_pseudo_labels(
    training: Samples,
    unlabelled: Samples | None,
    held_out: Samples,
    settings: LocalTraining,
    logits_of: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
) -> Samples:
    """What is trained on in a round.

    Args:
        training: Samples with labels.
        unlabelled: Without; None where there are none.
        held_out: What the temperature is fitted to.
        settings: Whether pseudo-labels count, from which confidence on, and how much.
        logits_of: The model that the round begins with: from pictures, uint8 (n, height, width, channels), to float32
            (n, classes).
    """
    if not settings.pseudo_labels or unlabelled is None or not len(unlabelled) or training.are_texts:
        return training
    logits = logits_of(unlabelled.pictures) / np.float32(_temperature(held_out, logits_of))
    found = pseudo_labels(softmax(logits), settings.pseudo_labels)
    return taught(training, unlabelled, found, settings.pseudo_weight)


def _temperature(held_out: Samples, logits_of: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> float:
    """What makes the model as sure as it is right."""
    if len(held_out) < LEAST_FITTED:
        return 1.0
    count = min(len(held_out), MOST_FITTED)
    picked = held_out.take(np.linspace(0, len(held_out) - 1, count).round().astype(np.int64))
    return TemperatureCurve.of_characters(logits_of(picked.pictures), picked.labels).temperature()
