"""The IAM Handwriting Database as it is published: English words and lines, with their writers.

    ascii/words.txt         a01-000u-00-00 ok 154 408 768 27 51 AT A
    ascii/lines.txt         a01-000u-00 ok 154 19 408 746 1663 91 A|MOVE|to|stop|Mr.|Gaitskell|from
    ascii/forms.txt         a01-000u 000 2 prt 7 5 52 36
    words/a01/a01-000u/a01-000u-00-00.png
    lines/a01/a01-000u/a01-000u-00.png
    xml/a01-000u.xml        <form id="a01-000u" writer-id="000" ...>

Rules:
1. Columns are separated by single spaces; lines that begin with `#` are comments. The first column is the picture's
   name, the second says whether the line was segmented into words without error (`ok` or `err`), the third the grey
   level that separates ink from paper, and the ninth and last is the text. A word may hold a space.
2. Words of segmentation `err` are left out: their pictures may show something else. Lines are all read; IAM says that
   such an error does not concern the line as a whole. `|` separates the words of a line, and is read as a space.
3. Two pictures of words are damaged in IAM's own archive, and left out. `Dataset.source` counts what is left out;
   everything else that cannot be used is an error.
4. Writers come from forms.txt, or else from the XML files; without either they are unknown. The tables may also lie in
   the folder itself.

Source: Marti and Bunke 2002, The IAM-database: an English sentence database for offline handwriting recognition, IJDAR
5; the comments at the head of its tables; https://fki.tic.heia-fr.ch/databases/iam-handwriting-database.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets import xmltree
from handfed.clients.datasets.samples import assemble, bordered, decoded_picture, normalised_pixels
from handfed.clients.datasets.texts import tokenised
from handfed.clients.datasets.trees import FolderTree
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.samples import Samples
from handfed.shared.tasks import Task

_KINDS: Final = ("words", "lines")
_FOLDERS: Final = ("ascii/", "")  # where the tables lie
_COLUMNS: Final = 9
_DAMAGED: Final = ("a01-117-05-02", "r06-022-03-05")  # of words; both are damaged in IAM's own archive


@dataclass(frozen=True)
class Entry:
    """A row of words.txt or lines.txt.

    Attributes:
        line: Its line in the file, from 1.
        name: IAM's id.
        is_ok: Whether it was segmented without error.
        grey_level: From here on, a pixel is paper.
        text: What it says.
    """

    line: int
    name: str
    is_ok: bool
    grey_level: int
    text: str

    @property
    def form(self) -> str:
        """The id of the form that it was written on."""
        return "-".join(self.name.split("-")[:2])

    def picture(self, kind: str) -> str:
        """The name of its picture in the folder."""
        return f"{kind}/{self.form.split('-')[0]}/{self.form}/{self.name}.png"


def is_iam(tree: FolderTree) -> bool:
    """Whether a folder holds tables of IAM, and not just a file of that name."""
    folders = tree.folders()
    return any(tree.has(f"ascii/{kind}.txt") or (kind in folders and tree.has(f"{kind}.txt")) for kind in _KINDS)


def read_iam(path: Path, tree: FolderTree, task: Task) -> Dataset:
    """Reads IAM's words or lines.

    Args:
        path: The folder.
        tree: What it holds.
        task: Of words or of lines.

    Raises:
        DatasetError: A table or picture is missing or breaks a rule of this module; the message names the line.
    """
    if not task.of_texts:
        raise DatasetError(f"{path}: is IAM, which holds words and lines; read it with --task words or --task lines")
    table = _table(tree, f"{task.kind}.txt")
    if table is None:
        other = next(kind for kind in _KINDS if kind != task.kind)
        raise DatasetError(f"{path}: has no ascii/{task.kind}.txt; add it, or read it with --task {other}")
    where = f"{tree.where}/{table}"
    entries = parse_table(tree.read(table), where=where)
    used = [entry for entry in entries if task.kind == "lines" or (entry.is_ok and entry.name not in _DAMAGED)]
    if not used:
        raise DatasetError(f"{where}: holds no {task.kind} that are segmented without error; get the file anew")
    _refuse_missing(used, tree, task.kind, where)
    writers = _writers(used, tree, where)
    alphabet, labels = tokenised([entry.text for entry in used], where=where)
    left_out = len(entries) - len(used)
    return assemble(
        path,
        alphabet=alphabet,
        samples=Samples.of_texts([_image(entry, tree, task, where) for entry in used], labels),
        writers=writers,
        kind=f"copy of IAM; {left_out:,} {task.kind} in doubt are left out" if left_out else "copy of IAM",
    )


def parse_table(content: bytes, *, where: str) -> list[Entry]:
    """Parses words.txt or lines.txt.

    Args:
        content: The file.
        where: What is read, for the message of an error.

    Raises:
        DatasetError: It is not UTF-8, or a line has too few columns, a value that cannot be, or an earlier line's id.
    """
    entries: dict[str, Entry] = {}
    for number, line in _rows(content, where):
        entry = _entry(number, line, where)
        if entry.name in entries:
            raise DatasetError(
                f"{where}, line {number}: {entry.name!r} is on line {entries[entry.name].line} already; remove one"
            )
        entries[entry.name] = entry
    return list(entries.values())


def _table(tree: FolderTree, name: str) -> str | None:
    return next((folder + name for folder in _FOLDERS if tree.has(folder + name)), None)


def _rows(content: bytes, where: str) -> list[tuple[int, str]]:
    """The lines that are no comments, with their numbers from 1."""
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n") + 1
        raise DatasetError(f"{where}, line {number}: is not UTF-8; get the file anew") from None
    stripped = [(number, line.rstrip("\r ")) for number, line in enumerate(lines, start=1)]
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


def _entry(number: int, line: str, where: str) -> Entry:
    cells = line.split(" ", _COLUMNS - 1)
    text = unicodedata.normalize("NFC", cells[-1]).replace("|", " ").strip()
    if len(cells) != _COLUMNS or not text:
        raise DatasetError(
            f"{where}, line {number}: has {len(cells)} columns, and IAM's have {_COLUMNS}, the last of them the text;"
            " get the file anew"
        )
    name, segmentation, grey_level = cells[:3]
    if segmentation not in ("ok", "err", "er"):  # IAM's own comment on words says `er`
        raise DatasetError(f"{where}, line {number}: the second column is ok or err, not {segmentation!r}")
    if not (grey_level.isascii() and grey_level.isdigit()):
        raise DatasetError(f"{where}, line {number}: the third column is a grey level, not {grey_level!r}")
    return Entry(number, name, segmentation == "ok", int(grey_level), text)


def _refuse_missing(entries: Sequence[Entry], tree: FolderTree, kind: str, where: str) -> None:
    """Looks for every picture before the first is decoded, which takes minutes."""
    for entry in entries:
        if not tree.has(entry.picture(kind)):
            raise DatasetError(
                f"{where}, line {entry.line}: there is no picture {entry.picture(kind)!r} in {tree.where}; unpack"
                f" {kind}.tgz into its folder {kind!r}, or remove the line"
            )


def _image(entry: Entry, tree: FolderTree, task: Task, where: str) -> NDArray[np.uint8]:
    picture = entry.picture(task.kind)
    place = f"{where}, line {entry.line}: picture {picture!r}"
    pixels = decoded_picture(tree.read(picture), where=place)
    light = pixels[pixels >= entry.grey_level]
    paper = int(np.median(light)) if len(light) else 255
    return normalised_pixels(bordered(pixels, paper), where=place, height=task.height)


def _writers(entries: Sequence[Entry], tree: FolderTree, where: str) -> list[str] | None:
    """Who wrote each entry; None where nothing says it."""
    known = _writers_of_forms(tree)
    if not known:
        return None
    for entry in entries:
        if entry.form not in known:
            raise DatasetError(
                f"{where}, line {entry.line}: nothing says who wrote form {entry.form!r}; get all of forms.txt or of"
                " the XML files, or remove them all"
            )
    return [known[entry.form] for entry in entries]


def _writers_of_forms(tree: FolderTree) -> dict[str, str]:
    """Each form's writer, of forms.txt or else of the XML files."""
    table = _table(tree, "forms.txt")
    if table is not None:
        rows = [(number, line.split(" ")) for number, line in _rows(tree.read(table), f"{tree.where}/{table}")]
        for number, cells in rows:
            if len(cells) == 1:
                raise DatasetError(f"{tree.where}/{table}, line {number}: has no writer; get the file anew")
        return {cells[0]: cells[1] for _, cells in rows}
    return dict(_form_and_writer(tree, name) for name in tree.names() if PurePosixPath(name).match("xml/*.xml"))


def _form_and_writer(tree: FolderTree, name: str) -> tuple[str, str]:
    where = f"{tree.where}/{name}"
    _, form = xmltree.parse(tree.read(name), where=where)
    written = form.get("id"), form.get("writer-id")
    if form.tag != "form" or not written[0] or not written[1]:
        raise DatasetError(f"{where}: is no form of IAM with id and writer-id; get the file anew")
    return written[0], written[1]
