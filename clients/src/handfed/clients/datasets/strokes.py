"""Pen strokes of the characters in a NumPy archive: of `NAME.npz`, they are in `NAME_strokes.npz` beside it.

| array | shape, type | what |
|---|---|---|
| `offset` | (n + 1,) integer | where each row of `NAME.npz` begins in `points`, and the end of the last |
| `points` | (m, 2) integer | x to the right and y upwards, from -32,768 to 32,767, at a steady rate in time |
| `stroke` | (m,) integer | number of the point's stroke within its row, from 0 to 255 |

Other arrays are not read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from handfed.clients.datasets.npz import array_of
from handfed.clients.datasets.trees import MAX_TOTAL_BYTES, ZipTree
from handfed.shared.errors import DatasetError
from handfed.shared.strokes import Strokes

_SUFFIX: Final = "_strokes"


def path_of(data: Path) -> Path:
    """Where the strokes of an archive of characters are."""
    return data.parent / f"{data.stem}{_SUFFIX}{data.suffix}"


def read_strokes(path: Path, rows: int) -> Strokes:
    """Reads the strokes of so many rows.

    Raises:
        DatasetError: The file is missing or breaks a rule of this module; the message names the array.
    """
    if not path.is_file():
        raise DatasetError(
            f"{path}: is not there, and sizes and the pen's way are known from strokes alone; leave size and pen out of"
            " inputs"
        )
    archive = ZipTree(path, max_file_bytes=MAX_TOTAL_BYTES)
    offset, points, stroke = (array_of(archive, name) for name in ("offset", "points", "stroke"))
    for name, array in (("offset", offset), ("points", points), ("stroke", stroke)):
        if array.dtype.kind not in "iu":
            raise DatasetError(f"{archive.where}: array {name!r} is {array.dtype}; it must hold integers")
    _check(offset.shape == (rows + 1,), archive, f"array 'offset' has shape {offset.shape}, not ({rows + 1},)")
    _check(points.ndim == 2 and points.shape[1] == 2, archive, f"array 'points' has shape {points.shape}, not (m, 2)")  # noqa: PLR2004
    _check(stroke.shape == points.shape[:1], archive, "arrays 'points' and 'stroke' differ in length")
    ends = offset.astype(np.int64)
    whole = int(ends[0]) == 0 and int(ends[-1]) == len(points) and bool((np.diff(ends) > 0).all())
    _check(whole, archive, "array 'offset' must rise from 0 to the number of points, by at least a point a row")
    for name, array, kind in (("points", points, np.int16), ("stroke", stroke, np.uint8)):
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        fits = bool(((array >= low) & (array <= high)).all())
        _check(fits, archive, f"array {name!r} holds a number that is not from {low:,} to {high:,}")
    return Strokes(points.astype(np.int16), stroke.astype(np.uint8), ends)


def _check(fine: bool, archive: ZipTree, what: str) -> None:
    if not fine:
        raise DatasetError(f"{archive.where}: {what}; save it anew")
