"""Which of what a device trains on has a label, where nobody had the time to label all of it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from handfed.simulations.partition.scheme import Rows

_STREAM: Final = 4  # of those that a seed gives rise to; steps of handwriting have the one below


def parted(rows: Rows, fraction: float, *, seed: int, device: int) -> tuple[Rows, Rows]:
    """Parts a device's rows at random, always alike.

    Args:
        rows: Ascending.
        fraction: That has a label, above 0, up to 1; rounded up.
        seed: At least 0.
        device: Its number.

    Returns:
        The rows that have a label, and those that have none; both ascending.
    """
    if fraction >= 1:
        return rows, rows[:0]
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, device)))
    order = rng.permutation(len(rows))
    many = math.ceil(fraction * len(rows))
    return rows[np.sort(order[:many])], rows[np.sort(order[many:])]
