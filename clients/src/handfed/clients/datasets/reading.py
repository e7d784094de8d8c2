"""The one way to a data set: a name that an installed package offers, or a path, in any format that is read."""

from __future__ import annotations

import dataclasses
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handfed.clients.datasets import named
from handfed.shared.errors import DatasetError
from handfed.shared.inputs import FROM_STROKES, parse

if TYPE_CHECKING:  # NumPy comes with it, and the command line's start-up has no use for that
    from collections.abc import Callable

    from handfed.clients.datasets.trees import FolderTree
    from handfed.shared.alphabet import Alphabet
    from handfed.shared.datasets import Dataset
    from handfed.shared.tasks import Task

FORMATS: Final = {
    ".npz": "arrays x (samples, height, width) uint8 and y (samples,) integers; class_names and writer are optional",
    "labels.tsv": "a folder or .zip with a table of the columns image and text (writer is optional) and the pictures"
    " beside it, or in images.zip",
    "class folders": "a folder or .zip with one folder a class, named after it, of PNG or JPEG pictures",
    "idx": "MNIST's and EMNIST's own files, plain or .gz: an images-idx3-ubyte file with its labels-idx1-ubyte file"
    " beside it (and EMNIST's mapping.txt), or a folder with such a pair for each split",
    ".mat": "EMNIST's MATLAB files, with their writers",
    "IAM": "the IAM database as it is published, words or lines with their writers: a folder that holds ascii and"
    " words or lines",
    "CASIA .gnt": "CASIA-HWDB's characters, a file for each writer: one, or a folder of them",
    "PAGE or ALTO .xml": "pages with their lines and words, as Transkribus, eScriptorium and OCR programs write them: a"
    " folder of XML files and page pictures",
    "LEAF .json": "FEMNIST as the LEAF benchmark writes it, with its writers: a file, or a folder of all_data_*.json",
}


def read(
    reference: str,
    task: str | Task = "characters",
    inputs: str = "",
    *,
    need_strokes: bool = True,
    writer_ids: bool = False,
) -> Dataset:
    """Reads a data set whole, with every image normalised.

    Args:
        reference: A name of `available()`, or the path of a file or folder. A name comes first: write `./name` for a
            file that is called like one.
        task: What it shows: a task, or a name or file of `handfed.shared.tasks`.
        inputs: What is seen beside the ink, as `handfed.shared.inputs` names it.
        need_strokes: Whether it is an error that there are no strokes for inputs that are made of them; otherwise those
            stay empty.
        writer_ids: Whether the writers' own ids are kept beside their numbers; only a device's private store asks.

    Raises:
        DatasetError: There is no such data set, it breaks a rule of its format, or it is not of the task; the message
            names file and row.
        MissingExtraError: Pillow is needed for it and not installed.
        SettingError: There is no such task.
    """
    from handfed.shared import alphabets, tasks

    wanted = tasks.find(task) if isinstance(task, str) else task
    dataset = _read(reference, wanted)
    if not writer_ids:
        dataset = dataclasses.replace(dataset, writer_ids=None)
    if dataset.samples.are_texts != wanted.of_texts:
        raise DatasetError(
            f"{reference}: holds single characters, and the task is of {wanted.kind}, which are read from labels.tsv,"
            " IAM, PAGE and ALTO; `handfed data list` shows what can be read"
        )
    alphabet = alphabets.find(wanted.alphabet)
    dataset = dataset if alphabet is None else relabelled(dataset, alphabet)
    return with_planes(dataset, Path(reference), parse(inputs), need_strokes=need_strokes) if inputs else dataset


def with_planes(dataset: Dataset, path: Path, kinds: tuple[str, ...], *, need_strokes: bool = True) -> Dataset:
    """The same data set with what is seen beside the ink.

    Args:
        dataset: Of single characters.
        path: Where it was read from; strokes are looked for beside it.
        kinds: Kinds of planes.
        need_strokes: As of `read`.

    Raises:
        DatasetError: It is of texts, has no strokes where they are needed, or they are damaged.
    """
    from handfed.clients.datasets.strokes import path_of, read_strokes
    from handfed.shared import planes

    if dataset.samples.are_texts:
        raise DatasetError(f"{dataset.name}: of words and lines a recogniser sees the ink alone; leave inputs out")
    file = path_of(path)
    wanted = FROM_STROKES & set(kinds) and (need_strokes or file.is_file())
    strokes = read_strokes(file, len(dataset)) if wanted else None
    found = planes.seen(dataset.images, kinds, strokes, dataset.writers)[..., 1:]
    return dataclasses.replace(dataset, samples=dataclasses.replace(dataset.samples, planes=found))


