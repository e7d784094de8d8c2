"""Pages with their lines: a folder of page pictures with a PAGE XML or an ALTO XML file for each.

    letters/0001.jpg, letters/0001.xml, ...
    letters/0001.jpg, ..., letters/page/0001.xml, ...       as Transkribus exports them

Rules:
1. The `.xml` files directly in the folder are read; where none of them is PAGE or ALTO, those in its folder `page`.
   Other XML beside them (METS, metadata) is not read. Two files must not name one picture.
2. A picture is looked for by the name that its file states, beside that file and then in the folder itself; of a name
   that leads elsewhere, such as a path on the computer that wrote it, the last part counts.
3. A line or word without text is left out, as nobody has transcribed it; `Dataset.source` counts them. Whatever else
   cannot be used is an error that names the file and the line.
4. The writer is whom the file names, and else every file is a writer of its own: nobody who wrote two pages must be on
   both sides of an evaluation, so give one page of each writer, or name the writers.

Formats: `handfed.clients.datasets.pagexml` and `handfed.clients.datasets.altoxml`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets import altoxml, pagexml, xmltree
from handfed.clients.datasets.regions import Page, cut, scale_of
from handfed.clients.datasets.samples import assemble, bordered, decoded_picture, normalised_pixels
from handfed.clients.datasets.texts import tokenised
from handfed.clients.datasets.trees import FolderTree
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.samples import Samples
from handfed.shared.tasks import Task

_PARSERS: Final[dict[str, Callable[..., Page]]] = {pagexml.ROOT: pagexml.parse_page, altoxml.ROOT: altoxml.parse_page}
_SUBFOLDER: Final = "page"
_HEAD: Final = 4096  # bytes, in which the root is looked for
_OPENING: Final = re.compile(rb"<(?:[\w.-]+:)?(?:PcGts|alto)[\s>]")


@dataclass(frozen=True)
class Document:
    """A file of a page.

    Attributes:
        name: Of the file, in its folder.
        picture: Of the page's picture, in the same folder.
        page: What it says; only regions with text.
        left_out: How many regions had none.
    """

    name: str
    picture: str
    page: Page
    left_out: int


def page_files(tree: FolderTree) -> list[str]:
    """The names of the PAGE and ALTO files of a folder, sorted; none where it holds something else."""
    beside = [name for name in tree.top_files() if _is_page(tree, name)]
    if beside or _SUBFOLDER not in tree.folders():
        return beside
    below = [name for name in tree.names() if PurePosixPath(name).parent.as_posix() == _SUBFOLDER]
    return [name for name in below if _is_page(tree, name)]


def read_pages(path: Path, tree: FolderTree, names: Sequence[str], task: Task) -> Dataset:
    """Reads a folder of pages.

    Args:
        path: The folder.
        tree: What it holds.
        names: Of `page_files`.
        task: Of words or of lines.

    Raises:
        DatasetError: A file or picture breaks a rule of this module; the message names it and the line.
    """
    if not task.of_texts:
        raise DatasetError(f"{path}: holds pages of text; read it with --task lines or --task words")
    documents = [_document(tree, name, task.kind) for name in names]
    _refuse_shared_pictures(documents, path)
    left_out = sum(document.left_out for document in documents)
    texts = [region.text for document in documents for region in document.page.regions]
    if not texts:
        raise DatasetError(
            f"{path}: has no {task.kind} with a text ({left_out:,} without); transcribe them, or choose another --task"
        )
    alphabet, labels = tokenised(texts, where=str(path))
    images = [image for document in documents for image in _images(tree, document, task.height)]
    writers = [document.page.writer or document.name for document in documents for _ in document.page.regions]
    return assemble(
        path,
        alphabet=alphabet,
        samples=Samples.of_texts(images, labels),
        writers=writers,
        kind=f"pages in XML; {left_out:,} {task.kind} without text are left out" if left_out else "pages in XML",
    )


def _document(tree: FolderTree, name: str, kind: str) -> Document:
    where = f"{tree.where}/{name}"
    namespace, root = xmltree.parse(tree.read(name), where=where)
    page = _PARSERS[root.tag](namespace, root, kind, where=where)
    tidy = [replace(region, text=unicodedata.normalize("NFC", region.text).strip()) for region in page.regions]
    transcribed = [region for region in tidy if region.text]
    return Document(
        name=name,
        picture=_picture(tree, name, page.picture),
        page=replace(page, regions=transcribed),
        left_out=len(page.regions) - len(transcribed),
    )


def _picture(tree: FolderTree, name: str, stated: str) -> str:
    """The name of a page's picture in the tree."""
    where = f"{tree.where}/{name}"
    parts = [part for part in re.split(r"[\\/:]", stated) if part not in ("", ".", "..")]
    if not parts:
        raise DatasetError(f"{where}: names no picture; export it anew, with the name of its image file")
    is_inside = "/".join(parts) == stated
    picture = PurePosixPath(*parts) if is_inside else PurePosixPath(parts[-1])
    try:
        for candidate in (PurePosixPath(name).parent / picture, picture):
            if tree.has(candidate.as_posix()):
                return candidate.as_posix()
    except DatasetError as error:
        raise DatasetError(f"{where}: its picture: {error}") from None
    raise DatasetError(f"{where}: its picture {picture.as_posix()!r} is missing; put it beside the file")


def _refuse_shared_pictures(documents: list[Document], path: Path) -> None:
    first: dict[str, str] = {}
    for document in documents:
        if document.picture in first:
            raise DatasetError(
                f"{path}: {first[document.picture]!r} and {document.name!r} are of the same picture,"
                f" {document.picture!r}; remove one"
            )
        first[document.picture] = document.name


def _images(tree: FolderTree, document: Document, height: int) -> Iterator[NDArray[np.uint8]]:
    """The regions of a page, each normalised to uint8 (height, width)."""
    if not document.page.regions:
        return
    where = f"{tree.where}/{document.picture}"
    picture = decoded_picture(tree.read(document.picture), where=where)
    scale = scale_of(picture, document.page, where=where)
    paper = int(np.median(picture))
    for region in document.page.regions:
        place = f"{tree.where}/{document.name}, {region.name}"
        pixels = cut(picture, region.outline, scale)
        if pixels is None:
            raise DatasetError(f"{place}: less than 2 x 2 pixels of it are on the page; correct or remove it")
        yield normalised_pixels(bordered(pixels, paper), where=place, height=height)


def _is_page(tree: FolderTree, name: str) -> bool:
    if PurePosixPath(name).suffix.lower() != ".xml":
        return False
    head = tree.read(name)[:_HEAD].replace(b"\0", b"")  # of UTF-16
    return _OPENING.search(head) is not None
