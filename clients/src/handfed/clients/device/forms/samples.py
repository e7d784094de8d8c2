"""From pictures of forms to what the store takes in.

Rules:
1. All of what is named, or nothing: a picture that cannot be used refuses the whole, and the message lists all of them.
   Only the blank backs of a scan of several pages are passed over, and counted.
2. A box is known by its form and place (`Page.identity`), and not by its pixels: another photograph of the same page
   brings nothing twice.
3. So a page that was copied after it was printed, and filled in twice, would hide one of the two, under the wrong
   name perhaps. Where a page is there twice, its boxes are compared, and other handwriting in them is an error.
4. Pictures are normalised as any others are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets.reading import relabelled
from handfed.clients.datasets.texts import characters
from handfed.clients.device.forms.code import Page
from handfed.clients.device.forms.cutting import Cut, Verdict, cut, without
from handfed.clients.device.forms.extra import require
from handfed.clients.device.forms.rectifying import BlankPageError, rectify
from handfed.clients.device.forms.scans import Scan, read_scans
from handfed.shared import alphabets, strips
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError, ImageError, SettingError
from handfed.shared.images import normalise
from handfed.shared.samples import Samples
from handfed.shared.tasks import Task

_ALIKE: Final = 0.75  # median correlation of photographs of the same ink, at least: 0.95 mostly, and 0.5 of other ink
_COMPARED: Final = 3  # boxes that have to be there twice, to say anything
_LISTED: Final = 20  # pictures that cannot be used, in a message


@dataclass(frozen=True)
class ReadPage:
    """A page that was found in a picture.

    Attributes:
        where: The file and the page of it, as the person named it.
        page: What it says it is.
        cuts: Its boxes.
    """

    where: str
    page: Page
    cuts: list[Cut]

    def counts(self) -> dict[Verdict, int]:
        """How many of its boxes have each verdict."""
        found = Counter(each.verdict for each in self.cuts)
        return {verdict: found[verdict] for verdict in Verdict}


@dataclass(frozen=True)
class Forms:
    """The pages that were found, in the order of files, and how many blank ones were passed over."""

    pages: list[ReadPage]
    blank: int

    def numbered(self) -> list[tuple[int, ReadPage, Cut]]:
        """All boxes with their numbers, from 1 on, as a contact sheet shows them."""
        boxes = [(page, each) for page in self.pages for each in page.cuts]
        return [(number, page, each) for number, (page, each) in enumerate(boxes, start=1)]

    def repeated(self) -> list[str]:
        """The names of pages that are there more than once."""
        found = Counter((page.page.sheet, page.page.name) for page in self.pages)
        return [name for (_, name), count in found.items() if count > 1]

    def without(self, numbers: Collection[int]) -> Forms:
        """The same, with some boxes left out by hand.

        Raises:
            SettingError: There is no box of such a number.
        """
        boxes = self.numbered()
        unknown = sorted(set(numbers) - {number for number, _, _ in boxes})
        if unknown:
            raise SettingError(
                f"there is no box {unknown[0]}: they count from 1 to {len(boxes)}, as --contact-sheet shows"
            )
        by_page = [{each.box for number, of, each in boxes if of is page and number in numbers} for page in self.pages]
        pages = [replace(page, cuts=without(page.cuts, out)) for page, out in zip(self.pages, by_page, strict=True)]
        return replace(self, pages=pages)


@dataclass(frozen=True)
class Taken:
    """What is to go into the store.

    Attributes:
        dataset: The handwriting, with its writers.
        identities: What each sample is known by.
    """

    dataset: Dataset
    identities: tuple[bytes, ...]


def read_forms(files: Sequence[Path], progress: Callable[[], None] = lambda: None) -> Forms:
    """Finds the forms in pictures, cuts them and judges their boxes.

    Args:
        files: Photographs and scans.
        progress: Called after each page.

    Raises:
        ImageError: A picture cannot be used; the message lists all that cannot.
        DatasetError: A page was copied and filled in twice.
        MissingExtraError: What looks for forms is not installed.
    """
    require("cv2", "zxingcpp")
    pages: list[ReadPage] = []
    refused: list[str] = []
    blank = 0
    for file in files:
        try:
            for scan in read_scans(file):
                try:
                    pages.append(_read(scan))
                except BlankPageError as error:
                    blank += not scan.alone
                    refused += [f"{scan.where}: {error}"] if scan.alone else []
                except ImageError as error:
                    refused.append(f"{scan.where}: {error}")
                progress()
        except ImageError as error:  # of the file; it names it
            refused.append(str(error))
    if refused:
        shown = "\n  ".join(refused[:_LISTED])
        more = f"\n  and {len(refused) - _LISTED:,} more" if len(refused) > _LISTED else ""
        raise ImageError(
            "nothing was imported, because of what cannot be used; put it right, or leave it out:\n  " + shown + more
        )
    if not pages:
        raise ImageError("nothing was imported: all pages are blank")
    _refuse_mixed(pages)
    _refuse_copied(pages)
    return Forms(pages, blank)


def taken(forms: Forms, task: Task) -> Taken:
    """What the boxes that count hold, each page once.

    Args:
        forms: At least one page.
        task: What they show.

    Raises:
        DatasetError: No box counts, the forms show something else than the task, or a label is not of its alphabet.
    """
    kind = forms.pages[0].page.kind.name
    if task.of_texts != (kind == "words"):
        raise DatasetError(f"the forms show {kind}, and the task is of {task.kind}; name another task")
    boxes: dict[bytes, tuple[Page, Cut]] = {}
    for page in forms.pages:
        for each in page.cuts:
            if each.verdict == Verdict.KEPT:  # of two photographs of a page, the first that shows the box well
                boxes.setdefault(page.page.identity(each.box), (page.page, each))
    if not boxes:
        raise DatasetError("nothing was imported: no box has any handwriting that counts; --contact-sheet shows why")
    return Taken(_dataset(list(boxes.values()), task), tuple(boxes))


def _read(scan: Scan) -> ReadPage:
    rectified = rectify(scan.picture)
    return ReadPage(scan.where, rectified.page, cut(rectified))


def _refuse_mixed(pages: Sequence[ReadPage]) -> None:
    first = pages[0]
    for other in pages:
        if other.page.kind != first.page.kind:
            raise DatasetError(
                f"{first.where} shows {first.page.kind.name}, and {other.where} {other.page.kind.name};"
                " import them apart"
            )


def _refuse_copied(pages: Sequence[ReadPage]) -> None:
    """Refuses two pages of one number with different handwriting.

    Raises:
        DatasetError: There are such pages.
    """
    seen: dict[tuple[bytes, int], ReadPage] = {}
    for page in pages:
        first = seen.setdefault((page.page.sheet, page.page.number), page)
        if first is page:
            continue
        alike = [
            _likeness(one, two)
            for one, two in zip(first.cuts, page.cuts, strict=False)
            if one.verdict == two.verdict == Verdict.KEPT
        ]
        if len(alike) >= _COMPARED and np.median(alike) < _ALIKE:
            raise DatasetError(
                f"{first.where} and {page.where} are copies of one page, {page.page.name}, with different handwriting:"
                " nobody can tell who wrote which. Import one of them, and print a form for each person"
            )


def _likeness(one: Cut, two: Cut) -> float:
    """How alike two cuts are: the correlation of their normalised pictures."""
    pictures = np.stack([normalise(each.ink).ravel() for each in (one, two)]).astype(np.float64)
    return float(np.asarray(np.corrcoef(pictures))[0, 1])


def _dataset(boxes: Sequence[tuple[Page, Cut]], task: Task) -> Dataset:
    texts = [characters(each.label) if task.of_texts else [each.label] for _, each in boxes]
    alphabet = Alphabet(tuple(sorted({name for text in texts for name in text})))
    labels = [[alphabet.names.index(name) for name in text] for text in texts]
    writers = tuple(sorted({page.writer for page, _ in boxes}))
    named = any(writers)
    numbers = np.array([writers.index(page.writer) for page, _ in boxes], np.int32)
    dataset = Dataset(
        "the form",
        alphabet,
        _samples([each.ink for _, each in boxes], labels, task),
        numbers if named else None,
        source="Your own forms",
        licence="unknown",
        writer_ids=writers if named else None,
    )
    wanted = alphabets.find(task.alphabet)
    return dataset if wanted is None else relabelled(dataset, wanted)


def _samples(pictures: Sequence[NDArray[np.uint8]], labels: list[list[int]], task: Task) -> Samples:
    if task.of_texts:
        return Samples.of_texts([strips.normalise(each, task.height) for each in pictures], labels)
    return Samples(np.stack([normalise(each) for each in pictures]), np.array(labels, np.int32)[:, 0])
