"""Runs of ink and the components they form."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from handfed.shared import ink_runs

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14))


def flooded(ink: ink_runs.Mask) -> np.ndarray:
    """Components by flood fill, numbered as they are met row by row, -1 of paper."""
    labels = np.full(ink.shape, -1)
    count = 0
    for start in zip(*np.nonzero(ink), strict=True):
        if labels[start] >= 0:
            continue
        waiting = [start]
        while waiting:
            row, column = waiting.pop()
            inside = 0 <= row < ink.shape[0] and 0 <= column < ink.shape[1]
            if not inside or not ink[row, column] or labels[row, column] >= 0:
                continue
            labels[row, column] = count
            waiting += [(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        count += 1
    return labels


@given(MASKS)
def test_runs_are_the_mask(ink: ink_runs.Mask) -> None:
    drawn = np.zeros_like(ink)
    found = ink_runs.of(ink)
    drawn[ink_runs.pixels(*found)] = True
    assert np.array_equal(drawn, ink)
    assert len(found.row) == (np.diff(ink.astype(int), axis=1, prepend=0) == 1).sum()


@given(MASKS)
def test_components_are_those_of_a_flood_fill(ink: ink_runs.Mask) -> None:
    found = ink_runs.of(ink)
    labels = np.full(ink.shape, -1)
    labels[ink_runs.pixels(*found)] = np.repeat(ink_runs.components(found), found.end - found.start)
    assert np.array_equal(labels, flooded(ink))


def test_a_spiral_is_one_component() -> None:
    ink = np.zeros((61, 61), np.bool_)
    for ring in range(0, 30, 2):
        ink[ring, ring : 61 - ring] = ink[60 - ring, ring : 61 - ring] = True
        ink[ring : 61 - ring, 60 - ring] = ink[ring + 2 : 61 - ring, ring] = True
        ink[ring + 2, ring : ring + 3] = True
    assert np.array_equal(ink_runs.components(ink_runs.of(ink)), np.zeros(len(ink_runs.of(ink).row)))


@given(MASKS)
def test_neighbours_are_those_above_and_below(ink: ink_runs.Mask) -> None:
    padded = np.pad(ink, ((1, 1), (0, 0)))
    assert np.array_equal(ink_runs.with_neighbours(ink), padded[:-2] | padded[1:-1] | padded[2:])
