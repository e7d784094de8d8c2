"""What a recogniser takes as input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

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


def with_channels(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (n, height, width, channels) of pictures whose axis of channels may be left out where there is one."""
    return pictures if pictures.ndim == 4 else pictures[..., None]  # noqa: PLR2004
