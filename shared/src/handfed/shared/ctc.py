"""Connectionist temporal classification (CTC), without TensorFlow: what a path says, and how probable a text is.

The last class is the blank. Source: Graves et al. 2006, doi:10.1145/1143844.1143891, sections 3.2 and 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Natural logarithms of the probabilities that logits stand for, over the last axis."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True, initial=-np.inf)
    found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def log_likelihood(log_probabilities: NDArray[np.float64], text: Sequence[int]) -> NDArray[np.float64]:
    """How probable a text is: summed over all paths that say it, by the forward algorithm (equations 5 to 8).

    Args:
        log_probabilities: float64 (n, steps, classes + 1), of n opinions on one picture.
        text: Classes in reading order.

    Returns:
        float64 (n,), nats; minus infinity where the text needs more steps than there are.
    """
    blank = log_probabilities.shape[2] - 1
    symbols = np.full(2 * len(text) + 1, blank)  # the text, with blanks around and between
    symbols[1::2] = text
    emitted = log_probabilities[:, :, symbols]  # (n, steps, symbols)
    skips = np.append([False, True], (symbols[2:] != blank) & (symbols[2:] != symbols[:-2]))[: len(symbols)]
    skipped = np.where(skips, 0.0, -np.inf)
    # Two places before the first symbol, so that a path may start at the first blank or at the first class.
    forward = np.full((len(emitted), len(symbols) + 2), -np.inf)
    forward[:, 1] = 0.0
    for step in range(emitted.shape[1]):
        moved = np.logaddexp(forward[:, 2:], forward[:, 1:-1])
        forward[:, 2:] = np.logaddexp(moved, forward[:, :-2] + skipped) + emitted[:, step]
        forward[:, 1] = -np.inf
    # A path ends at the last class or the blank after it; without any step, where it began.
    return np.asarray(np.logaddexp(forward[:, -1], forward[:, -2]))