def relabelled(dataset: Dataset, alphabet: Alphabet) -> Dataset:
    """The same data set with another alphabet, which may have classes that it shows nothing of.

    Raises:
        DatasetError: A label is not of that alphabet; the message names the first sample.
    """
    import numpy as np

    from handfed.shared.samples import END

    position = {name: index for index, name in enumerate(alphabet.names)}
    table = np.array([position.get(name, END - 1) for name in dataset.alphabet.names] + [END], np.int32)
    labels = table[dataset.labels]  # of END, -1, the last entry
    foreign = np.argwhere(labels < END)
    if len(foreign):
        row = int(foreign[0][0])
        name = dataset.alphabet.names[int(dataset.labels[tuple(foreign[0])])]
        raise DatasetError(
            f"{dataset.name}, sample {row} (from 0): {name!r} is not in the alphabet {alphabet.summary()};"
            f" correct or leave out such samples ({len(np.unique(foreign[:, 0])):,} of {len(dataset):,})"
        )
    return dataclasses.replace(dataset, alphabet=alphabet, samples=dataclasses.replace(dataset.samples, labels=labels))


def _read(reference: str, task: Task) -> Dataset:
    if reference in named.names():
        return named.load_entry(reference).load()
    path = Path(reference)
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError) as error:  # a name too long for a file system, or one it may not look at
        raise DatasetError(f"{reference!r} cannot be looked up: {error}") from error
    if is_folder:
        return _read_folder(path, task)
    if is_file:
        return _read_file(path, task)
    raise DatasetError(_unknown(reference))


def _read_folder(path: Path, task: Task) -> Dataset:
    from handfed.clients.datasets.iam import is_iam, read_iam
    from handfed.clients.datasets.labelled import TABLE, read_labelled
    from handfed.clients.datasets.pages import page_files, read_pages
    from handfed.clients.datasets.trees import FolderTree

    tree = FolderTree(path)
    if tree.has(TABLE):
        return read_labelled(path, tree, task)
    if is_iam(tree):
        return read_iam(path, tree, task)
    pages = page_files(tree)
    return read_pages(path, tree, pages, task) if pages else _read_folder_of_characters(path, tree)


def _read_folder_of_characters(path: Path, tree: FolderTree) -> Dataset:
    from handfed.clients.datasets.classfolders import read_class_folders
    from handfed.clients.datasets.gnt import is_gnt, read_gnt_folder
    from handfed.clients.datasets.idx import is_images, is_labels, read_idx_folder
    from handfed.clients.datasets.leaf import is_leaf, read_leaf_folder

    names = tree.top_files()
    if any(is_images(name) or is_labels(name) for name in names):
        return read_idx_folder(path, tree)
    if any(is_leaf(name) for name in names):
        return read_leaf_folder(path, tree)
    if any(is_gnt(name) for name in names):
        return read_gnt_folder(path, tree)
    return read_class_folders(path, tree)


def _read_file(path: Path, task: Task) -> Dataset:
    from handfed.clients.datasets.gnt import SUFFIX, read_gnt_file
    from handfed.clients.datasets.idx import is_images, is_labels, read_idx_file
    from handfed.clients.datasets.labelled import TABLE
    from handfed.clients.datasets.leaf import read_leaf_file
    from handfed.clients.datasets.mat import read_mat
    from handfed.clients.datasets.npz import read_npz

    readers: dict[str, Callable[[Path], Dataset]] = {
        ".npz": read_npz,
        ".zip": partial(_read_zip, task=task),
        ".mat": read_mat,
        ".json": read_leaf_file,
        SUFFIX: read_gnt_file,
    }
    if is_images(path.name):
        return read_idx_file(path)
    if path.suffix.lower() in readers:
        return readers[path.suffix.lower()](path)
    advice = f"what is read: {', '.join(FORMATS)}"
    if path.name == TABLE:
        advice = "give the folder that holds it"
    elif is_labels(path.name):
        advice = "give the images file beside it, or the folder"
    elif path.suffix.lower() == ".xml":
        advice = "give the folder that holds it and the page's picture"
    raise DatasetError(f"{path}: is not a kind of file that is read; {advice}")


def _read_zip(path: Path, task: Task) -> Dataset:
    from handfed.clients.datasets.classfolders import read_class_folders
    from handfed.clients.datasets.labelled import TABLE, read_labelled
    from handfed.clients.datasets.trees import ZipTree

    archive = ZipTree(path)
    archive.step_into_only_folder(TABLE)
    return read_labelled(path, archive, task) if archive.has(TABLE) else read_class_folders(path, archive)


def _unknown(reference: str) -> str:
    names = named.names()
    near = get_close_matches(reference, names, n=1)
    suggestion = f"did you mean {near[0]!r}? " if near else ""
    offered = ", ".join(names) or "none; handfed-simulations brings mnist5k"
    return (
        f"{reference!r} is neither a named data set nor a file or folder; {suggestion}named here: {offered}"
        " (`handfed data list` shows what can be read)"
    )
