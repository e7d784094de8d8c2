"""Handwriting that nobody labelled: pictures of single characters, each in a file.

Rules:
1. A folder, or one zip archive, with PNG or JPEG pictures right in it is read whole, folders within it too; other files
   are passed over. What files and folders are called is not kept: it may be a label, and nobody has said so.
2. Anything else is read as a data set (`handfed.clients.datasets.reading`), whose labels are dropped.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import numpy as np

from handfed.clients.datasets.reading import read
from handfed.clients.datasets.samples import normalised_picture
from handfed.clients.datasets.trees import FileTree, FolderTree, ZipTree
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.shared.samples import END, Samples

if TYPE_CHECKING:
    from handfed.shared.tasks import Task

_SUFFIXES: Final = (".png", ".jpg", ".jpeg")


def read_unlabelled(reference: str, task: Task) -> Dataset:
    """Reads handwriting without its labels, with every image normalised.

    Args:
        reference: The path of a file or folder, or the name of a data set.
        task: What it shows.

    Returns:
        A data set of no class.

    Raises:
        DatasetError: It cannot be read, or a picture breaks a rule; the message names the file.
        SettingError: The task is of words or lines.
    """
    if task.of_texts:
        raise SettingError("without labels only single characters are of use; leave --unlabelled out")
    path = Path(reference)
    tree: FileTree | None = None
    if path.is_dir():
        tree = FolderTree(path)
    elif path.is_file() and path.suffix.lower() == ".zip":
        tree = ZipTree(path)
    names = [] if tree is None else [name for name in tree.names() if _is_picture(name)]
    if tree is None or not any("/" not in name for name in names):
        dataset = read(reference, task, writer_ids=True)
        return dataclasses.replace(dataset, alphabet=Alphabet(()), samples=_of_no_class(dataset.images))
    images = np.stack([normalised_picture(tree.read(name), where=f"{tree.where}/{name}") for name in names])
    return Dataset(path.resolve().stem, Alphabet(()), _of_no_class(images), None, "Your own pictures", "unknown")


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _SUFFIXES


def _of_no_class(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Samples:
    return Samples(images, np.full(len(images), END, np.int32))
