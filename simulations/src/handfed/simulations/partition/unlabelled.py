"""What devices hold without a label, where nobody had the time to label all of it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_STREAM: Final = 4  # of those that a seed gives rise to; steps of handwriting have the one below


def without_label(
    device: NDArray[np.int32], held_out: NDArray[np.bool_], devices: int, labelled: float, seed: int
) -> NDArray[np.bool_]:
    """What has no label, as bool (n,): drawn on each device by itself, and nothing of what is held out.

    Args:
        device: int32 (n,), the device of each sample.
        held_out: bool (n,), what no device trains on.
        devices: How many there are.
        labelled: Fraction of what a device trains on that has a label, above 0, up to 1; rounded up.
        seed: At least 0.
    """
    mask = np.zeros(len(device), np.bool_)
    if labelled < 1:
        for each in range(devices):
            rows = np.flatnonzero((device == each) & ~held_out)
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, each)))
            mask[rows[rng.permutation(len(rows))[math.ceil(labelled * len(rows)) :]]] = True
    return mask
