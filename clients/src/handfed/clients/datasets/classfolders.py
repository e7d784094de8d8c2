"""Pictures sorted into one folder a class: a folder, or one zip archive.

    digits/0/a.png, digits/0/b.jpg, digits/1/c.png: the classes "0" and "1"

Rules:
1. A folder's name is its class's name; the classes come in code point order.
2. A class folder holds PNG and JPEG pictures and nothing else, and at least one. Files beside the class folders are
   not read, unless they are pictures: then a class is missing.
3. Who wrote them is unknown. Where writers are known, use a table (`handfed.clients.datasets.labelled`): only then
   can evaluation hold out writers.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from handfed.clients.datasets.samples import assemble, normalised_picture
from handfed.clients.datasets.trees import FileTree
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.geometry import SIDE
from handfed.shared.samples import Samples

_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
_DEPTH: Final = 2  # a class folder and a picture


def read_class_folders(path: Path, tree: FileTree) -> Dataset:
    """Reads a folder or archive with one folder a class.

    Args:
        path: The folder or the archive.
        tree: What it holds.

    Raises:
        DatasetError: The tree or a picture breaks a rule of this module; the message names the file.
    """
    where = tree.where
    files = _picture_files(tree)
    folders = sorted(tree.folders(), key=lambda name: unicodedata.normalize("NFC", name))
    if not folders:
        raise DatasetError(f"{where}: holds neither labels.tsv nor a folder for each class; see `handfed data list`")
    alphabet = Alphabet.of(folders, where=where)
    position = {folder: index for index, folder in enumerate(folders)}
    labels = np.array([position[name.split("/")[0]] for name in files], np.int32)
    for folder, count in zip(folders, np.bincount(labels, minlength=len(folders)), strict=True):
        if count == 0:  # before the pictures of the others are decoded
            raise DatasetError(f"{where}: the folder of class {folder!r} is empty; add pictures or remove it")
    images = np.empty((len(files), SIDE, SIDE), np.uint8)
    for index, name in enumerate(files):
        images[index] = normalised_picture(tree.read(name), where=f"{where}/{name}")
    return assemble(path, alphabet=alphabet, samples=Samples(images, labels), writers=None, kind="class folders")


def _picture_files(tree: FileTree) -> list[str]:
    files: list[str] = []
    for name in tree.names():
        is_picture = PurePosixPath(name).suffix.lower() in _SUFFIXES
        depth = name.count("/") + 1
        if depth == _DEPTH and is_picture:
            files.append(name)
        elif depth == 1 and is_picture:
            raise DatasetError(f"{tree.where}: the picture {name!r} is in no class folder; move it into one")
        elif depth > _DEPTH:
            raise DatasetError(
                f"{tree.where}: {name!r} lies too deep; without labels.tsv each folder is a class,"
                " with its pictures right in it"
            )
        elif depth == _DEPTH:
            raise DatasetError(
                f"{tree.where}: {name!r} is neither PNG nor JPEG; without labels.tsv each folder is a class,"
                " and holds such pictures and nothing else"
            )
    return files
