"""From a picture to a page that lies flat, is evenly lit, and says what it is.

Rules:
1. Each corner mark is there once, and all are of one paper, or the picture is refused: a page is never guessed from
   less. Marks say which corner they are, so a page may lie in any direction, also upside down.
2. What stands in the boxes comes from the page's code alone (`handfed.clients.device.forms.code`). Should it not be
   read for sure, the picture is refused.
3. The four marks give the perspective (a homography). What is left, such as the bulge of a lens or a page that is not
   quite flat, is measured at the printed frames themselves: each is looked for within 1.6 mm, and a smooth surface
   (of second degree in x and y, fitted robustly) carries all boxes along. Where too few frames are found, or they do
   not fit, the picture is refused: it is another page, or a bent one.
4. The paper's brightness is what a closing by 7 mm leaves of the page (Serra 1982, "Image Analysis and Mathematical
   Morphology": greyscale closing), so shadows go and strokes stay.

Source: OpenCV, https://docs.opencv.org/; zxing-cpp, https://github.com/zxing-cpp/zxing-cpp.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.device.forms import layout
from handfed.clients.device.forms.code import Page, decode
from handfed.clients.device.forms.extra import require
from handfed.clients.device.forms.layout import Area, Paper
from handfed.shared.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import zxingcpp

Picture = NDArray[np.uint8]
Points = NDArray[np.float64]

SCALE: Final = 8  # pixels a mm of a rectified page
LEAST_PIXELS_A_MM: Final = 4.0  # of the picture; 840 over the width of A4
_CODE_SCALES: Final = (16, 10, 24)  # pixels a mm that the code is read at, in turn
_CODE_BORDER_MM: Final = 3.5
_CLOSING_MM: Final = 7
_COARSE: Final = 4  # rectified pixels a side that the paper's brightness has one value for
_SEARCH_MM: Final = 1.6
_FOUND: Final = 0.7  # of all frames, at least
_FITTING_MM: Final = 0.35  # median distance of frames from where they should be, at most
_LOCAL_MM: Final = 0.7  # a frame that is farther off than this was mistaken for something else
_WIDEST_LINE: Final = 13  # rectified pixels, when it is blurred
_LEAST_LINE: Final = 14.0  # of 255: how much darker a frame is than what is beside it
_BLANK: Final = 24.0  # of 255: less contrast than this is a sheet without anything on it


class BlankPageError(ImageError):
    """There is nothing on the paper, such as on the back of a form."""


@dataclass(frozen=True)
class Rectified:
    """A page as it was printed, seen straight from above.

    Attributes:
        page: What it says it is.
        flat: uint8 (height, width), `SCALE` pixels a mm; 255 is paper, whatever the light.
        shifts: float64 (boxes, 2), how far right and down each box is from where it was printed, in mm.
        to_picture: float64 (3, 3), from mm on the paper to pixels of the picture, but for the shifts.
    """

    page: Page
    flat: Picture
    shifts: Points
    to_picture: Points


def rectify(picture: Picture) -> Rectified:
    """Finds the form in a picture.

    Args:
        picture: uint8 (height, width), grey.

    Raises:
        BlankPageError: There is nothing in it.
        ImageError: It shows no form, not all of one, more than one, one that is too small, blurred or bent, or one
            that something else printed.
        MissingExtraError: What looks for it is not installed.
    """
    require("cv2", "zxingcpp")
    import cv2

    paper, marks = _marks(picture)
    printed = np.concatenate([_corners(layout.mark_area(paper, corner)) for corner in range(len(layout.CORNERS))])
    found, _ = cv2.findHomography(printed, marks.reshape(-1, 2))
    to_picture = np.asarray(found, np.float64)
    _refuse_small(marks)
    page = _code(picture, to_picture, paper)
    flat = _evenly_lit(_seen_from_above(picture, to_picture, Area(0, 0, paper.width, paper.height), SCALE))
    return Rectified(page, flat, _shifts(flat, layout.boxes(paper, page.kind)[: len(page.labels)]), to_picture)


def _marks(picture: Picture) -> tuple[Paper, Points]:
    """The paper, and float64 (4, 4, 2): the corners of its four marks, in pixels.

    Raises:
        ImageError: They are not there, or not once each.
    """
    import cv2

    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_50)
    corners, numbers, _ = cv2.aruco.ArucoDetector(dictionary, parameters).detectMarkers(picture)
    places = [layout.place_of_mark(int(number)) for number in np.ravel(numbers)] if corners else []
    known = [(*place, np.asarray(where, np.float64)[0]) for place, where in zip(places, corners, strict=True) if place]
    if not known:
        if _contrast(picture) < _BLANK:
            raise BlankPageError("is blank; photograph the side with the writing")
        raise ImageError("shows no form of Handfed's: none of its four black corner marks was found")
    if len({paper.name for paper, _, _ in known}) > 1 or max(Counter(corner for _, corner, _ in known).values()) > 1:
        raise ImageError("shows more than one form; photograph each page alone")
    by_corner = {corner: where for _, corner, where in known}
    missing = [name for corner, name in enumerate(layout.CORNERS) if corner not in by_corner]
    if missing:
        raise ImageError(
            f"does not show all of the form: the {' and the '.join(missing)} corner mark is missing, cut off, covered"
            " or blurred; photograph the whole page"
        )
    return known[0][0], np.stack([by_corner[corner] for corner in range(len(layout.CORNERS))])


def _contrast(picture: Picture) -> float:
    """How much darker the darkest thousandth is than paper around it, in grey levels."""
    import cv2

    side = max(3, max(picture.shape) // 40) | 1
    around = cv2.medianBlur(picture, min(side, 101))
    darker = around.astype(np.int16) - cv2.GaussianBlur(picture, (0, 0), 1.5)
    return float(np.percentile(darker, 99.9))


def _corners(area: Area) -> Points:
    """float64 (4, 2): the corners of an area, clockwise from the upper left, in mm."""
    right, bottom = area.left + area.width, area.top + area.height
    return np.array([(area.left, area.top), (right, area.top), (right, bottom), (area.left, bottom)])


def _refuse_small(marks: Points) -> None:
    sides = np.linalg.norm(marks - np.roll(marks, 1, axis=1), axis=2)
    density = float(sides.min()) / layout.MARK_MM
    if density < LEAST_PIXELS_A_MM:
        raise ImageError(
            f"shows the form too small or too much from the side: {density:.1f} pixels a millimetre where it is"
            f" smallest, and {LEAST_PIXELS_A_MM:.0f} are needed; go nearer, straight above it"
        )


def _seen_from_above(picture: Picture, to_picture: Points, area: Area, scale: int) -> Picture:
    """An area of the paper, at `scale` pixels a mm; what is outside of the picture is white."""
    import cv2

    # The middle of pixel (i, j) is at (i + 1/2, j + 1/2) / scale mm, and the picture's pixels count from their middles.
    to_mm = np.array([[1 / scale, 0, area.left + 0.5 / scale], [0, 1 / scale, area.top + 0.5 / scale], [0, 0, 1]])
    size = (round(area.width * scale), round(area.height * scale))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpPerspective(picture, to_picture @ to_mm, size, flags=flags, borderValue=255)
    return np.asarray(seen, np.uint8)


def _code(picture: Picture, to_picture: Points, paper: Paper) -> Page:
    """What the page's code says.

    Raises:
        ImageError: It cannot be read, or contradicts the marks.
    """
    import zxingcpp

    left, top, width, height = layout.code_area(paper)
    border = _CODE_BORDER_MM
    area = Area(left - border, top - border, width + 2 * border, height + 2 * border)
    for scale in _CODE_SCALES:
        seen = _seen_from_above(picture, to_picture, area, scale)
        for tried in (seen, _evenly_lit(seen)):
            found = zxingcpp.read_barcodes(tried, formats=_formats(), try_invert=False)
            if found:
                page = decode(found[0].text)
                if page.paper != paper:
                    raise ImageError("has a code and corner marks that do not belong together")
                return page
    raise ImageError("has a code that cannot be read: it is covered, blurred or badly lit; photograph the page again")


def _formats() -> zxingcpp.BarcodeFormats:
    import zxingcpp

    return zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


def _evenly_lit(page: Picture) -> Picture:
    """The page with its paper at 255, whatever shadow lies on it."""
    import cv2

    height, width = page.shape
    small = (max(1, width // _COARSE), max(1, height // _COARSE))
    coarse = cv2.resize(page, small, interpolation=cv2.INTER_AREA)
    side = round(_CLOSING_MM * SCALE / _COARSE) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    paper = cv2.medianBlur(cv2.morphologyEx(coarse, cv2.MORPH_CLOSE, kernel), 5)
    paper = np.maximum(cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), 1)
    return np.asarray(np.minimum(page.astype(np.float32) * 255 / paper, 255), np.uint8)


def _shifts(flat: Picture, boxes: Sequence[Area]) -> Points:
    """How far each box is from where it was printed: float64 (boxes, 2), in mm.

    Raises:
        ImageError: The frames are not there.
    """
    measured = np.array([_measured(flat, box) for box in boxes])  # mm; NaN where there is no frame
    centres = np.array([(box.left + box.width / 2, box.top + box.height / 2) for box in boxes])
    found = np.isfinite(measured).all(axis=1)
    if found.mean() < _FOUND:
        raise ImageError(
            f"shows {found.sum()} of the {len(boxes)} frames that its code speaks of; lay the page flat, or print the"
            " form again: it was printed or copied wrongly"
        )
    smooth = np.stack([_smooth(centres[found], measured[found, axis], centres) for axis in (0, 1)], axis=1)
    off = np.hypot(*(measured - smooth)[found].T)
    if np.median(off) > _FITTING_MM:
        raise ImageError("shows a page that is bent or creased; lay it flat and photograph it again")
    distance = np.hypot(*(measured - smooth).T)
    local = found & (np.nan_to_num(distance, nan=np.inf) < _LOCAL_MM)
    return np.where(local[:, None], measured, smooth)


def _measured(flat: Picture, box: Area) -> tuple[float, float]:
    """How far right and down a box's frame is, in mm; NaN where none is seen."""
    reach = round(_SEARCH_MM * SCALE)
    left, top = round(box.left * SCALE), round(box.top * SCALE)
    wide, high = round(box.width * SCALE), round(box.height * SCALE)
    dark = 255.0 - flat[max(top - reach, 0) : top + high + reach + 1, max(left - reach, 0) : left + wide + reach + 1]
    if dark.shape != (high + 2 * reach + 1, wide + 2 * reach + 1):
        return np.nan, np.nan
    inner = slice(2 * reach, -2 * reach)  # beyond what a shifted frame has corners in
    across = _line_shift(np.median(dark[inner], axis=0), wide, reach)
    down = _line_shift(np.median(dark[:, inner], axis=1), high, reach)
    return across + round(box.left * SCALE) / SCALE - box.left, down + round(box.top * SCALE) / SCALE - box.top


