"""Forms that are filled with real handwriting and photographed badly, with all that is true of them known.

A form is printed as a device prints it, drawn at 300 dots an inch, and real characters are put into its boxes; some
boxes stay empty, are crossed out or scribbled over, or are written over the edge. Then a style says what a camera or a
scanner makes of it. The same seed gives the same picture with the same libraries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import pypdfium2
from numpy.typing import NDArray

from handfed.clients.device.forms import layout
from handfed.clients.device.forms.code import Page
from handfed.clients.device.forms.drawing import draw
from handfed.clients.device.forms.layout import Area
from handfed.shared.datasets import Dataset
from handfed.shared.images import bounding_box

Picture = NDArray[np.uint8]
Level = NDArray[np.float32]

DENSITY: Final = 300 / 25.4  # pixels a mm of a drawn form
FATES: Final = {"written": 0.86, "empty": 0.06, "crossed": 0.03, "scribbled": 0.03, "over the edge": 0.02}
_GRID: Final = 129  # points a side at which a lens is worked out; between them it is as good as straight
_LENS: Final = 0.006  # how far a lens may move a corner of the picture, as a part of half its diagonal


@dataclass(frozen=True)
class Style:
    """How a form is filled and photographed.

    Attributes:
        name: In a table.
        across: Pixels over the page's width, least and most.
        tilt: How far a corner of the page is off, at most, as a part of the page's width.
        turn: Degrees that the page is askew, at most; beside quarter turns.
        shadow: How much of the light the shadow takes, at most.
        blur: Pixels, standard deviation, least and most.
        noise: Grey levels, standard deviation, at most.
        quality: Of JPEG, least and most; none for a scan.
        ink: Of the paper's light, what ink leaves, least and most.
        lens: Whether a lens bulges the page.
        black_and_white: Whether each pixel is black or white.
    """

    name: str
    across: tuple[int, int]
    tilt: float = 0.0
    turn: float = 1.0
    shadow: float = 0.0
    blur: tuple[float, float] = (0.3, 0.6)
    noise: float = 2.0
    quality: tuple[int, int] | None = None
    ink: tuple[float, float] = (0.1, 0.35)
    lens: bool = False
    black_and_white: bool = False


STYLES: Final = (
    Style("scanner, 200 dpi", (1654, 1654)),
    Style("scanner, black and white", (1654, 1654), black_and_white=True, ink=(0.05, 0.25)),
    Style("telephone, 2,000 to 3,000 px", (2000, 3000), 0.06, 8, 0.25, (0.5, 1.2), 4, (75, 92), lens=True),
    Style("telephone, deep shadow", (1500, 2400), 0.1, 12, 0.6, (0.5, 1.2), 5, (60, 85), lens=True),
    Style("telephone, 1,200 px", (1200, 1250), 0.08, 8, 0.35, (0.4, 1.0), 6, (45, 70), lens=True),
    Style("telephone, pencil", (1500, 2400), 0.06, 8, 0.3, (0.4, 0.9), 4, (70, 90), (0.45, 0.6), lens=True),
)


@dataclass(frozen=True)
class Filled:
    """A form with handwriting on it.

    Attributes:
        picture: uint8 (height, width), `DENSITY` pixels a mm.
        fates: What is true of each box, one of `FATES`.
        written: uint8 (height, width), the ink alone, of what stands in each; None where it is empty.
    """

    picture: Picture
    fates: list[str]
    written: list[Picture | None]


@dataclass(frozen=True)
class Photographed:
    """What a camera makes of a page.

    Attributes:
        file: PNG or JPEG.
        picture: uint8 (height, width), as it is decoded.
        to_picture: float64 (3, 3), from mm on the paper to pixels, but for the lens.
        lens: How much the lens moves a corner of the picture, as a part of half its diagonal.
    """

    file: bytes
    picture: Picture
    to_picture: NDArray[np.float64] = field(repr=False)
    lens: float

    def place_of(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points of the paper, float64 (n, 2) in mm, are in the picture, in pixels."""
        seen = cv2.perspectiveTransform(points[None], self.to_picture)[0]
        return np.asarray(_through_lens(seen, self.picture.shape, self.lens))


def printed(pages: Sequence[Page]) -> list[Picture]:
    """Pages as a printer puts them on paper, uint8, `DENSITY` pixels a mm."""
    document = pypdfium2.PdfDocument(draw(pages))
    drawn = [page.render(scale=DENSITY * 25.4 / 72, grayscale=True).to_numpy() for page in document]
    return [np.array(each, np.uint8).reshape(each.shape[:2]) for each in drawn]


