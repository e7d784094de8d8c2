"""Cutting the boxes out of a rectified page, and judging which of them count.

Rules:
1. The frame is not in a cut: it begins 0.75 mm within it.
2. Ink is what is clearly darker than the paper for this page's pen, with what is fainter and touches it (hysteresis, as
   Canny 1986, "A Computational Approach to Edge Detection", IEEE PAMI 8). Specks go, and everything that is not ink
   becomes paper, so that neither grain nor dust reaches a sample.
3. A box is left out, with the reason: it is empty; it is crossed out, from corner to corner or by scribbling over it;
   its ink runs over the edge, so that the cut would show a part of a character; or a person says so.
4. In doubt a box is left out. What is lost so is a sample; what is kept wrongly is learned by everybody.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.device.forms import layout
from handfed.clients.device.forms.layout import Area
from handfed.clients.device.forms.rectifying import SCALE, Picture, Rectified

_INSET_MM: Final = 0.75
_SPECK_MM2: Final = 0.09  # less is dust
_EDGE_SPECK_MM2: Final = 0.5  # and at the edge of a cut, of the frame or of a neighbour
_DUST_MM2: Final = 0.35  # less may be dust, where it is farther from the rest than the dot of an i:
_DOT_MM: Final = 2.5
_OF_THE_PEN: Final = 0.25  # of the square of its width; a round dot has 0.8
_LEAST_INK_MM2: Final = 0.4  # of the largest part of a character, and its extent in mm:
_LEAST_EXTENT_MM: Final = 1.6
_AROUND_MM: Final = 0.3  # of grey around ink that belongs to it
_EDGE_MM: Final = 0.4  # of ink along the edge of a cut
_DIAGONAL_ENDS: Final = (0.12, 0.88)  # from where to where on the diagonal a stroke of a cross goes, at least
_DIAGONAL_OFF_MM: Final = 2.0  # that an end of it may be off the diagonal
_BENT_MM: Final = 0.5  # that it may be off a straight line
_BENT_AMONG_MANY_MM: Final = 0.2  # where strokes of the character lie close together
_DIAGONAL: Final = 0.93  # of the line that is covered
_SOLID_MM: Final = 2.8  # from the edge of ink to its middle, where a box is blackened
_ALMOST_SOLID_MM: Final = 2.0  # likewise, where a line across crosses almost as many strokes as in a scribble
_CLOSED_MM: Final = 0.4  # half of the white between strokes that counts as blackened, too
_STROKES: Final = 5  # that a line across crosses, of a scribble; of a character they are 4 at most
_FAINTEST: Final = 26.0  # of 255: strong ink is at least so dark
_DARKEST: Final = 70.0  # and need not be darker
_PEN: Final = 0.4  # of the darkness of the page's pen
# In Latin, Greek and Cyrillic, and signs.
_LIKE_A_CROSS: Final = frozenset("Xx\u03a7\u03c7\u0425\u0445\u00d7\u2715\u2717")
_SIMPLE_SCRIPTS: Final = ("LATIN", "GREEK", "CYRILLIC", "DIGIT")


class Verdict(StrEnum):
    """What becomes of a box."""

    KEPT = "kept"
    EMPTY = "empty"
    CROSSED_OUT = "crossed out"
    OVER_THE_EDGE = "over the edge"
    LEFT_OUT = "left out by hand"


@dataclass(frozen=True)
class Cut:
    """A box of a form.

    Attributes:
        box: Its place on the page, from 0, in reading order.
        label: What was to be written into it.
        verdict: What becomes of it.
        seen: uint8 (height, width), 255 is paper: as it is on the page.
        ink: uint8, likewise: the ink alone.
        corners: float64 (4, 2), the cut's corners in the picture, in pixels, clockwise from the upper left one.
    """

    box: int
    label: str = field(repr=False)
    verdict: Verdict
    seen: Picture
    ink: Picture
    corners: NDArray[np.float64]


def cut(rectified: Rectified) -> list[Cut]:
    """All boxes of a page that have something to copy, in reading order."""
    page = rectified.page
    areas = [
        _inside(box, shift) for box, shift in zip(layout.boxes(page.paper, page.kind), rectified.shifts, strict=False)
    ]
    seen = [_window(rectified.flat, area) for area in areas]
    strong = _strength(seen)
    cuts = []
    for box, (label, area, window) in enumerate(zip(page.prompts(), areas, seen, strict=True)):
        ink, core = _ink(window, strong)
        cleaned = np.where(_grown(ink, _AROUND_MM), window, np.uint8(255))
        cuts.append(Cut(box, label, _judged(core, label), window, cleaned, _in_picture(area, rectified)))
    return cuts


def without(cuts: list[Cut], boxes: Collection[int]) -> list[Cut]:
    """The same cuts, some of them left out by hand.

    Args:
        cuts: Of a page.
        boxes: Which, by their places on the page.
    """
    return [replace(each, verdict=Verdict.LEFT_OUT) if each.box in boxes else each for each in cuts]


def _inside(box: Area, shift: NDArray[np.float64]) -> Area:
    return Area(
        box.left + float(shift[0]) + _INSET_MM,
        box.top + float(shift[1]) + _INSET_MM,
        box.width - 2 * _INSET_MM,
        box.height - 2 * _INSET_MM,
    )


def _window(flat: Picture, area: Area) -> Picture:
    left, top = round(area.left * SCALE), round(area.top * SCALE)
    return flat[top : top + round(area.height * SCALE), left : left + round(area.width * SCALE)]


def _in_picture(area: Area, rectified: Rectified) -> NDArray[np.float64]:
    right, bottom = area.left + area.width, area.top + area.height
    corners = np.array([(area.left, area.top, 1), (right, area.top, 1), (right, bottom, 1), (area.left, bottom, 1)])
    x, y, scale = rectified.to_picture @ corners.T
    return np.stack([x / scale, y / scale], axis=1)


def _darkness(window: Picture) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.GaussianBlur(255 - window, (0, 0), 0.8), np.float32)


def _strength(windows: list[Picture]) -> float:
    """How dark strong ink is on this page, by its pen: the median over what is written in its boxes."""
    darkest = [float(np.percentile(_darkness(window), 99.5)) for window in windows]
    written = [each for each in darkest if each >= _FAINTEST]
    pen = float(np.median(written)) if written else 0.0
    return float(np.clip(_PEN * pen, _FAINTEST, _DARKEST))


def _ink(window: Picture, strong: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where there is ink, and where it is strong: bool (height, width) each."""
    import cv2

    dark = _darkness(window)
    count, found = cv2.connectedComponents((dark >= strong / 2).astype(np.uint8), connectivity=8)
    parts = np.asarray(found, np.int32)
    areas = np.bincount(parts[dark >= strong], minlength=count) / SCALE**2
    least = np.full(count, _SPECK_MM2)
    least[np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))] = _EDGE_SPECK_MM2
    kept = areas >= least
    kept[0] = False  # what is no part
    ink = _without_dust(parts, kept, areas, dark >= strong)
    return ink, ink & (dark >= strong)


