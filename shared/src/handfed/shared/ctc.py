"""Decoding of connectionist temporal classification (CTC), without TensorFlow.

The last class is the blank. Source: Graves et al. 2006, doi:10.1145/1143844.1143891, section 3.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_path(logits: NDArray[np.float32], steps: NDArray[np.int32]) -> list[list[int]]:
    """The most probable class of each step, repeats merged and blanks left out.

    Args:
        logits: float (n, steps, classes + 1).
        steps: int (n,), how many steps of each sample count.

    Returns:
        The classes of each sample, in reading order.
    """
    blank = logits.shape[2] - 1
    found = logits.argmax(axis=2)  # (n, steps)
    changes = np.diff(found, axis=1, prepend=-1) != 0
    kept = changes & (found != blank) & (np.arange(found.shape[1]) < steps[:, None])
    return [found[row, kept[row]].tolist() for row in range(len(found))]
