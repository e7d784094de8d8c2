"""Characters in the JSON of the LEAF benchmark (FEMNIST): a file, or a folder with the files of one preparation.

    {"users": ["f3795_00", ...], "num_samples": [212, ...],
     "user_data": {"f3795_00": {"x": [[784 numbers], ...], "y": [12, ...]}, ...}}

Rules:
1. `x` has a row a picture of 28 x 28, row by row, from 0 (ink) to 1 (paper); LEAF divided grey levels by 255.
2. `y` has a label from 0 to 61 a picture: the digits, then the capital letters, then the small letters. The classes
   are those that occur.
3. `users` names each writer in `user_data` once, and `num_samples` says how many pictures each has. A writer of one
   file is the same writer in another. A key occurs once.
4. In a folder the files called `all_data_*.json` are read, in the order of their names. LEAF writes each step of its
   preparation into a folder of its own, with a longer file name; two steps in one folder hold the same pictures and
   are refused.
5. Other keys are not read. Users and rows are counted from 0.

Source: Caldas, Duddu, Wu, Li, Konečný, McMahan, Smith and Talwalkar 2018, LEAF: A benchmark for federated settings,
https://leaf.cmu.edu.
"""

from __future__ import annotations

import fnmatch
import json
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets.samples import assemble, normalised_rows
from handfed.clients.datasets.trees import FolderTree, read_bounded
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.geometry import SIDE
from handfed.shared.samples import Samples

CHARACTERS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_NAMES: Final = "all_data_*.json"
_KEYS: Final = ("users", "num_samples", "user_data")


@dataclass(frozen=True)
class Writer:
    """What one writer wrote, in one file.

    Attributes:
        user: LEAF's id.
        images: uint8 (n, 28, 28), normalised.
        labels: int64 (n,), positions in `CHARACTERS`.
    """

    user: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def is_leaf(name: str) -> bool:
    """Whether a file of that name in a folder is LEAF's."""
    return fnmatch.fnmatchcase(name, _NAMES)


def read_leaf_file(path: Path) -> Dataset:
    """Reads one file.

    Args:
        path: The file.

    Raises:
        DatasetError: It breaks a rule of this module; the message names the user and the row.
    """
    return _assemble(path, _writers(path))


def read_leaf_folder(path: Path, tree: FolderTree) -> Dataset:
    """Reads every file of LEAF in a folder.

    Args:
        path: The folder.
        tree: What it holds.

    Raises:
        DatasetError: As `read_leaf_file`, or the folder holds two steps of a preparation.
    """
    names = [name for name in tree.top_files() if is_leaf(name)]
    for name in names:
        later = f"{name.removesuffix('.json')}_"
        for other in names:
            if other.startswith(later):
                raise DatasetError(
                    f"{path}: {other!r} was made from {name!r} and holds the same pictures; keep one step of LEAF's"
                    " preparation in a folder"
                )
    return _assemble(path, [writer for name in names for writer in _writers(path / name)])


def _assemble(path: Path, writers: Sequence[Writer]) -> Dataset:
    labels = np.concatenate([writer.labels for writer in writers]) if writers else np.empty(0, np.int64)
    if len(labels) == 0:
        raise DatasetError(f"{path}: holds no samples")
    occurring, positions = np.unique(labels, return_inverse=True)
    ids = np.repeat([writer.user for writer in writers], [len(writer.labels) for writer in writers])
    return assemble(
        path,
        alphabet=Alphabet.of([CHARACTERS[label] for label in occurring], where=str(path)),
        samples=Samples(np.concatenate([writer.images for writer in writers]), positions.reshape(-1).astype(np.int32)),
        writers=ids,
        kind="LEAF file",
    )


def _writers(path: Path) -> list[Writer]:
    """What one file holds, normalised writer by writer: as numbers in JSON the pictures take much memory."""
    where = str(path)
    content = _parse(read_bounded(path), where)
    users, counts, data = (content[key] for key in _KEYS)
    if not isinstance(users, list) or not isinstance(data, dict) or not all(isinstance(user, str) for user in users):
        raise DatasetError(f"{where}: 'users' must be a list of texts, and 'user_data' an object")
    if sorted(users) != sorted(data):
        raise DatasetError(f"{where}: 'users' must name each user in 'user_data' once")
    if not isinstance(counts, list) or len(counts) != len(users):
        raise DatasetError(f"{where}: 'num_samples' must be a list with a number for each of {len(users):,} users")
    return [
        _writer(user, data[user], count, f"{where}: user {index}")
        for index, (user, count) in enumerate(zip(users, counts, strict=True))
    ]


def _writer(user: str, samples: object, count: object, where: str) -> Writer:
    if not isinstance(samples, dict) or not {"x", "y"} <= samples.keys():
        raise DatasetError(f"{where}: must be an object with 'x' and 'y'")
    pictures, labels = samples["x"], samples["y"]
    if not isinstance(pictures, np.ndarray):
        raise DatasetError(f"{where}, {_what_is_wrong(pictures)}")
    if not isinstance(labels, list) or not len(labels) == len(pictures) == count:
        held = f"{len(labels):,} labels" if isinstance(labels, list) else "no list of labels"
        raise DatasetError(f"{where}: holds {len(pictures):,} pictures and {held}, and 'num_samples' says {count!r}")
    for row, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < len(CHARACTERS):
            raise DatasetError(f"{where}, row {row}: label {label!r:.40} is not a whole number from 0 to 61")
    return Writer(user, normalised_rows(pictures, where=where), np.array(labels, np.int64))


def _parse(content: bytes, where: str) -> dict[str, Any]:
    try:
        parsed = json.loads(content, object_pairs_hook=partial(_object, where))
    except (ValueError, RecursionError) as error:  # Unicode errors are value errors
        raise DatasetError(f"{where}: is not JSON ({error}); it may be cut off: copy or make it again") from error
    if not isinstance(parsed, dict) or any(key not in parsed for key in _KEYS):
        raise DatasetError(f"{where}: is not LEAF's JSON, an object with {', '.join(_KEYS)}")
    return parsed


def _object(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the file; pictures become pixels as soon as their writer is parsed, to spare memory."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise DatasetError(f"{where}: a key occurs twice in one object; make the file again")
    if {"x", "y"} <= result.keys():
        result["x"] = _pixels(result["x"])
    return result


def _pixels(rows: object) -> object:
    """uint8 (n, 28, 28), for what are pictures; anything else as it is."""
    if rows == []:
        return np.empty((0, SIDE, SIDE), np.uint8)
    try:
        shades = np.asarray(rows)
    except ValueError:  # rows of several lengths
        return rows
    if shades.dtype.kind not in "iuf" or shades.shape[1:] != (SIDE * SIDE,):
        return rows
    if not ((shades >= 0) & (shades <= 1)).all():
        return rows
    return np.floor(shades * 255 + 0.5).astype(np.uint8).reshape(-1, SIDE, SIDE)


def _what_is_wrong(rows: object) -> str:
    """Why something is no pictures."""
    if not isinstance(rows, list):
        return "'x': must be a list of pictures"
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != SIDE * SIDE:
            return f"row {index}: must be a list of {SIDE * SIDE} numbers"
        for shade in row:
            if type(shade) not in (int, float) or not 0 <= shade <= 1:
                return f"row {index}: holds {shade!r:.40}, which is not a number from 0 to 1"
    return "'x': must be a list of pictures"
