"""The rules for the arrays that are no weights: batch statistics and activation ranges.

Flower's strategies combine weights. What a strategy does to a weight (momentum, adaptive steps, a median a coordinate)
means nothing for a mean, a second moment or a range, so those have rules of their own; `handfed.shared.wire` says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from handfed.shared.wire import Role, Schema

Array = NDArray[np.float32]


def combine(
    updates: Sequence[Mapping[str, Array]], counts: Sequence[int], schema: Schema, *, by_sums: bool = False
) -> dict[str, Array]:
    """Combines the statistics and ranges of checked updates.

    Args:
        updates: One mapping a device, each with every array of the schema that is no weight; in the order of the
            devices' ids, so that a run can be repeated to the bit.
        counts: Samples behind each update, at least one of them above 0.
        schema: Names and roles.
        by_sums: Whether everything must follow from sums over the updates, as where no single one may be seen.

    Returns:
        The means and second moments weighted by samples, and the median (by sums: the mean) of each end of each range.
    """
    combined: dict[str, Array] = {}
    for name in schema.names(Role.MEAN, Role.SECOND_MOMENT):
        combined[name] = weighted_mean([update[name] for update in updates], counts)
    for name in schema.names(Role.RANGE):
        if by_sums:
            combined[name] = weighted_mean([update[name] for update in updates], counts)
            continue
        combined[name] = np.median(np.stack([update[name] for update in updates]), axis=0).astype(np.float32)
    return combined


def weighted_mean(arrays: Sequence[Array], counts: Sequence[int]) -> Array:
    """The mean of arrays of one shape, each weighing as much as its count; summed in float64."""
    total = np.zeros(arrays[0].shape, np.float64)
    for array, count in zip(arrays, counts, strict=True):
        total += array.astype(np.float64) * count
    return (total / sum(counts)).astype(np.float32)
