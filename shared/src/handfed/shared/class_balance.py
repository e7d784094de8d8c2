"""Weights a class that make up for how unevenly a device's own samples fall into classes.

The effective number of n samples is what they cover, since each new one overlaps more with those before it:
E_n = (1 - beta^n) / (1 - beta); a class weighs 1 / E_n. Source: Cui et al. 2019 (arXiv:1901.05555), equations 2 and 5.
With beta towards 1 it is the inverse frequency, which would let a single odd picture of a device weigh as much as
hundreds of others.

The weights have mean 1 over the device's samples, so that neither the loss nor the length of a step depends on how many
classes a device has. They follow from its labels and stay on the device.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

BETA: Final = 0.99  # the paper's least but one: devices hold tens to hundreds of samples a class


def balanced_weights(counts: NDArray[np.int64], beta: float = BETA) -> NDArray[np.float32]:
    """The weight of each class.

    Args:
        counts: int (classes,), samples of each class on the device, at least one in all.
        beta: From 0, where all classes weigh the same, to below 1.

    Returns:
        float32 (classes,), 0 for a class that the device lacks; its mean over the samples is 1.
    """
    effective = (1 - np.power(beta, counts)) / (1 - beta)
    weights: NDArray[np.float64] = np.divide(1.0, effective, out=np.zeros(len(counts)), where=counts > 0)
    mean = np.average(weights, weights=counts)
    return np.asarray(weights / mean, np.float32)
