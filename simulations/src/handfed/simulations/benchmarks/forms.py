"""How well filled-in forms become samples, from 204 pages that are photographed or scanned badly.

`python -m handfed.simulations.benchmarks forms`: MNIST's digits in forms on A4 and Letter. With a folder of other
handwriting in `HANDFED_CHARACTERS`, such as UNIPEN's as an .npz file, a second table is of forms of its alphabet.

A box is *right* where it is kept if a character is well written in it and left out if not, its cut lies within 0.5 mm
of where it should, and, if it is kept, it has its label and shows its ink: what is imported correlates with what was
written (normalised both, and blurred by a pixel) by 0.8 or more. A *wrong label* is one that is kept with another label
than was printed; *kept wrongly* are boxes that are empty, crossed out or over the edge; *lost* are well-written ones
that are left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from handfed.clients.datasets import read
from handfed.clients.device.forms import layout, sheets
from handfed.clients.device.forms.code import Page
from handfed.clients.device.forms.cutting import Cut, Verdict, cut
from handfed.clients.device.forms.rectifying import rectify
from handfed.shared.datasets import Dataset
from handfed.shared.errors import ImageError
from handfed.shared.images import normalise
from handfed.simulations.benchmarks.filled_forms import (
    STYLES,
    Filled,
    Photographed,
    Picture,
    Style,
    fill,
    photograph,
    printed,
)
from handfed.simulations.datasets.mnist5k import MNIST5K

PAGES: Final = 34  # of each style
OTHER: Final = "HANDFED_CHARACTERS"
_OFF_MM: Final = 0.5
_INSET_MM: Final = 0.75
_ALIKE: Final = 0.8


@dataclass
class Tally:
    """What came of some pages; adds up."""

    pages: int = 0
    refused: int = 0
    boxes: int = 0
    right: int = 0
    wrong_labels: int = 0
    kept_wrongly: int = 0
    lost: int = 0
    worst_mm: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        sums = {name: getattr(self, name) + getattr(other, name) for name in vars(self)}
        return Tally(**sums | {"worst_mm": max(self.worst_mm, other.worst_mm)})

    def row(self) -> list[str]:
        """As a row of the table."""
        read = max(self.pages - self.refused, 1)
        counts = (self.wrong_labels, self.kept_wrongly, self.lost)
        return [
            f"{self.pages}",
            f"{self.refused}",
            f"{self.boxes:,}",
            f"{self.right / self.boxes:.2%}",
            *map(str, counts),
            f"{self.worst_mm:.2f} mm",
            f"{self.seconds / read:.2f} s",
        ]


def measure(handwriting: Dataset, style: Style, *, number: int, pages: int) -> Tally:
    """Fills, photographs and reads pages.

    Args:
        handwriting: What they are filled with, and whose alphabet they ask for.
        style: How they are photographed.
        number: Of the style; a part of the seed.
        pages: How many.
    """
    total = Tally()
    papers = list(layout.PAPERS.values())
    for seed in range(pages):
        random = np.random.default_rng((number, seed))
        repeat = max(1, 132 // len(handwriting.alphabet))
        page = sheets.deal(
            handwriting.alphabet.names,
            repeat=repeat,
            writer="A. Writer",
            paper=papers[seed % len(papers)],
            kind=layout.KINDS["characters"],
            seed=1000 * number + seed,
        )[0]
        filled = fill(printed([page])[0], page, handwriting, style, random)
        total += _judged(page, filled, photograph(filled.picture, style, random))
    return total


def _judged(page: Page, filled: Filled, photographed: Photographed) -> Tally:
    tally = Tally(pages=1, boxes=len(page.labels))
    started = time.perf_counter()
    try:
        rectified = rectify(photographed.picture)
        cuts = cut(rectified)
    except ImageError:
        return tally + Tally(refused=1, lost=len(page.labels))
    tally.seconds = time.perf_counter() - started
    for each, prompt, fate, written in zip(cuts, page.prompts(), filled.fates, filled.written, strict=True):
        off = _off_mm(each, page, photographed)
        tally.worst_mm = max(tally.worst_mm, off)
        kept = each.verdict == Verdict.KEPT
        right = kept == (fate == "written") and off <= _OFF_MM
        if kept and written is not None:
            right &= each.label == prompt and _likeness(each.ink, written) >= _ALIKE
        tally.right += right
        tally.wrong_labels += kept and each.label != prompt
        tally.kept_wrongly += kept and fate != "written"
        tally.lost += not kept and fate == "written"
    return tally


def _off_mm(each: Cut, page: Page, photographed: Photographed) -> float:
    """How far the farthest corner of a cut is from where it should be, in mm."""
    box = layout.boxes(page.paper, page.kind)[each.box]
    left, top = box.left + _INSET_MM, box.top + _INSET_MM
    right, bottom = box.left + box.width - _INSET_MM, box.top + box.height - _INSET_MM
    true = photographed.place_of(np.array([(left, top), (right, top), (right, bottom), (left, bottom)]))
    density = float(np.hypot(*(true[1] - true[0]))) / (right - left)
    return float(np.hypot(*(each.corners - true).T).max()) / density


def _likeness(one: Picture, other: Picture) -> float:
    """How alike two pictures are, normalised: a correlation, blurred, as a pixel aside is no difference."""
    pictures = [cv2.GaussianBlur(normalise(each), (0, 0), 1).ravel() for each in (one, other)]
    return float(np.asarray(np.corrcoef(pictures))[0, 1])


def _table(handwriting: Dataset, styles: Sequence[Style], pages: int) -> Table:
    table = Table(
        "of what",
        *("pages", "refused", "boxes", "right", "wrong labels", "kept wrongly", "lost", "farthest off", "a page"),
        title=f"forms of {len(handwriting.alphabet)} characters",
    )
    total = Tally()
    for number, style in enumerate(styles):
        tally = measure(handwriting, style, number=number, pages=pages)
        table.add_row(style.name, *tally.row())
        total += tally
    table.add_row("all", *total.row(), style="bold")
    return table


def run(_: Path, console: Console) -> None:
    """Prints the tables."""
    console.print(_table(MNIST5K.load(), STYLES, PAGES))
    if os.environ.get(OTHER):
        console.print(_table(read(os.environ[OTHER]), STYLES, PAGES))
