"""Lines and words on a page, and how each is cut out of the page's picture.

Rules:
1. An outline is a polygon in the page's coordinates, which grow to the right and downwards from its upper left corner.
   The picture may be larger or smaller than the page says, if its sides are in proportion: a scan that was scaled down.
2. An outline that runs over the page's edge is cut off there.
3. What is outside the outline becomes paper: the median of the rectangle around it. Descenders of the line above are
   not read as ink of this one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import DatasetError

Outline = Sequence[tuple[float, float]]

_LEAST_POINTS: Final = 3
_LEAST_SIDE: Final = 2  # pixels
_TOLERANCE: Final = 0.01  # how much a picture's proportions may differ from its page's: units are rounded


@dataclass(frozen=True)
class Region:
    """A line or a word.

    Attributes:
        name: What it is called in an error, such as `line 'r1l3'`.
        text: What it says; empty where nobody has transcribed it.
        outline: Around its ink.
    """

    name: str
    text: str
    outline: Outline


@dataclass(frozen=True)
class Page:
    """What a file says about one page.

    Attributes:
        picture: The picture's file name, as the file states it.
        size: Width and height in the unit of the outlines; None where that is the picture's own pixel.
        writer: Who wrote it, where the file says so.
        regions: Its lines, or its words, in the file's order.
    """

    picture: str
    size: tuple[float, float] | None
    writer: str | None
    regions: list[Region]


def parse_outline(points: str, *, where: str) -> Outline:
    """Parses `x,y x,y ...`, or `x y x y ...`, as some write it.

    Raises:
        DatasetError: It is something else, or has fewer than three points.
    """
    try:
        numbers = [finite(number) for number in re.split(r"[\s,]+", points.strip())]
    except ValueError:
        numbers = []
    if len(numbers) % 2 or len(numbers) < 2 * _LEAST_POINTS:
        raise DatasetError(
            f"{where}: the outline {points[:40]!r} is not 'x,y x,y x,y', three points or more; correct it, or remove"
            " the region"
        )
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def finite(number: str) -> float:
    """The number.

    Raises:
        ValueError: It is none, or is infinite or not a number.
    """
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


def scale_of(picture: NDArray[np.uint8], page: Page, *, where: str) -> tuple[float, float]:
    """How many of the picture's pixels a unit of the page is, across and down.

    Raises:
        DatasetError: The picture is of other proportions than the page.
    """
    if page.size is None:
        return 1.0, 1.0
    height, width = picture.shape
    across, down = width / page.size[0], height / page.size[1]
    if abs(across / down - 1) > _TOLERANCE:
        raise DatasetError(
            f"{where}: is {width} x {height} pixels, and its page {page.size[0]:g} x {page.size[1]:g}: another picture,"
            " or one that was turned or cropped; put the page's own picture there"
        )
    return across, down


def cut(picture: NDArray[np.uint8], outline: Outline, scale: tuple[float, float]) -> NDArray[np.uint8] | None:
    """Cuts a region out of a page.

    Args:
        picture: uint8 (height, width), of the page.
        outline: Of the region.
        scale: Of `scale_of`.

    Returns:
        uint8 (height, width) of the rectangle around the outline; None where less than 2 x 2 pixels are on the page.
    """
    from PIL import Image, ImageDraw

    corner = np.array(picture.shape[::-1])
    points = np.clip(np.array(outline) * scale, 0, corner)  # x, y
    left, top = np.floor(points.min(axis=0)).astype(int)
    right, bottom = np.ceil(points.max(axis=0)).astype(int)
    if min(right - left, bottom - top) < _LEAST_SIDE:
        return None
    rectangle = picture[top:bottom, left:right]
    inside = Image.new("1", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(inside).polygon([(float(x - left), float(y - top)) for x, y in points], fill=1)
    return np.where(np.asarray(inside), rectangle, np.uint8(np.median(rectangle)))
