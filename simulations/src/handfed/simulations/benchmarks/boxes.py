"""How well the characters on a page are found and read, and `docs/pictures/boxes.png`.

Run in the checkout, with a release of digits:
`python -m handfed.simulations.benchmarks.boxes handfed-data/releases/0001`.
Pages are composed of MNIST's digits; where each digit is, is known. The release has perhaps trained on some of them, so
what counts is the difference between the rows, and to single images. The same libraries give the same pages.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from handfed.clients.edge.detection import Box, find_characters, read_boxes
from handfed.clients.edge.detection.boxes import intersection_over_union
from handfed.clients.edge.detection.drawing import draw
from handfed.clients.edge.recogniser import Recogniser
from handfed.shared.datasets import Dataset
from handfed.shared.images import INK_FLOOR, bounding_box
from handfed.simulations.datasets.mnist5k import MNIST5K

PICTURE: Final = Path("docs/pictures/boxes.png")
PAGES: Final = 10
PICTURED: Final = 5  # seed of the page that is drawn
HELD_OUT: Final = 1000  # digits that pages are made of
_TOUCHING: Final = 3  # pixels of clear ink that two touching digits share
_HEIGHT: Final = 20  # pixels, of a digit as it is in the data
_LINE_INK: Final = 0.6
Level = NDArray[np.float64]


@dataclass(frozen=True)
class Style:
    """What a page looks like.

    Attributes:
        scale: How many pixels of the page a pixel of the data becomes, about.
        ruled: `""`, `"lines"`, `"cells"`, or `"through"` for lines through the digits.
        slope: Of the ruled lines, rows a column.
        shadow: Whether a shadow falls on the page.
        noise: Standard deviation of the grain, in grey levels.
        contrast: Grey levels between paper and ink.
        touching: Probability that a digit is followed by one that touches it.
        light: Whether ink is light on dark paper.
    """

    scale: float = 2.0
    ruled: str = ""
    slope: float = 0.0
    shadow: bool = False
    noise: float = 0.0
    contrast: float = 200.0
    touching: float = 0.0
    light: bool = False


STYLES: Final = {
    "clean": Style(),
    "noise": Style(noise=8),
    "pencil": Style(contrast=50, noise=4),
    "shadow, ruled": Style(ruled="lines", slope=0.01, shadow=True, noise=5),
    "shadow, printed cells": Style(ruled="cells", shadow=True, noise=5),
    "lines through digits": Style(ruled="through", slope=0.01, noise=5),
    "touching": Style(touching=0.6, noise=4),
    "touching, shadow, ruled": Style(touching=0.6, ruled="lines", shadow=True, noise=4),
}


@dataclass(frozen=True)
class Composed:
    """A page and what is on it.

    Attributes:
        picture: uint8 (height, width).
        boxes: Where the digits are.
        labels: What they are.
    """

    picture: NDArray[np.uint8]
    boxes: list[Box]
    labels: list[int]


def compose(digits: Dataset, rows: int, columns: int, style: Style, *, seed: int) -> Composed:
    """Puts random digits on a page, in lines but not quite on them.

    Args:
        digits: What to take them from: uint8 (n, 28, 28), light on black.
        rows: Lines of digits.
        columns: Digits a line.
        style: What the page looks like.
        seed: Of everything random.
    """
    random = np.random.default_rng(seed)
    down, across = round(1.9 * _HEIGHT * style.scale), round(1.6 * _HEIGHT * style.scale)
    level = np.zeros(((rows + 1) * down, (columns + 1) * across))
    boxes: list[Box] = []
    labels: list[int] = []
    for row in range(rows):
        column = 0
        while column < columns:
            top = row * down + down // 2 + int(random.integers(round(8 * style.scale)))
            left = column * across + across // 2 + int(random.integers(round(5 * style.scale)))
            pair = column + 1 < columns and random.random() < style.touching
            for second in range(1 + pair):
                digit, label = _digit(digits, style.scale, random)
                left = _touching_left(level, digit, top, boxes[-1]) if second else left
                height, width = digit.shape
                place = level[top : top + height, left : left + width]
                np.maximum(place, digit, out=place)
                boxes.append(Box(left, top, left + width, top + height))
                labels.append(label)
                column += 1
    level = np.maximum(level, _lines(level.shape, down, across, style, random))
    return Composed(_photographed(level, style, random), boxes, labels)


def _digit(digits: Dataset, scale: float, random: np.random.Generator) -> tuple[Level, int]:
    """A digit, cropped and scaled, as levels from 0 to 1; and its label."""
    row = int(random.integers(len(digits)))
    top, bottom, left, right = bounding_box(digits.images[row])
    ink = Image.fromarray(digits.images[row][top:bottom, left:right])
    factor = scale * random.uniform(0.85, 1.15)
    size = (max(2, round(ink.width * factor)), max(2, round(ink.height * factor)))
    return np.asarray(ink.resize(size, Image.Resampling.BICUBIC)) / 255, int(digits.labels[row])


def _touching_left(level: Level, digit: Level, top: int, before: Box) -> int:
    """Where a digit starts that is moved leftwards until it touches the one before it."""
    height, width = digit.shape
    for left in range(before.right + 2, before.left, -1):
        place = level[top : top + height, left : left + width]
        shared = (place * 255 >= 4 * INK_FLOOR) & (digit * 255 >= 4 * INK_FLOOR)
        if shared.sum() >= _TOUCHING:
            return left
    return before.right - 1


def _lines(shape: tuple[int, ...], down: int, across: int, style: Style, random: np.random.Generator) -> Level:
    """Ruled lines or printed cells, as levels from 0 to 1."""
    level = np.zeros(shape)
    thick = max(1, round(0.7 * style.scale))
    places = np.arange(shape[1])
    if style.ruled:
        for line in range(shape[0] // down):
            within = random.uniform(0.7, 0.95) if style.ruled == "through" else 0.3
            tops = np.rint((line + within) * down + style.slope * places).astype(np.int64)
            for row in range(thick):
                level[np.minimum(tops + row, shape[0] - 1), places] = _LINE_INK
    if style.ruled == "cells":
        for left in range(round(0.3 * across), shape[1], across):
            level[round(0.3 * down) :, left : left + thick] = _LINE_INK
    return level


def _photographed(level: Level, style: Style, random: np.random.Generator) -> NDArray[np.uint8]:
    """The page as a camera sees it, uint8 (height, width)."""
    rows, columns = np.mgrid[: level.shape[0], : level.shape[1]]
    paper = np.full(level.shape, 235.0)
    if style.shadow:
        paper -= 110 / (1 + np.exp((0.6 * level.shape[1] - columns - 0.4 * rows) / 25)) + 30 * rows / level.shape[0]
    grey = paper * (1 - level * style.contrast / 235) + random.normal(0, 1, level.shape) * style.noise
    picture = np.clip(grey, 0, 255).astype(np.uint8)
    return 255 - picture if style.light else picture


def matched(found: Sequence[Box], true: Sequence[Box], *, least: float = 0.5) -> dict[int, int]:
    """Which of the found boxes is which of the true ones, each at most once, the best fitting first."""
    fits = (
        (intersection_over_union(box, other), one, two)
        for one, box in enumerate(found)
        for two, other in enumerate(true)
    )
    pairs: dict[int, int] = {}
    for _, one, two in sorted((each for each in fits if each[0] >= least), reverse=True):
        if one not in pairs and two not in pairs.values():
            pairs[one] = two
    return pairs


def measure(recogniser: Recogniser, digits: Dataset, style: Style) -> list[str]:
    """A row of the table: what is found by the ink alone, then with windows, what is read right, and the time."""
    true = alone = alone_false = found = false = right = 0
    seconds = 0.0
    for seed in range(PAGES):
        page = compose(digits, 6, 9, style, seed=seed)
        boxes = find_characters(page.picture)
        pairs = matched(boxes, page.boxes)
        alone, alone_false = alone + len(pairs), alone_false + len(boxes) - len(pairs)
        started = time.perf_counter()
        readings = read_boxes(recogniser, page.picture)
        seconds += time.perf_counter() - started
        pairs = matched([reading.box for reading in readings], page.boxes)
        true, found, false = true + len(page.boxes), found + len(pairs), false + len(readings) - len(pairs)
        right += sum(readings[one].text == str(page.labels[two]) for one, two in pairs.items())
    shares = (each / true for each in (alone, alone_false, found, false, right))
    return [*(f"{share:.1%}" for share in shares), f"{seconds / PAGES:.2f} s"]


def main() -> int:
    """Prints the table and draws the picture."""
    recogniser = Recogniser.open(Path(sys.argv[1]))
    dataset = MNIST5K.load()
    digits = dataset.take(np.random.default_rng(0).permutation(len(dataset))[-HELD_OUT:])
    single = (recogniser.read_all(digits.images).labels == digits.labels).mean()
    caption = f"Of all digits on {PAGES} pages of 54. Single images are read right at {single:.1%}."
    table = Table(
        "page", "found by ink", "false", "found with windows", "false", "read right", "a page", caption=caption
    )
    for name, style in STYLES.items():
        table.add_row(name, *measure(recogniser, digits, style))
    Console(width=110).print(table)
    page = compose(digits, 4, 8, Style(ruled="through", shadow=True, touching=0.3), seed=PICTURED)
    PICTURE.write_bytes(draw(page.picture, read_boxes(recogniser, page.picture)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
