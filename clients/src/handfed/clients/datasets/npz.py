"""Characters in one NumPy archive (`.npz`).

| array | shape, type | what |
|---|---|---|
| `x` | (n, height, width) uint8 | pictures of one size, at least 2 x 2, of either polarity |
| `y` | (n,) integer | position of each picture's class in `class_names`, from 0 |
| `class_names` | (classes,) text | optional; without it the classes are "0", "1" and so on up to the largest in `y` |
| `writer` | (n,) integer or text | optional: who wrote it |
| `group` | (n,) text | optional: of what group it is, such as pupils or staff, or a script |

Other arrays are not read. Rows are counted from 0, as in NumPy. Nothing is unpickled: an array of Python objects
could run code. An array's header must agree with its size, before memory is taken for what the header states.

Source: numpy.lib.format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path
from tokenize import TokenError
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets.samples import assemble
from handfed.clients.datasets.trees import MAX_TOTAL_BYTES, ZipTree
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError, ImageError
from handfed.shared.images import normalise_all
from handfed.shared.samples import Samples

_LEAST_SIDE: Final = 2  # pixels
# What NumPy raises on a damaged header, which it parses as Python literals; under `-W error` its warnings too.
_DAMAGE: Final = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    SyntaxError,
    TokenError,
    RecursionError,
    MemoryError,
    Warning,
)


def read_npz(path: Path) -> Dataset:
    """Reads a `.npz` file.

    Args:
        path: The file.

    Raises:
        DatasetError: The file breaks a rule of this module; the message names the array and the row.
    """
    archive = ZipTree(path, max_file_bytes=MAX_TOTAL_BYTES)
    pictures = array_of(archive, "x")
    labels = array_of(archive, "y")
    names = array_of(archive, "class_names") if archive.has("class_names.npy") else None
    writers = array_of(archive, "writer") if archive.has("writer.npy") else None
    groups = array_of(archive, "group") if archive.has("group.npy") else None
    where = archive.where
    _check_pictures(pictures, where)
    _check_column(labels, "y", len(pictures), "iu", where)
    if names is not None:
        _check_names(names, where)
    # Every class needs a sample, so without names there are at most as many classes as rows.
    _check_range(labels, len(labels) if names is None else len(names), where)
    alphabet = _alphabet(names, labels, where)
    if writers is not None:
        _check_column(writers, "writer", len(pictures), "iuU", where)
    if groups is not None and groups.dtype.kind != "U":
        groups = None  # other files use the name for other things
    if groups is not None:
        _check_column(groups, "group", len(pictures), "U", where)
    try:
        images = normalise_all(pictures)
    except ImageError as error:  # it names the row
        raise DatasetError(f"{where}: array 'x', {error}; remove the row from every array") from None
    dataset = assemble(
        path,
        alphabet=alphabet,
        samples=Samples(images, labels.astype(np.int32)),
        writers=writers,
        kind=".npz file",
    )
    return replace(dataset, groups=groups)


def array_of(archive: ZipTree, name: str) -> NDArray[Any]:
    """One array of an archive.

    Raises:
        DatasetError: It is not there, or no plain array.
    """
    if not archive.has(f"{name}.npy"):
        found = ", ".join(file.removesuffix(".npy") for file in archive.names()) or "none"
        raise DatasetError(f"{archive.where}: has no array {name!r} (found: {found}), which is needed")
    content = archive.read(f"{name}.npy")
    where = f"{archive.where}: array {name!r}"
    try:
        _check_header(content, where)
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except _DAMAGE as error:
        raise DatasetError(f"{where} is not a plain NumPy array: {error}") from error
    return np.asarray(array)


def _check_header(content: bytes, where: str) -> None:
    """Refuses an array of objects, and one whose content is not as long as its header says."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise DatasetError(f"{where} is stored in .npy version {version}; save it with numpy.savez_compressed")
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        raise DatasetError(f"{where} holds pickled Python objects, which could run code; save numbers or text")
    stated, held = math.prod(shape) * dtype.itemsize, len(content) - file.tell()
    if stated != held:
        raise DatasetError(f"{where} should hold {stated:,} bytes and holds {held:,}; save it anew")


def _check_pictures(pictures: NDArray[Any], where: str) -> None:
    if pictures.dtype != np.uint8:
        raise DatasetError(f"{where}: array 'x' is {pictures.dtype}; save pixels as uint8 from 0 to 255")
    if pictures.ndim != 3 or min(pictures.shape[1:]) < _LEAST_SIDE:  # noqa: PLR2004 - row, height, width
        raise DatasetError(
            f"{where}: array 'x' has shape {pictures.shape}; it must be (samples, height, width), 2 x 2 or larger"
        )
    if len(pictures) == 0:
        raise DatasetError(f"{where}: holds no samples")


def _check_column(column: NDArray[Any], name: str, rows: int, kinds: str, where: str) -> None:
    if column.dtype.kind not in kinds:
        allowed = "integers or text" if "U" in kinds else "integers"
        raise DatasetError(f"{where}: array {name!r} is {column.dtype}; it must hold {allowed}")
    if column.shape != (rows,):
        raise DatasetError(
            f"{where}: array {name!r} has shape {column.shape}, and 'x' has {rows} rows; give each row one entry"
        )


def _alphabet(names: NDArray[Any] | None, labels: NDArray[Any], where: str) -> Alphabet:
    if names is None:
        return Alphabet.of([str(position) for position in range(int(labels.max()) + 1)], where=where)
    return Alphabet.of([str(name) for name in names], where=f"{where}: array 'class_names'")


def _check_names(names: NDArray[Any], where: str) -> None:
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DatasetError(
            f"{where}: array 'class_names' is {names.dtype} {names.shape}; it must be a row of text, one name a class"
        )


def _check_range(labels: NDArray[Any], classes: int, where: str) -> None:
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        row = int(wrong[0])
        raise DatasetError(
            f"{where}: array 'y', row {row}: label {int(labels[row])} is not the position of a class;"
            f" for this file it is at least 0 and below {classes}"
        )
