"""Which release a device is to use in a comparison: drawn by its number, and the same whenever it is asked for."""

from __future__ import annotations

from handfed.server.comparisons.models import ComparisonRow
from handfed.shared.registry import bucket_of


def release_for(row: ComparisonRow, device: int) -> int:
    """The release that a device is to use in a comparison.

    Args:
        row: The comparison.
        device: Number of the device, which stays though its key may change.
    """
    return row.release_b if bucket_of(str(device), row.salt) < row.percent else row.release_a
