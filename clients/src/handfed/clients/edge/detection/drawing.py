"""A page with the boxes that were found and what was read in them, for people, who look rather than read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.edge.detection.reading import BoxReading
from handfed.shared.errors import MissingExtraError

if TYPE_CHECKING:
    from PIL import ImageDraw

_SURE: Final = 0.9  # confidence from which on a box is green
_GREEN: Final = (0, 130, 70)
_ORANGE: Final = (215, 85, 0)
_WHITE: Final = (255, 255, 255)
_LEAST_TEXT: Final = 10  # pixels


def draw(picture: NDArray[np.uint8], readings: Sequence[BoxReading]) -> bytes:
    """Draws boxes and readings on a page: green what is sure, orange what is worth a look.

    Args:
        picture: uint8 (height, width), grey.
        readings: What was read on it.

    Returns:
        A PNG file.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise MissingExtraError("Pillow", "handfed-clients[edge]") from None
    page = Image.fromarray(picture).convert("RGB")
    pen = ImageDraw.Draw(page)
    for reading in readings:
        _draw(pen, reading)
    file = io.BytesIO()
    page.save(file, "PNG", optimize=True)
    return file.getvalue()


def _draw(pen: ImageDraw.ImageDraw, reading: BoxReading) -> None:
    from PIL import ImageFont

    left, top, right, bottom = reading.box
    colour = _GREEN if reading.confidence >= _SURE else _ORANGE
    width = max(1, (bottom - top) // 30)
    pen.rectangle((left - width, top - width, right - 1 + width, bottom - 1 + width), outline=colour, width=width)
    font = ImageFont.load_default(max(_LEAST_TEXT, (bottom - top) // 3))
    where = (left, top - width)
    tag = pen.textbbox(where, reading.text, font=font, anchor="lb")
    pen.rectangle((left - width, tag[1] - 1, tag[2] + 1, top - width), fill=colour)
    pen.text(where, reading.text, fill=_WHITE, font=font, anchor="lb")
