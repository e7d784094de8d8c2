"""Pictures with a table of their labels: a folder, or one zip archive.

    labels.tsv      UTF-8, tab-separated, no quoting, one header row; columns `image` and `text` are needed,
                    `writer` is used where there is one, others (`group`) are not read
    images.zip      the pictures; without it they lie in the folder itself, also in folders below it

Rules:
1. `image` is a name relative to the pictures' root, with forward slashes, and occurs once.
2. `text` is one character after normalisation form C (a base and its marks count as one), or, where words or lines are
   asked for, any number of them.
3. Every row has as many columns as the header. Nothing is skipped: a row that cannot be used is an error, which
   names its line in the file; the header is line 1.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from handfed.clients.datasets.samples import assemble, normalised_picture
from handfed.clients.datasets.texts import characters, tokenised
from handfed.clients.datasets.trees import FileTree, FolderTree, ZipTree
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.samples import Samples
from handfed.shared.tasks import Task

TABLE: Final = "labels.tsv"
PICTURES: Final = "images.zip"


@dataclass(frozen=True)
class Row:
    """A line of labels.tsv."""

    line: int
    image: str
    text: str
    writer: str | None


def read_labelled(path: Path, tree: FolderTree | ZipTree, task: Task) -> Dataset:
    """Reads a folder or archive that holds labels.tsv.

    Args:
        path: The folder or the archive.
        tree: What it holds.
        task: What its pictures show.

    Raises:
        DatasetError: The table or a picture breaks a rule of this module; the message names the line.
    """
    where = f"{tree.where}/{TABLE}"
    rows = parse_table(tree.read(TABLE), where=where)
    if not task.of_texts:
        _refuse_long_texts(rows, where)
    pictures = _pictures(tree)
    _refuse_missing(rows, pictures, where)
    alphabet, labels = tokenised([row.text for row in rows], where=where)
    images = [
        normalised_picture(
            pictures.read(row.image),
            where=f"{where}, line {row.line}: image {row.image!r}",
            height=task.height if task.of_texts else None,
        )
        for row in rows
    ]
    writers = [row.writer for row in rows if row.writer is not None]
    return assemble(
        path,
        alphabet=alphabet,
        samples=Samples.of_texts(images, labels)
        if task.of_texts
        else Samples(np.stack(images), np.array(labels, np.int32)[:, 0]),
        writers=writers or None,
        kind="labelled pictures",
    )


def parse_table(content: bytes, *, where: str) -> list[Row]:
    """Parses labels.tsv.

    Args:
        content: The file.
        where: What is read, for the message of an error.

    Returns:
        The rows in order, with texts in normalisation form C and without surrounding spaces.

    Raises:
        DatasetError: It is not UTF-8 or has no samples, the header lacks a column, or a row has the wrong number of
            columns, no image, text or writer, or an image that an earlier row has.
    """
    header, *lines = _lines(content, where)
    columns = header.split("\t")
    _check_columns(columns, where)
    rows: list[Row] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(lines, start=2):
        row = _row(line, columns, number, where)
        if row.image in first_line:
            raise DatasetError(
                f"{where}, line {number}: image {row.image!r} is on line {first_line[row.image]} already;"
                " label each image once"
            )
        first_line[row.image] = number
        rows.append(row)
    if not rows:
        raise DatasetError(f"{where}: holds no samples, only a header")
    return rows


def _lines(content: bytes, where: str) -> list[str]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DatasetError(f"{where}, line {line}: is not UTF-8; save the table as UTF-8") from None
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]  # no other separators


def _check_columns(columns: Sequence[str], where: str) -> None:
    for needed in ("image", "text"):
        if needed not in columns:
            raise DatasetError(
                f"{where}: the header has no column {needed!r} (found: {', '.join(columns)});"
                " columns are separated by tabs"
            )
    for column in columns:
        if columns.count(column) > 1:
            raise DatasetError(f"{where}: the header has the column {column!r} twice; rename one")


def _row(line: str, columns: Sequence[str], number: int, where: str) -> Row:
    cells = line.split("\t")
    if len(cells) != len(columns):
        raise DatasetError(
            f"{where}, line {number}: has {len(cells)} columns, and the header has {len(columns)};"
            " columns are separated by single tabs"
        )
    cell = dict(zip(columns, cells, strict=True))
    text = unicodedata.normalize("NFC", cell["text"]).strip()
    if not text:
        raise DatasetError(f"{where}, line {number}: the text is empty; label the image or remove the line")
    if not cell["image"]:
        raise DatasetError(f"{where}, line {number}: the image is empty; name its file or remove the line")
    if str(PurePosixPath(cell["image"])) != cell["image"]:  # one file must not pass for two
        raise DatasetError(f"{where}, line {number}: write the image as {str(PurePosixPath(cell['image']))!r}")
    if cell.get("writer") == "":
        raise DatasetError(
            f"{where}, line {number}: the writer is empty; give every line a writer, or remove the column"
        )
    return Row(number, cell["image"], text, cell.get("writer"))


def _refuse_long_texts(rows: Sequence[Row], where: str) -> None:
    long = [row for row in rows if len(characters(row.text)) != 1]
    if not long:
        return
    message = f"{where}, line {long[0].line}: the text has {len(long[0].text)} characters"
    if 2 * len(long) > len(rows):
        raise DatasetError(
            f"{message}, and so have {len(long):,} of {len(rows):,} texts more than one: this data set holds words or"
            " lines; read it with --task words or --task lines"
        )
    raise DatasetError(
        f"{message}, and a character recogniser needs one character an image; correct or remove such lines"
        f" ({len(long):,} of {len(rows):,}), or name longer classes by folders"
    )


def _pictures(tree: FolderTree | ZipTree) -> FileTree:
    if not tree.has(PICTURES):
        return tree
    if isinstance(tree, FolderTree):
        return tree.archive(PICTURES)
    raise DatasetError(
        f"{tree.where}: holds {PICTURES} within the archive;"
        f" unpack the outer archive, or pack the pictures beside {TABLE}"
    )


def _refuse_missing(rows: Sequence[Row], pictures: FileTree, where: str) -> None:
    """Looks for every picture before the first is decoded, which may take minutes."""
    for row in rows:
        try:
            found = pictures.has(row.image)
        except DatasetError as error:
            raise DatasetError(f"{where}, line {row.line}: {error}") from None
        if not found:
            raise DatasetError(
                f"{where}, line {row.line}: there is no image {row.image!r} in {pictures.where};"
                " add it or remove the line"
            )
