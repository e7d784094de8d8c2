"""From files to pictures of pages: photographs, scans in TIFF of many pages, and PDFs of scanners.

Rules:
1. A PDF's pages are drawn at 250 dots an inch, in grey. Anything else is decoded as everywhere
   (`handfed.clients.edge.pictures`), only larger: cameras take more than a recogniser needs.
2. A picture that is larger than need be is scaled down as it comes in, by area: what follows works on each pixel.
3. Pictures come one at a time; a stack of scans does not have to fit into memory.

Source: pypdfium2, https://pypdfium2.readthedocs.io/.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.device.forms.extra import require
from handfed.clients.edge.pictures import read_frames
from handfed.shared.errors import ImageError

MOST_PIXELS: Final = 80_000_000  # 600 dots an inch on A4 are 35 million, and telephones take 50
MOST_PAGES: Final = 1_000  # of one file
_DOTS_AN_INCH: Final = 250
_LONGEST: Final = 3_600  # pixels; 12 a mm where the paper fills the picture


@dataclass(frozen=True)
class Scan:
    """A picture of a page.

    Attributes:
        where: The file and, where it has several, the page of it; for the terminal of who named it.
        picture: uint8 (height, width), grey.
        alone: Whether the file holds nothing else.
    """

    where: str
    picture: NDArray[np.uint8]
    alone: bool


def read_scans(path: Path) -> Iterator[Scan]:
    """The pictures in a file.

    Raises:
        ImageError: It cannot be read, or holds more than can be; the message names the file and page.
        MissingExtraError: What reads it is not installed.
    """
    frames = (
        _pdf_pages(path)
        if path.suffix.lower() == ".pdf"
        else read_frames(path, where=str(path), most_pixels=MOST_PIXELS)
    )
    first = next(frames)
    second = next(frames, None)
    if second is None:
        yield Scan(str(path), _shrunk(first), alone=True)
        return
    for number, frame in enumerate(_together(first, second, frames), start=1):
        if number > MOST_PAGES:
            raise ImageError(f"{path}: has more than {MOST_PAGES:,} pages; part it")
        yield Scan(f"{path}, page {number}", _shrunk(frame), alone=False)


def _together(
    first: NDArray[np.uint8], second: NDArray[np.uint8], rest: Iterator[NDArray[np.uint8]]
) -> Iterator[NDArray[np.uint8]]:
    yield first
    yield second
    yield from rest


def _pdf_pages(path: Path) -> Iterator[NDArray[np.uint8]]:
    require("pypdfium2")
    import pypdfium2

    if not path.is_file():
        raise ImageError(f"{path}: there is no such file; check the path")
    try:
        document = pypdfium2.PdfDocument(path)
        try:
            for page in document:
                inches = page.get_width() * page.get_height() / 72**2
                if inches * _DOTS_AN_INCH**2 > MOST_PIXELS:
                    raise ImageError(f"{path}: has a page that is larger than any form; scan it again")
                drawn = page.render(scale=_DOTS_AN_INCH / 72, grayscale=True).to_numpy()
                yield np.array(drawn, np.uint8).reshape(drawn.shape[:2])
        finally:
            document.close()
    except (pypdfium2.PdfiumError, OSError) as error:
        raise ImageError(f"{path}: is no PDF, is locked, or is damaged ({error}); export it as pictures") from None


def _shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with at most `_LONGEST` pixels a side."""
    import cv2

    factor = _LONGEST / max(picture.shape)
    if factor >= 1:
        return picture
    height, width = (max(2, round(side * factor)) for side in picture.shape)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
