"""Characters in EMNIST's `.mat` files: the struct `dataset`, in MATLAB's format 5.

| field | shape, type | what |
|---|---|---|
| `train.images`, `test.images` | (n, 784) uint8 | a picture a row, each column by column |
| `train.labels`, `test.labels` | (n, 1) whole numbers | the label of each picture in `mapping` |
| `train.writers`, `test.writers` | (n, 1) whole numbers | optional: who wrote it; a number is one writer in both |
| `mapping` | (classes, 2 or 3) whole numbers | optional; see `handfed.clients.datasets.mapping` |

`train` comes first; one of the two may be missing. Whole numbers may be stored as floating point, as MATLAB does unless
told otherwise. Rows are counted from 0. Other fields and variables are not read.

Source: Cohen, Afshar, Tapson and van Schaik 2017, EMNIST: extending MNIST to handwritten letters,
https://www.nist.gov/itl/products-and-services/emnist-dataset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets.mapping import Mapping
from handfed.clients.datasets.matfile import Value, read_variable
from handfed.clients.datasets.samples import assemble, normalised_rows
from handfed.clients.datasets.trees import read_bounded
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.geometry import SIDE
from handfed.shared.samples import Samples

_VARIABLE: Final = "dataset"
_PARTS: Final = ("train", "test")
_LARGEST_WHOLE: Final = 2**53  # up to here floating point holds every whole number


@dataclass(frozen=True)
class Part:
    """`train` or `test`.

    Attributes:
        where: What it is, for the message of an error.
        pictures: uint8 (n, 28, 28), upright.
        labels: int64 (n,).
        writers: int64 (n,), or None.
    """

    where: str
    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    writers: NDArray[np.int64] | None


def read_mat(path: Path) -> Dataset:
    """Reads a `.mat` file.

    Args:
        path: The file.

    Raises:
        DatasetError: The file breaks a rule of this module; the message names the field and the row.
    """
    where = str(path)
    fields = _fields(read_variable(read_bounded(path), _VARIABLE, where=where), f"{where}: {_VARIABLE!r}")
    parts = [_part(fields[name], f"{where}: '{name}") for name in _PARTS if name in fields]
    if not parts:
        raise DatasetError(f"{where}: {_VARIABLE!r} has neither 'train' nor 'test' (found: {_listed(fields)})")
    labels = np.concatenate([part.labels for part in parts])
    if "mapping" in fields:
        mapping = Mapping.of_rows(_whole(fields["mapping"], f"{where}: 'mapping'"), where=f"{where}: 'mapping'")
    else:
        mapping = Mapping.of_labels(labels, where=where)
    positions = [mapping.positions(part.labels, where=f"{part.where}.labels'") for part in parts]
    writers = _writers(parts, where)
    images = [normalised_rows(part.pictures, where=f"{part.where}.images'") for part in parts]
    return assemble(
        path,
        alphabet=mapping.alphabet,
        samples=Samples(np.concatenate(images), np.concatenate(positions)),
        writers=writers,
        kind=".mat file",
    )


def _fields(value: Value, where: str) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise DatasetError(f"{where} is not a struct, as it is in EMNIST's .mat files")
    return value


def _part(value: Value, where: str) -> Part:
    fields = _fields(value, f"{where}'")
    for needed in ("images", "labels"):
        if needed not in fields:
            raise DatasetError(f"{where}' has no field {needed!r} (found: {_listed(fields)})")
    rows = fields["images"]
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.shape[1:] != (SIDE * SIDE,):
        found = f"{rows.dtype} {rows.shape}" if isinstance(rows, np.ndarray) else "something else"
        raise DatasetError(f"{where}.images' is {found}; it must be uint8 (samples, {SIDE * SIDE})")
    if len(rows) == 0:
        raise DatasetError(f"{where}' holds no samples")
    return Part(
        where,
        rows.reshape(-1, SIDE, SIDE).transpose(0, 2, 1),
        _column(fields["labels"], len(rows), f"{where}.labels'"),
        _column(fields["writers"], len(rows), f"{where}.writers'") if "writers" in fields else None,
    )


def _writers(parts: Sequence[Part], where: str) -> NDArray[np.int64] | None:
    """All writers; None where no part states them."""
    columns = [part.writers for part in parts if part.writers is not None]
    if not columns:
        return None
    if len(columns) < len(parts):
        raise DatasetError(f"{where}: only one of 'train' and 'test' has writers; give both writers, or neither")
    return np.concatenate(columns)


def _column(value: Value, rows: int, where: str) -> NDArray[np.int64]:
    column = _whole(value, where)
    if column.shape not in {(rows, 1), (1, rows)}:
        raise DatasetError(f"{where} is of {column.shape}, and there are {rows:,} images; give each one entry")
    return column.reshape(-1)


def _whole(value: Value, where: str) -> NDArray[np.int64]:
    """Numbers that must be whole, also where they are stored as floating point."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        raise DatasetError(f"{where} does not hold numbers; it must hold whole numbers")
    whole = np.isfinite(value) & (np.abs(value) <= _LARGEST_WHOLE) & (np.floor(value) == value)
    if not whole.all():
        raise DatasetError(f"{where}, row {int(np.argwhere(~whole)[0][0])}: is not a whole number")
    return value.astype(np.int64)


def _listed(fields: dict[str, Value]) -> str:
    return ", ".join(fields) or "none"