def _line_shift(profile: Points, apart: int, reach: int) -> float:
    """Where two lines that are `apart` pixels from one another are best seen, from where they should be, in mm.

    Args:
        profile: float64 (apart + 2 x reach + 1,), how dark it is along the lines: the median, which strokes that cross
            do not change.
        apart: In pixels.
        reach: How far they may be off, in pixels.
    """
    import cv2

    row = profile[None].astype(np.float32)
    lines = np.asarray(cv2.morphologyEx(row, cv2.MORPH_TOPHAT, np.ones((1, _WIDEST_LINE), np.uint8)), np.float64)[0]
    both = np.minimum(lines[: 2 * reach + 1], lines[apart : apart + 2 * reach + 1])
    best = int(both.argmax())
    if both[best] < _LEAST_LINE:
        return np.nan
    around = np.arange(max(best - 2, 0), min(best + 3, len(both)))
    weight = np.maximum((lines[: 2 * reach + 1] + lines[apart : apart + 2 * reach + 1])[around], 0)
    middle = float((around * weight).sum() / weight.sum())
    return (middle + 0.5 - reach) / SCALE


def _smooth(places: Points, values: Points, at: Points) -> Points:
    """A surface of second degree through values, at other places; far-off values count less and less."""
    origin, spread = places.mean(axis=0), np.maximum(np.ptp(places, axis=0) / 2, 1.0)
    terms, wanted = (_terms((each - origin) / spread, len(places)) for each in (places, at))
    weights = np.ones(len(values))
    for _ in range(5):
        root = np.sqrt(weights)
        solved, *_ = np.linalg.lstsq(terms * root[:, None], values * root, rcond=None)
        off = np.abs(terms @ solved - values)
        weights = 1 / np.maximum(1, off / 0.15) ** 2
    return np.asarray(wanted @ solved)


def _terms(places: Points, known: int) -> Points:
    """The terms of a surface; of few known values, only a shift."""
    x, y = places.T
    ones = np.ones_like(x)
    return np.stack([ones, x, y, x * x, x * y, y * y], axis=1) if known >= 12 else ones[:, None]  # noqa: PLR2004
