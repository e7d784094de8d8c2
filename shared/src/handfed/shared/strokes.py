"""Pen strokes behind pictures of characters, where a tablet or a screen recorded them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Strokes:
    """The strokes of many samples, one after the other.

    Attributes:
        points: (points, 2), x to the right and y upwards, in units that are the same throughout a writer's samples; at
            a steady rate in time.
        stroke: (points,), the number of each point's stroke within its sample.
        offset: int64 (n + 1,), where each sample begins in `points`, and the end of the last; each has a point.
    """

    points: NDArray[np.int16]
    stroke: NDArray[np.uint8]
    offset: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offset) - 1

    def part(self, first: int, end: int) -> Strokes:
        """The samples from `first` to before `end`."""
        start, stop = self.offset[first], self.offset[end]
        offset = self.offset[first : end + 1] - start
        return Strokes(self.points[start:stop], self.stroke[start:stop], offset)

    def boxes(self) -> NDArray[np.float64]:
        """float64 (n, 4): least x, least y, greatest x and greatest y of each sample."""
        starts, points = self.offset[:-1], self.points.astype(np.float64)
        return np.concatenate([np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)], axis=1)

    def relative_sizes(self, writers: NDArray[np.int32] | None) -> NDArray[np.float64]:
        """float64 (n,): how large each sample is, beside the median of its writer's; 0 where that says nothing.

        Args:
            writers: int (n,), who wrote each; None where that is unknown, and all count as one writer's.
        """
        boxes = self.boxes()
        sizes = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        found = np.zeros(len(self))
        writers = np.zeros(len(self), np.int32) if writers is None else writers
        for writer in np.unique(writers):
            of_writer = writers == writer
            median = np.median(sizes[of_writer])
            found[of_writer] = sizes[of_writer] / median if median else 0.0
        return found