def fill(paper: Picture, page: Page, handwriting: Dataset, style: Style, random: np.random.Generator) -> Filled:
    """Writes into the boxes of a printed page.

    Args:
        paper: Of `printed`.
        page: What stands on it.
        handwriting: Real characters, of which each label has some.
        style: Which ink is used.
        random: Of everything random.
    """
    ink = np.zeros(paper.shape, np.float32)  # 1 is as dark as the pen
    fates = list(random.choice(list(FATES), size=len(page.labels), p=list(FATES.values())))
    written: list[Picture | None] = []
    for label, fate, box in zip(page.prompts(), fates, layout.boxes(page.paper, page.kind), strict=False):
        over = fate == "over the edge"
        written.append(None if fate == "empty" else _write(ink, label, box, handwriting, random, over=over))
        if fate == "crossed":
            _cross_out(ink, box, random)
        if fate == "scribbled":
            _scribble(ink, box, random)
    _dust(ink, random)
    leaves = random.uniform(*style.ink)
    grain = random.normal(1, 0.08, (paper.shape[0] // 4 + 1, paper.shape[1] // 4 + 1)).astype(np.float32)  # of a pen
    grain = np.asarray(cv2.resize(grain, paper.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    lit = 1 - np.clip(ink * grain, 0, 1) * (1 - leaves)
    return Filled((paper * lit).astype(np.uint8), [str(fate) for fate in fates], written)


def _write(
    ink: Level, label: str, box: Area, handwriting: Dataset, random: np.random.Generator, *, over: bool
) -> Picture:
    """Puts a character of that label into a box, or over its edge; returns its ink."""
    wanted = handwriting.alphabet.names.index(label)
    row = int(random.choice(np.flatnonzero(handwriting.labels == wanted)))
    top, bottom, left, right = bounding_box(handwriting.images[row])
    shape = handwriting.images[row][top:bottom, left:right]
    size_mm = random.uniform(5.0, 9.0)
    factor = size_mm * DENSITY / max(shape.shape)
    size = (max(2, round(shape.shape[1] * factor)), max(2, round(shape.shape[0] * factor)))
    large = cv2.GaussianBlur(cv2.resize(shape, size, interpolation=cv2.INTER_CUBIC).astype(np.float32), (0, 0), 1.5)
    strokes = 1 / (1 + np.exp((random.uniform(100, 190) - large) / 12))
    room = np.array([box.height, box.width]) - np.array(strokes.shape) / DENSITY
    place = np.array([box.top, box.left]) + random.uniform(
        0.5 * np.minimum(room, 2.4), room - 0.5 * np.minimum(room, 2.4)
    )
    if over:  # a third of it, or more
        side = int(random.integers(4))
        far = np.array(strokes.shape) / DENSITY * 0.4
        ends = (box.top - far[0], box.left - far[1], box.top + room[0] + far[0], box.left + room[1] + far[1])
        place[side % 2] = ends[side]
    _put(ink, strokes.astype(np.float32), place)
    return np.asarray(255 - 255 * np.pad(strokes, 8), np.uint8)


def _put(ink: Level, strokes: Level, place_mm: NDArray[np.float64]) -> None:
    top, left = np.rint(place_mm * DENSITY).astype(int)
    window = ink[top : top + strokes.shape[0], left : left + strokes.shape[1]]
    np.maximum(window, strokes[: window.shape[0], : window.shape[1]], out=window)


def _cross_out(ink: Level, box: Area, random: np.random.Generator) -> None:
    right, bottom = box.left + box.width, box.top + box.height
    for ends in (((box.left, box.top), (right, bottom)), ((box.left, bottom), (right, box.top))):
        _line(ink, np.array(ends) + random.uniform(-0.8, 0.8, (2, 2)), random)


def _scribble(ink: Level, box: Area, random: np.random.Generator) -> None:
    strokes = int(random.integers(9, 14))
    middle = np.array([box.left + box.width / 2, box.top + box.height / 2]) + random.uniform(-0.7, 0.7, 2)
    half = random.uniform(3.2, 5.0, 2)
    along = np.linspace(-1, 1, strokes)
    sides = np.where(np.arange(strokes) % 2, 1, -1) * random.uniform(0.75, 1.0, strokes)
    points = np.stack([along, sides] if random.random() < 0.5 else [sides, along], axis=1)  # noqa: PLR2004
    _line(ink, middle + half * points, random)


def _line(ink: Level, points_mm: NDArray[np.float64], random: np.random.Generator) -> None:
    thick = max(2, round(random.uniform(0.4, 0.8) * DENSITY))
    places = np.rint(points_mm * DENSITY).astype(np.int32)
    cv2.polylines(ink, [places.reshape(-1, 1, 2)], isClosed=False, color=1.0, thickness=thick, lineType=cv2.LINE_AA)


def _dust(ink: Level, random: np.random.Generator) -> None:
    for _ in range(40):
        place = (int(random.integers(ink.shape[1])), int(random.integers(ink.shape[0])))
        cv2.circle(ink, place, int(random.integers(1, 3)), float(random.uniform(0.3, 0.9)), -1)


def photograph(page: Picture, style: Style, random: np.random.Generator) -> Photographed:
    """What a camera or a scanner makes of a page, lying in any direction.

    Args:
        page: uint8 (height, width), `DENSITY` pixels a mm.
        style: What it makes of it.
        random: Of everything random.
    """
    seen_from, size = _view(page.shape, style, random)
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # pixels count from their middles
    to_picture = np.linalg.inv(half) @ seen_from
    lens = float(random.uniform(-_LENS, _LENS)) if style.lens else 0.0
    picture = _warped(page, to_picture, size, lens, random)
    lit = picture * _light((size[1], size[0]), style, random)
    lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), random.uniform(*style.blur)), np.float32)
    lit += random.standard_normal(lit.shape, np.float32) * np.float32(random.uniform(0.3, 1) * style.noise)
    final = np.clip(lit, 0, 255).astype(np.uint8)
    if style.black_and_white:
        final = np.where(final < 150, np.uint8(0), np.uint8(255))  # noqa: PLR2004
    if style.quality is None:
        _, encoded = cv2.imencode(".png", final)
        return Photographed(encoded.tobytes(), final, to_picture, lens)
    quality = int(random.integers(*style.quality))
    _, encoded = cv2.imencode(".jpg", final, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return Photographed(encoded.tobytes(), decoded, to_picture, lens)


def _view(
    shape: tuple[int, ...], style: Style, random: np.random.Generator
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """From mm to the picture, in pixels that count from their corners; and the picture's width and height."""
    high, wide = (side / DENSITY for side in shape)
    corners = np.array([(0, 0), (wide, 0), (wide, high), (0, high)])
    moved = corners + random.uniform(-style.tilt, style.tilt, (4, 2)) * wide
    angle = np.radians(90 * random.integers(4) + random.uniform(-style.turn, style.turn))
    turned = moved @ np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    border = 0.5 if style.tilt == 0 else random.uniform(3, 25)  # mm of table around it
    least = turned.min(axis=0) - border
    density = random.integers(style.across[0], style.across[1] + 1) / wide
    places = (turned - least) * density
    width, height = (int(side) for side in np.ceil(places.max(axis=0) + border * density))
    seen_from = cv2.getPerspectiveTransform(corners.astype(np.float32), places.astype(np.float32))
    return np.asarray(seen_from, np.float64), (width, height)


def _warped(
    page: Picture, to_picture: NDArray[np.float64], size: tuple[int, int], lens: float, random: np.random.Generator
) -> Level:
    """The page as it lies on a table, float32 (height, width)."""
    density = np.sqrt(abs(np.linalg.det(to_picture[:2, :2])))  # pixels a mm, about
    sharp = cv2.GaussianBlur(page, (0, 0), max(0.1, 0.35 * DENSITY / density))
    on_page = np.linalg.inv(_from_page(to_picture))
    table = float(random.uniform(40, 200))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    lies = cv2.warpPerspective(sharp, on_page, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=table)
    if lens:
        x, y = np.moveaxis(_before_lens(size, lens), 2, 0)
        lies = cv2.remap(lies, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(lies, np.float32)


def _from_page(to_picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """From pixels of the drawn page, which count from their middles, to those of the picture."""
    return np.asarray(to_picture @ np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, DENSITY]]) / DENSITY)


def _before_lens(size: tuple[int, int], lens: float) -> Level:
    """Where each pixel of the picture was before the lens, float32 (height, width, 2)."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, width - 1, _GRID), np.linspace(0, height - 1, _GRID))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    before = points.copy()
    for _ in range(4):
        before += points - _through_lens(before, (height, width), lens)
    grid = before.reshape(_GRID, _GRID, 2).astype(np.float32)
    at = np.linspace(0, _GRID - 1, width, dtype=np.float32), np.linspace(0, _GRID - 1, height, dtype=np.float32)
    return np.asarray(cv2.remap(grid, *np.meshgrid(*at), cv2.INTER_LINEAR), np.float32)


def _through_lens(points: NDArray[np.float64], shape: tuple[int, ...], lens: float) -> NDArray[np.float64]:
    """Where a lens that bulges puts points, float64 (n, 2), in pixels."""
    middle = np.array([shape[1] - 1, shape[0] - 1]) / 2
    off = (points - middle) / np.hypot(*middle)
    return np.asarray(points + (points - middle) * lens * (off**2).sum(axis=1, keepdims=True))


def _light(shape: tuple[int, int], style: Style, random: np.random.Generator) -> Level:
    """How much light falls on each pixel, float32 (height, width) from 0 to 1: uneven, with a shadow's edge."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    x, y = x / shape[1], y / shape[0]
    slope = random.normal(0, 1, 2)
    slope *= random.uniform(0, 0.25 if style.shadow else 0.03) / np.hypot(*slope)
    light = random.uniform(0.8, 0.95) * (1 - np.abs(slope).sum() / 2 + slope[0] * (x - 0.5) + slope[1] * (y - 0.5))
    if style.shadow:
        angle, where = random.uniform(0, 2 * np.pi), random.uniform(-0.3, 0.3)
        soft = random.uniform(0.004, 0.08)
        side = ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) - where) / soft
        light = light * (1 - random.uniform(0.3, 1) * style.shadow / (1 + np.exp(-np.clip(side, -30, 30))))
    return np.asarray(light, np.float32)
