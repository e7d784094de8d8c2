"""Handwriting that nobody labelled: pictures of single characters, each in a file.

Rules:
1. PNG and JPEG pictures in a folder, or in one zip archive, are read whole, in folders within it too; other files are
   passed over. What files and folders are called is not kept: it may be a label, and nobody has said so.
2. Where any file of a data set lies among them (`handfed.clients.datasets.reading`), it may say who wrote what. Such a
   tree is read as that data set, and its labels are dropped; it is never read as pictures of nobody.
3. A named data set and any other file are read as data sets, too.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import numpy as np

from handfed.clients.datasets import idx, named
from handfed.clients.datasets.gnt import is_gnt
from handfed.clients.datasets.iam import is_iam
from handfed.clients.datasets.labelled import PICTURES, TABLE
from handfed.clients.datasets.leaf import is_leaf
from handfed.clients.datasets.pages import page_files
from handfed.clients.datasets.reading import read
from handfed.clients.datasets.samples import normalised_picture
from handfed.clients.datasets.trees import FolderTree, ZipTree
from handfed.shared import alphabets
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError, SettingError
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
    tree = None if reference in named.names() else _tree(path)
    if tree is None or _is_data_set(tree):
        unchecked = dataclasses.replace(task, alphabet=alphabets.LABELS)  # what is dropped need not be of the task
        dataset = read(reference, unchecked, writer_ids=True)
        return dataclasses.replace(dataset, alphabet=Alphabet(()), samples=_of_no_class(dataset.images))
    names = [name for name in tree.names() if _is_picture(name)]
    if not names:
        raise DatasetError(f"{tree.where}: holds no PNG or JPEG picture, and no data set; see `handfed data list`")
    images = np.stack([normalised_picture(tree.read(name), where=f"{tree.where}/{name}") for name in names])
    return Dataset(path.resolve().stem, Alphabet(()), _of_no_class(images), None, "Your own pictures", "unknown")


def _tree(path: Path) -> FolderTree | ZipTree | None:
    """The folder or zip archive; None of anything else."""
    if path.is_dir():
        return FolderTree(path)
    if path.is_file() and path.suffix.lower() == ".zip":
        archive = ZipTree(path)
        archive.step_into_only_folder(TABLE)
        return archive
    return None


def _is_data_set(tree: FolderTree | ZipTree) -> bool:
    """Whether a tree is a data set of another kind than pictures in folders.

    Raises:
        DatasetError: One lies in a folder below, so who wrote its pictures would be lost.
    """
    marks = [name for name in tree.names() if _is_of_data_set(PurePosixPath(name).name)]
    if isinstance(tree, FolderTree) and (is_iam(tree) or page_files(tree)):
        return True
    if marks and all("/" in name for name in marks):
        raise DatasetError(
            f"{tree.where}: {marks[0]!r} is of a data set, which may say who wrote what; give that folder by itself,"
            " and other pictures without it"
        )
    return bool(marks)


def _is_of_data_set(name: str) -> bool:
    """Whether a file of that name belongs to a data set whose writers it may name."""
    known = name.lower() in {TABLE, PICTURES}
    return known or is_gnt(name) or is_leaf(name) or idx.is_images(name) or idx.is_labels(name)


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _SUFFIXES


def _of_no_class(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Samples:
    return Samples(images, np.full(len(images), END, np.int32))
