"""What a recogniser takes as input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SIDE: Final = 28  # pixels, of the normalised picture of a character


@dataclass(frozen=True)
class Geometry:
    """The form of a picture; part of the manifest.

    Attributes:
        height: In pixels.
        width: In pixels; None of words and lines, which are of any width.
        channels: Planes, the ink's among them.
    """

    height: int = SIDE
    width: int | None = SIDE
    channels: int = 1
