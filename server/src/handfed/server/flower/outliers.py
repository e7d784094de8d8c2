"""Which updates of a round stand out: two bounds against what the round's devices agree on.

Both compare single updates with a median over the round, which fewer than half of its devices cannot move far:

- **length**: an update may be at most so many times as long (L2) as the median length. Scaling an update up is how one
  device replaces the whole model (Bagdasaryan et al. 2020, arXiv:1807.00459; the bound is that of Sun et al. 2019,
  arXiv:1911.07963, with the median in place of a constant).
- **direction**: the cosine between an update and the coordinate-wise median update (Yin et al. 2018, arXiv:1803.01498)
  must be at least so much. Whoever sends updates backwards points away from everybody else (the test of FLTrust,
  Cao et al. 2021, arXiv:2012.13995, which asks a trusted data set on the server; there is none here).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handfed.shared.wire import Reason

Vectors = NDArray[np.float32]


def outliers(updates: Vectors, *, norm_bound: float, direction_bound: float) -> dict[int, tuple[Reason, str]]:
    """The updates that break a bound.

    Args:
        updates: float32 (devices, weights), each device's new weights minus those it was sent.
        norm_bound: Times the median length; 0 for no bound.
        direction_bound: Least cosine with the median update; -1 for no bound.

    Returns:
        By position, the reason and what was found, without any value of the update.
    """
    found: dict[int, tuple[Reason, str]] = {}
    if len(updates) < 3:  # noqa: PLR2004 - of two, nobody can tell which one stands out
        return found
    lengths = np.linalg.norm(updates, axis=1)
    if norm_bound:
        for place in np.flatnonzero(lengths > norm_bound * np.median(lengths)).tolist():
            found[place] = (Reason.LENGTH, f"longer than {norm_bound:g} times the round's median update")
    if direction_bound > -1:
        for place, cosine in enumerate(_cosines(updates, lengths, sorted(found))):
            if cosine < direction_bound and place not in found:
                found[place] = (Reason.DIRECTION, f"its cosine with the round's median is below {direction_bound:g}")
    return found


def _cosines(updates: Vectors, lengths: NDArray[np.float32], but: Sequence[int]) -> NDArray[np.float64]:
    """The cosine of each update with the coordinate-wise median of all `but` some; 1 where either has no length."""
    kept = np.setdiff1d(np.arange(len(updates)), but)
    middle = np.median(updates[kept], axis=0)
    products = lengths.astype(np.float64) * np.linalg.norm(middle)
    dots = updates.astype(np.float64) @ middle
    cosines: NDArray[np.float64] = np.where(products > 0, dots / np.where(products > 0, products, 1.0), 1.0)
    return cosines
