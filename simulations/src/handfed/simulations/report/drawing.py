"""Drawing with Matplotlib for a page that is light or dark, narrow or wide.

Rules:
1. A chart names its colours by role. Matplotlib gets stand-ins, which become CSS variables in the page, so that one
   picture serves both colour schemes.
2. A unit of a chart is a CSS pixel on a phone; wider screens show more charts beside one another, not larger ones.
3. Text that the caller brings (class names) is put in after drawing: Matplotlib's own font lacks most scripts, warns of
   it, and reads `$` as mathematics. The browser picks the font.
4. The same input gives the same bytes: no date, no random id, no setting of the user's own Matplotlib.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

WIDTH: Final = 340  # units of a chart that fits a phone
WIDE: Final = 720  # units of one that a phone has to scroll
TEXT: Final = 11  # units
SMALL_TEXT: Final = 9

# Roles of colours, as stand-ins that no default of Matplotlib uses.
INK: Final = "#010101"
SOFT: Final = "#020202"
LINE: Final = "#030303"
FIRST: Final = "#040404"
SECOND: Final = "#050505"
THIRD: Final = "#060606"
BAD: Final = "#070707"
VARIABLES: Final = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    LINE: "var(--line)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
    THIRD: "var(--third)",
    BAD: "var(--bad)",
}

_SETTINGS: Final[dict[Any, Any]] = {  # keys are a type of Matplotlib's own
    "svg.fonttype": "none",
    "svg.hashsalt": "handfed",
    "text.parse_math": False,
    "font.size": TEXT,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.facecolor": "none",
    "axes.linewidth": 1.0,
    "axes.labelsize": TEXT,
    "axes.labelpad": 5.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.pad": 5.0,
    "ytick.major.pad": 5.0,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
}
_NUMBER: Final = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE: Final = re.compile(r"^#(.+)$|^url\(#(.+)\)$")
_TOKEN: Final = re.compile(r"^@(\d+)@$")
_FONT_FAMILY: Final = re.compile(r"font-family:[^;]*;?\s*")
_LEVELS: Final = 10  # shades of a cell


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Charts are drawn within it. It sets Matplotlib's settings for the whole process and puts them back."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def figure(height: float, *, width: float = WIDTH) -> Figure:
    """An empty figure; sizes are in units, of which Matplotlib has 72 to the inch."""
    return Figure(figsize=(width / 72, height / 72))


def axes(
    on: Figure,
    *,
    left: float = 40,
    right: float = 8,
    top: float = 10,
    bottom: float = 36,
) -> Axes:
    """Axes with these margins within the figure, in units."""
    width, height = (side * 72 for side in on.get_size_inches())
    return on.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    )


def token(position: int) -> str:
    """What stands for the text at a position of `embed`'s `texts` while Matplotlib draws."""
    return f"@{position}@"


def boxes(
    on: Axes,
    left: NDArray[np.float64],
    bottom: NDArray[np.float64],
    width: float | NDArray[np.float64],
    height: float | NDArray[np.float64],
    *,
    colour: str,
    opacity: float = 1.0,
) -> None:
    """Draws rectangles as one path, which keeps a page with thousands of them small.

    Args:
        on: Axes; their limits are the caller's to set.
        left: float (n,), as are the others, in data coordinates.
        bottom: The sides that lie lower in value.
        width: To the other sides.
        height: To the other sides.
        colour: A role.
        opacity: 0 to 1.
    """
    if not len(left):
        return
    right, top = left + width, bottom + height
    corners = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
    vertices = np.array([np.broadcast_arrays(*corner) for corner in corners])  # (5, 2, n)
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    path = Path(vertices.transpose(2, 0, 1).reshape(-1, 2), np.tile(codes, len(left)))
    on.add_patch(PathPatch(path, facecolor=colour, linewidth=0, alpha=opacity))


def cells(
    on: Axes, strength: NDArray[np.float64], *, colour: str, faintest: float = 0.12, strongest: float = 1.0
) -> None:
    """Draws a table of shades: nothing where `strength` is 0.

    Args:
        on: Axes; row 0 is at height 0 to 1, so turn the axis round.
        strength: float (rows, columns), 0 to 1.
        colour: A role.
        faintest: Opacity of the least strength above 0.
        strongest: Opacity of strength 1.
    """
    level = np.ceil(strength * _LEVELS)
    gap = 0.04
    for each in range(1, _LEVELS + 1):
        row, column = (place.astype(np.float64) for place in np.nonzero(level == each))
        opacity = faintest + (strongest - faintest) * (each - 1) / (_LEVELS - 1)
        boxes(on, column + gap, row + gap, 1 - 2 * gap, 1 - 2 * gap, colour=colour, opacity=opacity)


def embed(drawn: Figure, *, name: str, title: str, description: str, texts: Sequence[str] = ()) -> Markup:
    """The figure as an SVG element for within HTML.

    Args:
        drawn: The figure.
        name: Letters and hyphens, unlike those of any other figure on the page; ids start with it.
        title: What it shows, in a few words.
        description: What it says, for those who cannot see it.
        texts: What stands in place of `token(0)`, `token(1)`, …
    """
    file = io.StringIO()
    drawn.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    root = ET.fromstring(file.getvalue())  # noqa: S314 - what Matplotlib has just written
    _drop(root, {"metadata", "style"})
    referred = {name for element in root.iter() for name in _references(element)}
    for element in root.iter():
        _adapt(element, prefix=f"{name}-", keep=referred, texts=texts)
    _label(root, name, title, description)
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=False))  # noqa: S704 - escaped by ET


def _drop(element: ET.Element, names: set[str]) -> None:
    for child in list(element):
        if child.tag.rpartition("}")[2] in names:
            element.remove(child)
        else:
            _drop(child, names)


def _references(element: ET.Element) -> Iterator[str]:
    for value in element.attrib.values():
        if found := _REFERENCE.match(value):
            yield found[1] or found[2]


def _adapt(element: ET.Element, *, prefix: str, keep: set[str], texts: Sequence[str]) -> None:
    """Makes one element HTML's: no namespaces, ids of its own, colours and fonts of the page."""
    element.tag = element.tag.rpartition("}")[2]
    attributes: dict[str, str] = {}
    for full_name, value in element.attrib.items():
        name, new = full_name.rpartition("}")[2], value.replace("\n", "")
        if name == "id":
            if value not in keep:
                continue
            new = prefix + value
        elif name in ("href", "clip-path"):
            new = value.replace("#", f"#{prefix}")
        elif name == "style":
            new = _FONT_FAMILY.sub("", value)
            for colour, variable in VARIABLES.items():
                new = new.replace(colour, variable)
        attributes[name] = _NUMBER.sub(lambda number: f"{float(number[0]):.2f}", new)
    element.attrib.clear()
    element.attrib.update(attributes)
    if element.tag == "text" and (found := _TOKEN.match(element.text or "")):
        element.text = texts[int(found[1])]
    elif element.text and not element.text.strip():
        element.text = None
    element.tail = None


def _label(root: ET.Element, name: str, title: str, description: str) -> None:
    view = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update(viewBox=view, role="img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        child = ET.Element(tag, {"id": f"{name}-{tag}"})
        child.text = text
        root.insert(position, child)
