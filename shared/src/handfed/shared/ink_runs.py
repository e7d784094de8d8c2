"""Runs of ink in the rows of a page, and the connected components that they form.

Source: He, Chao and Suzuki, "A Run-Based Two-Scan Labeling Algorithm" (IEEE Transactions on Image Processing 17, 2008);
the union-find is done for all pairs of runs at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


class Runs(NamedTuple):
    """Runs of ink, in the order of their rows and then of their columns.

    Attributes:
        row: int64 (n,).
        start: int64 (n,), first column of each.
        end: int64 (n,), last column plus one of each.
    """

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]


def of(ink: Mask) -> Runs:
    """The runs of a mask, bool (height, width)."""
    height, width = ink.shape
    padded = np.zeros((height, width + 1), np.bool_)  # a column of paper: no run goes on in the next row
    padded[:, :width] = ink
    flat = padded.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if len(flat) and flat[0]:
        edges = np.insert(edges, 0, 0)
    row, start = np.divmod(edges[::2], width + 1)
    return Runs(row, start, edges[1::2] - row * (width + 1))


def pixels(
    row: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows and columns of all pixels of runs, run by run."""
    length = end - start
    first = np.cumsum(length) - length
    return np.repeat(row, length), np.arange(length.sum()) + np.repeat(start - first, length)


def components(found: Runs) -> NDArray[np.int64]:
    """Which component each run belongs to; runs that meet at a corner touch (8-connectivity).

    Returns:
        int64 (n,), from 0 and without gaps, in the order of the components' first runs.
    """
    above, below = _touching(found)
    root = np.arange(len(found.row))
    while True:
        one, other = root[above], root[below]
        if np.array_equal(one, other):
            break
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(root, root[root]):
            root = root[root]
    return np.unique(root, return_inverse=True)[1]


def _touching(found: Runs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of runs in neighbouring rows that touch."""
    stride = int(found.end.max(initial=0)) + 1  # places on one long line, where rows lie apart
    starts, ends = found.row * stride + found.start, found.row * stride + found.end
    first = np.searchsorted(ends, starts + stride, side="left")
    last = np.searchsorted(starts, ends + stride, side="right")  # as a diagonal neighbour starts where this one ends
    count = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(starts)), count)
    return above, np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)


def with_neighbours(ink: Mask) -> Mask:
    """A mask with the pixels right above and below its own."""
    result = ink.copy()
    result[1:] |= ink[:-1]
    result[:-1] |= ink[1:]
    return result
