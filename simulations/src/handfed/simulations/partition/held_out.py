"""What is held out: whole writers where they are known, otherwise images of every class."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError


def hold_out(dataset: Dataset, fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """What is held out, as bool (n,).

    Args:
        dataset: Its samples.
        fraction: Of the writers, or of each class's images; above 0 and below 1.
        rng: Draws which.

    Raises:
        SettingError: There is one writer only, or the fraction is less than half an image of every class.
    """
    if dataset.writers is not None:
        writers = np.unique(dataset.writers)  # of a part of a data set, not every number occurs
        if len(writers) < 2:  # noqa: PLR2004 - one to train on, one to hold out
            raise SettingError(f"{dataset.name} has one writer, and a writer must be held out; add another's samples")
        count = min(max(_rounded(len(writers) * fraction), 1), len(writers) - 1)
        return np.isin(dataset.writers, rng.permutation(writers)[:count])
    mask = np.zeros(len(dataset), np.bool_)
    for label in range(len(dataset.alphabet)):
        rows = np.flatnonzero(dataset.strata == label)
        count = min(_rounded(len(rows) * fraction), max(len(rows) - 1, 0))
        mask[rng.permutation(rows)[:count]] = True
    if not mask.any():
        raise SettingError(f"held_out is {fraction}, less than half an image of every class of {dataset.name}")
    return mask


def _rounded(value: float) -> int:
    return math.floor(value + 0.5)
