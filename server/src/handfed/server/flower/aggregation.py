"""The rules for the arrays that are no weights: batch statistics and activation ranges.

Flower's strategies combine weights. What a strategy does to a weight (momentum, adaptive steps, a median a coordinate)
means nothing for a mean, a second moment or a range, so those have rules of their own; `handfed.shared.wire` says why.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from handfed.shared.wire import Flat, Role, Schema


def combine(updates: Sequence[Flat], counts: Sequence[int], schema: Schema, *, by_sums: bool = False) -> Flat:
    """Combines the statistics and ranges of checked updates.

    Args:
        updates: float32 (schema.size,), one a device; in the order of the devices' ids, so that a run can be repeated
            to the bit.
        counts: Samples behind each update, at least one of them above 0.
        schema: What the updates are of.
        by_sums: Whether everything must follow from sums over the updates, as where no single one may be seen.

    Returns:
        What follows the weights in an array of the schema: the means and second moments weighted by samples, and the
        median (by sums: the mean) of each end of each range; float32.
    """
    statistics = [
        weighted_mean([update[schema.span(role)] for update in updates], counts)
        for role in (Role.MEAN, Role.SECOND_MOMENT)
    ]
    ranges = [update[schema.span(Role.RANGE)] for update in updates]
    return np.concatenate([*statistics, weighted_mean(ranges, counts) if by_sums else median(ranges)])


def weighted_mean(arrays: Sequence[Flat], counts: Sequence[int]) -> Flat:
    """The mean of arrays of one shape, each weighing as much as its count; summed in float64."""
    total = np.zeros(arrays[0].shape, np.float64)
    for array, count in zip(arrays, counts, strict=True):
        total += array.astype(np.float64) * count
    return (total / sum(counts)).astype(np.float32)


def median(arrays: Sequence[Flat]) -> Flat:
    """The median of arrays of one shape, a value at a time."""
    return np.median(np.stack(arrays), axis=0).astype(np.float32)