def _without_dust(
    parts: NDArray[np.int32], kept: NDArray[np.bool_], areas: NDArray[np.float64], strong: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Ink but for small parts that are far from large ones, or finer than the pen: a dot is of its letter, dust is not.

    Args:
        parts: int32 (height, width), which part of the ink each pixel is of.
        kept: bool (parts,), which of them may count.
        areas: float64 (parts,), of strong ink, in mm2.
        strong: bool (height, width), where ink is strong.
    """
    import cv2

    large = kept & (areas >= _DUST_MM2)
    body = large[parts]
    if not body.any():
        return np.asarray(kept[parts])
    away = cv2.distanceTransform((~body).astype(np.uint8), cv2.DIST_L2, 5)
    near = np.zeros(len(kept), np.bool_)
    near[np.unique(parts[away <= _DOT_MM * SCALE])] = True
    near &= areas >= _OF_THE_PEN * _pen_mm(body & strong) ** 2
    return np.asarray((kept & (near | large))[parts])


def _pen_mm(ink: NDArray[np.bool_]) -> float:
    """How thick strokes are, in mm: over their width the distance to the edge is a quarter of it, on average."""
    import cv2

    depth = float(cv2.distanceTransform(ink.astype(np.uint8), cv2.DIST_L2, 3)[ink].mean())  # counted from 1/2 pixel out
    return max(4 * depth - 2, 1.0) / SCALE


def _grown(ink: NDArray[np.bool_], by_mm: float) -> NDArray[np.bool_]:
    import cv2

    side = 2 * round(by_mm * SCALE) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(ink.astype(np.uint8), kernel)) > 0


def _judged(ink: NDArray[np.bool_], label: str) -> Verdict:
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return Verdict.EMPTY
    extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) / SCALE
    if not _is_small(label) and (_largest_mm2(ink) < _LEAST_INK_MM2 or extent < _LEAST_EXTENT_MM):
        return Verdict.EMPTY
    if _is_crossed(ink, label) or _is_scribbled(ink, label):
        return Verdict.CROSSED_OUT
    edge = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    return Verdict.OVER_THE_EDGE if edge.sum() / SCALE >= _EDGE_MM else Verdict.KEPT


def _largest_mm2(ink: NDArray[np.bool_]) -> float:
    """The area of the largest part of the ink."""
    import cv2

    _, _, sizes, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    return float(sizes[1:, cv2.CC_STAT_AREA].max()) / SCALE**2


def _is_small(label: str) -> bool:
    """Whether a dot may be all there is to write: punctuation, signs and marks."""
    return all(unicodedata.category(each)[0] in "PSM" for each in label)


def _is_simple(label: str) -> bool:
    """Whether it is one character of a script whose characters have few strokes."""
    return len(label) == 1 and unicodedata.name(label, "").startswith(_SIMPLE_SCRIPTS)


def _is_crossed(ink: NDArray[np.bool_], label: str) -> bool:
    """Whether a straight stroke goes along each diagonal, from near one corner to near the other."""
    if label in _LIKE_A_CROSS:
        return False  # one that goes over the edge is left out anyway
    bent = _BENT_MM if _is_simple(label) else _BENT_AMONG_MANY_MM
    covered = _grown(ink, min(bent, max(_BENT_MM + 0.25 - _pen_mm(ink) / 2, 0.3)))  # a thick pen covers more by itself
    return all(_straightest(each) >= _DIAGONAL for each in (covered, covered[:, ::-1]))


def _straightest(covered: NDArray[np.bool_]) -> float:
    """How much of a straight line from upper left to lower right is covered, of the best such line."""
    height, width = covered.shape
    off = np.linspace(-_DIAGONAL_OFF_MM, _DIAGONAL_OFF_MM, 9) * SCALE  # of either end, across the diagonal
    along = np.linspace(*_DIAGONAL_ENDS, 60)
    part = (along - along[0]) / (along[-1] - along[0])
    shift = off[:, None, None] * (1 - part) + off[None, :, None] * part  # (9, 9, 60)
    slope = np.hypot(height, width)
    rows = np.rint(along * (height - 1) - shift * width / slope).astype(np.int64)
    columns = np.rint(along * (width - 1) + shift * height / slope).astype(np.int64)
    on = covered[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    return float(on.mean(axis=2).max())


def _is_scribbled(ink: NDArray[np.bool_], label: str) -> bool:
    """Whether it is blackened, or has more strokes than a character of a simple script."""
    import cv2

    is_simple = _is_simple(label)
    solid = np.pad(ink, SCALE).astype(np.uint8)
    if is_simple:
        side = 2 * round(_CLOSED_MM * SCALE) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        solid = np.asarray(cv2.morphologyEx(solid, cv2.MORPH_CLOSE, kernel), np.uint8)
    depth = float(cv2.distanceTransform(solid, cv2.DIST_L2, 5).max()) / SCALE
    if depth >= _SOLID_MM or not is_simple:
        return depth >= _SOLID_MM
    strokes = max(_strokes(ink), _strokes(ink.T))
    return strokes >= _STROKES or (strokes >= _STROKES - 1 and depth >= _ALMOST_SOLID_MM)


def _strokes(ink: NDArray[np.bool_]) -> float:
    """How many strokes a row crosses, of the fullest fifth of the rows that have ink."""
    begins = (ink & ~np.pad(ink, ((0, 0), (1, 0)))[:, :-1]).sum(axis=1)
    return float(np.percentile(begins[begins > 0], 80))
