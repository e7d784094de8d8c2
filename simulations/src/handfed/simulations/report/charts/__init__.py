"""The charts of a report, each a function from figures to a `Chart`.

What a chart shows is also said in words, in its `description`, and in figures, in a table of the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from markupsafe import Markup


class Mark(StrEnum):
    """What an entry of a legend looks like; the template draws each."""

    LINE = "line"
    SQUARES = "squares"
    DOTS = "dots"
    DASHES = "dashes"
    DOT = "dot"
    RING = "ring"
    DIAMOND = "diamond"
    CROSS = "cross"
    BLOCK = "block"
    FAINT = "faint"


Role = Literal["ink", "soft", "first", "second", "third", "bad"]


@dataclass(frozen=True)
class Key:
    """An entry of a legend, which the page sets, so that it wraps where the screen is narrow."""

    mark: Mark
    role: Role
    text: str


@dataclass(frozen=True)
class Chart:
    """A chart, ready for the page.

    Attributes:
        heading: What it shows.
        caption: What to look for, or how to read it.
        svg: The picture.
        keys: Its legend.
        wide: Whether it takes the page's whole width.
    """

    heading: str
    caption: str
    svg: Markup
    keys: tuple[Key, ...] = ()
    wide: bool = False
