"""Pseudo-labels: readings of samples without a label that are sure enough to be trained on as labels.

Each class has a threshold of its own. Where every class had the highest, those that are hard to read would hardly ever
reach it, and only what is read well already would be learnt. So a class's threshold is lower, the fewer of its readings
are sure as yet, and rises as it is learnt (curriculum pseudo labeling).

Rules:
1. Confidences are calibrated before they are compared (`handfed.shared.calibration`).
2. While most readings are unsure of any class, thresholds are low for all classes alike; then `LEAST_CONFIDENCE`
   holds: what is not even likelier than not is never a label.
3. A pseudo-label weighs less than a label, and only training sees it: nothing is judged by it, and no memory keeps it.

Source: Zhang et al. 2021, FlexMatch (arXiv:2110.08263), section 3, with threshold warm-up and the convex mapping
x / (2 - x). The least threshold is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handfed.shared.run_settings import LEAST_CONFIDENCE
from handfed.shared.samples import Samples


@dataclass(frozen=True)
class PseudoLabels:
    """Which samples are read surely enough, and as what.

    Attributes:
        rows: int64 (k,), ascending.
        labels: int32 (k,), the class that each is read as.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int32]


def thresholds(probabilities: NDArray[np.floating], highest: float) -> NDArray[np.float64]:
    """The confidence that a reading of each class has to reach.

    Args:
        probabilities: float (n, classes), calibrated.
        highest: Threshold of the class that is read surely most often, `LEAST_CONFIDENCE` to 1.

    Returns:
        float64 (classes,), `LEAST_CONFIDENCE` to `highest`.
    """
    readings, confidences = _read(probabilities)
    sure = np.bincount(readings[confidences >= highest], minlength=probabilities.shape[1])
    unsure = len(probabilities) - int(sure.sum())
    learnt = sure / max(int(sure.max(initial=0)), unsure, 1)
    return np.maximum(learnt / (2 - learnt) * highest, LEAST_CONFIDENCE)


def pseudo_labels(probabilities: NDArray[np.floating], highest: float) -> PseudoLabels:
    """The readings that are sure enough for their class.

    Args:
        probabilities: float (n, classes), calibrated.
        highest: As of `thresholds`.
    """
    readings, confidences = _read(probabilities)
    rows = np.flatnonzero(confidences >= thresholds(probabilities, highest)[readings])
    return PseudoLabels(rows, readings[rows].astype(np.int32))


def taught(labelled: Samples, unlabelled: Samples, found: PseudoLabels, weight: float) -> Samples:
    """What is trained on: samples with labels, and beside them those whose reading serves as one.

    Args:
        labelled: Of single characters.
        unlabelled: Likewise, with as many planes; their labels mean nothing.
        found: Pseudo-labels of these.
        weight: What one counts, above 0, up to 1.
    """
    more = unlabelled.take(found.rows)
    own = np.ones(len(labelled), np.float32) if labelled.weights is None else labelled.weights
    return Samples(
        np.concatenate([labelled.images, more.images]),
        np.concatenate([labelled.labels, found.labels]),
        planes=None
        if labelled.planes is None or more.planes is None
        else np.concatenate([labelled.planes, more.planes]),
        weights=np.concatenate([own, np.full(len(more), weight, np.float32)]),
    )


def _read(probabilities: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The class that each sample is read as, and how sure that is."""
    return probabilities.argmax(axis=1), probabilities.max(axis=1, initial=0.0)
