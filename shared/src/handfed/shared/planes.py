"""What a recogniser of characters may see beside the ink: planes of the same size, 0 where there is nothing.

    topology   2 planes: holes (paper that ink encloses), and the neighbourhoods of the ends of strokes
    size       1 plane: the ink, the stronger the larger the character is beside others of its writer; normalisation
               takes size away, and with it what tells o from O
    pen        3 planes: the ink by the direction in which the pen moved (across, up), and by when it did; of samples
               that come with their strokes

Rules:
1. A plane is 0 but for the box of the ink and a pixel around it, so that it bears every deformation that the ink does.
2. What is not known of a sample is 0 throughout: a picture without strokes is still read.
3. Topology follows from the picture alone, and its arithmetic is exact.

Holes and end points as features: Suen et al. 1992, "Computer recognition of unconstrained handwritten numerals",
doi:10.1109/5.156474. Pen direction as planes: Bai and Huo 2005, "A study on the use of 8-directional features for
online handwritten Chinese character recognition", doi:10.1109/ICDAR.2005.36.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.images import INK_FLOOR
from handfed.shared.inputs import CHANNELS, channels
from handfed.shared.strokes import Strokes

_INK: Final = 96  # of 255: what counts as a stroke
_AT_ONCE: Final = 256  # samples
_LEAST_STEPS: Final = 4  # from one point to the next, and at least one a pixel
_HALF_STROKE: Final = 1.0  # pixels, of the normalised picture
Planes = NDArray[np.uint8]


def seen(
    images: NDArray[np.uint8],
    kinds: Sequence[str],
    strokes: Strokes | None = None,
    writers: NDArray[np.int32] | None = None,
) -> Planes:
    """The ink and what is beside it, as a recogniser sees them.

    Args:
        images: uint8 (n, height, width), normalised.
        kinds: Kinds of `handfed.shared.inputs`, in the order of the planes.
        strokes: Of the same samples; None where they are unknown.
        writers: int32 (n,), who wrote each; None where that is unknown.

    Returns:
        uint8 (n, height, width, 1 + k), the ink first.
    """
    relative = np.zeros(len(images)) if strokes is None else strokes.relative_sizes(writers)
    found = np.empty((*images.shape, channels(kinds)), np.uint8)
    for first in range(0, len(images), _AT_ONCE):
        end = min(first + _AT_ONCE, len(images))
        part, of_part = images[first:end], None if strokes is None else strokes.part(first, end)
        made = [_of_kind(kind, part, of_part, relative[first:end]) for kind in kinds]
        found[first:end] = np.concatenate([part[..., None], *made], axis=3)
    return found


def _of_kind(kind: str, images: NDArray[np.uint8], strokes: Strokes | None, relative: NDArray[np.float64]) -> Planes:
    if kind == "topology":
        return topology(images)
    if kind == "size":
        return size(images, relative)
    return np.zeros((*images.shape, CHANNELS["pen"]), np.uint8) if strokes is None else pen(images, strokes)


def topology(images: NDArray[np.uint8]) -> Planes:
    """Holes and ends of strokes.

    Args:
        images: uint8 (n, height, width), normalised.

    Returns:
        uint8 (n, height, width, 2).
    """
    ink = images >= _INK
    return np.stack([_holes(ink), _ends(_thinned(ink))], axis=-1)


def size(images: NDArray[np.uint8], relative: NDArray[np.float64]) -> Planes:
    """The ink, by the character's size.

    Args:
        images: uint8 (n, height, width), normalised.
        relative: float (n,), beside others of its writer, where 1 is usual; 0 where it is not known.

    Returns:
        uint8 (n, height, width, 1): the ink times r / (1 + r), so that the usual size is half the ink.
    """
    level = (relative / (1 + relative))[:, None, None]
    return np.round(images * level).astype(np.uint8)[..., None]


def pen(images: NDArray[np.uint8], strokes: Strokes) -> Planes:
    """The pen's way through each picture; a stroke of a single point has none.

    Args:
        images: uint8 (n, height, width), normalised.
        strokes: Of the same samples.

    Returns:
        uint8 (n, height, width, 3): direction across and up, where 128 is neither way, and time from 32 to 255; 0 where
        the pen was not.
    """
    count, height, width = images.shape
    sample = np.repeat(np.arange(count), np.diff(strokes.offset))  # (points,)
    place = _placed(images, strokes, sample)
    onward = (np.diff(sample) == 0) & (np.diff(strokes.stroke.astype(np.int64)) == 0)  # (points - 1,)
    first = np.flatnonzero(onward)
    way = place[first + 1] - place[first]
    direction = way / np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-9)[:, None]
    time = (np.arange(len(sample)) - strokes.offset[sample]) / np.maximum(np.diff(strokes.offset)[sample] - 1, 1)
    steps = np.maximum(np.ceil(np.abs(way).max(axis=1, initial=0)), _LEAST_STEPS).astype(np.int64)
    segment = np.repeat(np.arange(len(first)), steps)  # (marks,)
    part = (np.arange(len(segment)) - (np.cumsum(steps) - steps)[segment]) / steps[segment]
    at = np.round(place[first][segment] + part[:, None] * way[segment]).astype(np.int64)
    inside = np.clip(at, 0, (width - 1, height - 1))
    cell = (sample[first][segment] * height + inside[:, 1]) * width + inside[:, 0]
    value = np.stack([direction[:, 0], -direction[:, 1], time[first]], axis=1)[segment]
    shape = (count, height, width)
    visits = _spread(np.bincount(cell, minlength=images.size).reshape(shape).astype(np.float64))
    sums = [_spread(np.bincount(cell, each, images.size).astype(np.float64).reshape(shape)) for each in value.T]
    across, up, when = (total / np.maximum(visits, 1e-9) for total in sums)
    levels = np.stack([128 + 127 * across, 128 + 127 * up, 32 + 223 * when], axis=-1)
    return np.where(visits[..., None] > 0, np.round(levels), 0).astype(np.uint8)


def _placed(images: NDArray[np.uint8], strokes: Strokes, sample: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64 (points, 2): column and row of each point, such that a sample's strokes fill the box of its ink."""
    clear = images >= INK_FLOOR
    in_rows, in_columns = np.asarray(clear.any(axis=2)), np.asarray(clear.any(axis=1))
    boxes = strokes.boxes()  # of the strokes: least x, least y, greatest x, greatest y
    places = []
    for axis, occupied in ((0, in_columns), (1, in_rows)):
        low = occupied.argmax(axis=1).astype(np.float64)
        high = occupied.shape[1] - 1.0 - occupied[:, ::-1].argmax(axis=1)
        margin = np.minimum(_HALF_STROKE, (high - low) / 2)
        low, high = low + margin, high - margin
        extent = boxes[:, 2 + axis] - boxes[:, axis]
        along = (strokes.points[:, axis] - boxes[sample, axis]) / np.maximum(extent, 1)[sample]
        along = np.where(extent[sample] > 0, along, 0.5)
        along = along if axis == 0 else 1 - along  # y grows upwards, rows downwards
        places.append(low[sample] + along * (high - low)[sample])
    return np.stack(places, axis=1)


