"""Tables of shades whose rows or columns are classes: their axes and the names on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from handfed.shared.alphabet import SPACE
from handfed.simulations.report import drawing
from handfed.simulations.report.drawing import INK

NOTHING = "nothing"  # what is read where nothing is written, and of what is not read
_LONGEST_NAME = 10  # characters


def seen(name: str) -> str:
    """A class's name; of the space between words, which nobody sees, what it is called."""
    return "space" if name == SPACE else name


def short(name: str) -> str:
    """A class's name, or of a long one its two ends: names of classes often differ in the last letters only."""
    name = seen(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[:4]}…{name[-5:]}"


def turned(texts: Sequence[str]) -> bool:
    """Whether column names need turning: they are words rather than characters."""
    return max(len(text) for text in texts) > 2  # noqa: PLR2004 - a letter and its accent


def table_axes(axes: Axes, columns: int, rows: int) -> None:
    """Axes of a table with the first row at the top, and nothing on them."""
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.set_ticks_position("top")
    axes.xaxis.set_label_position("top")
    axes.set_xticks([])
    axes.set_yticks([])


def name_classes(axes: Axes, texts: Sequence[str], *, columns: bool, rows: bool, room: float) -> None:
    """Names classes on the axes, by tokens; where there is no room for all, every second, third, … of them.

    Args:
        axes: The axes.
        texts: The names.
        columns: Whether columns are classes.
        rows: Whether rows are.
        room: Units from one class to the next.
    """
    every = int(np.ceil(7 / room))
    positions = np.arange(0, len(texts), every)
    size = min(drawing.TEXT, max(7.0, room * every * 0.95))
    tokens = [drawing.token(int(position)) for position in positions]
    if columns:
        axes.set_xticks(positions + 0.5, tokens, color=INK, fontsize=size)
        if turned(texts):
            for text in axes.get_xticklabels():
                text.set(rotation=90, rotation_mode="anchor", ha="left", va="center")
    if rows:
        axes.set_yticks(positions + 0.5, tokens, color=INK, fontsize=size)