def _spread(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each pixel's sum with its eight neighbours: a pen is about three pixels wide."""
    padded = np.pad(plane, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return np.asarray(rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:])


def _holes(ink: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """255 where ink cuts paper off from the frame: what a flood from outside does not reach, by four neighbours."""
    paper = np.pad(~ink, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    reached = np.zeros_like(paper)
    reached[:, 0] = reached[:, -1] = reached[:, :, 0] = reached[:, :, -1] = True
    while True:
        wider = reached.copy()
        wider[:, 1:] |= reached[:, :-1]
        wider[:, :-1] |= reached[:, 1:]
        wider[:, :, 1:] |= reached[:, :, :-1]
        wider[:, :, :-1] |= reached[:, :, 1:]
        wider &= paper
        if np.array_equal(wider, reached):
            return np.where(paper & ~reached, np.uint8(255), np.uint8(0))[:, 1:-1, 1:-1]
        reached = wider


def _neighbours(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Bool (8, n, height, width): the neighbours of each pixel, clockwise from the one above."""
    padded = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    height, width = ink.shape[1:]
    steps = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))
    return np.stack([padded[:, down : down + height, right : right + width] for down, right in steps])


def _thinned(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Strokes one pixel wide (Zhang and Suen 1984, doi:10.1145/357994.358023)."""
    ink = ink.copy()
    while True:
        before = ink.copy()
        for first, second in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            around = _neighbours(ink)
            count = around.sum(axis=0)
            turns = (~around & np.roll(around, -1, axis=0)).sum(axis=0)
            removable = (count >= 2) & (count <= 6) & (turns == 1)  # noqa: PLR2004 - the paper's condition (a)
            for each in (first, second):
                removable &= ~around[list(each)].all(axis=0)
            ink &= ~removable
        if np.array_equal(ink, before):
            return ink


def _ends(skeleton: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """255 at pixels of a skeleton with one neighbour, and next to them, so that a deformation does not lose them."""
    ends = skeleton & (_neighbours(skeleton).sum(axis=0) == 1)
    return np.where(ends | _neighbours(ends).any(axis=0), np.uint8(255), np.uint8(0))
