"""Decoding picture files: from PNG, JPEG, GIF, BMP, TIFF or WebP to the grey pixels that normalisation takes.

Rules:
1. The result is what a viewer shows: the EXIF orientation is applied, palettes are resolved, colours become their
   luma (ITU-R BT.601), 16-bit greys are scaled to 8 bits, and of several frames the first is taken.
2. What is transparent is paper. Where the picture has paper of its own around the ink, the holes in it get that
   shade; where only the ink is opaque, they become white, or black if the ink is light.
3. A picture is decoded whole or refused. One with more than `MAX_PIXELS` pixels is refused by its header, before
   any memory is taken for it, and only the formats above are tried: others can start programs (PostScript).

Source: Pillow, https://pillow.readthedocs.io/en/stable/handbook/concepts.html#modes.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import ImageError, MissingExtraError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS: Final = 32_000_000  # 8,000 x 4,000; decoding takes up to 16 bytes a pixel
_FORMATS: Final = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
_WIDE_MODES: Final = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # 16 bits a pixel; some come in 32
# What Pillow's decoders raise on damaged files; under `-W error` their warnings too.
_DAMAGE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
    Warning,
)


def read_picture(path_or_bytes: Path | bytes, *, where: str) -> NDArray[np.uint8]:
    """Decodes one picture.

    Args:
        path_or_bytes: A picture file, or its content.
        where: What is read, for the message of an error.

    Returns:
        uint8 (height, width), grey.

    Raises:
        ImageError: There is no such file, it is not a picture in one of the formats above, is damaged, or is larger
            than `MAX_PIXELS`.
        MissingExtraError: Pillow is not installed.
    """
    return next(read_frames(path_or_bytes, where=where))


def read_frames(
    path_or_bytes: Path | bytes, *, where: str, most_pixels: int = MAX_PIXELS
) -> Iterator[NDArray[np.uint8]]:
    """Decodes a picture of several pages, as scanners write them: TIFF. Any other has one.

    Args:
        path_or_bytes: A picture file, or its content.
        where: What is read, for the message of an error.
        most_pixels: Of a page; a larger one is refused.

    Yields:
        uint8 (height, width), grey.

    Raises:
        ImageError: As `read_picture`.
        MissingExtraError: Pillow is not installed.
    """
    if isinstance(path_or_bytes, bytes):
        yield from _decode(io.BytesIO(path_or_bytes), where, most_pixels)
        return
    try:
        if not path_or_bytes.is_file():
            raise ImageError(f"{where}: there is no such file; check the path")
        with path_or_bytes.open("rb") as file:
            yield from _decode(file, where, most_pixels)
    except OSError as error:
        raise ImageError(f"{where}: cannot be opened ({error.strerror}); check its permissions") from error


def _decode(file: BinaryIO, where: str, most_pixels: int) -> Iterator[NDArray[np.uint8]]:
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise MissingExtraError("Pillow", "handfed-clients[edge]") from None
    too_large = f"{where}: has more than {most_pixels:,} pixels; crop it to the character or scale it down"
    try:
        with Image.open(file, formats=_FORMATS) as image:
            for frame in range(getattr(image, "n_frames", 1) if image.format == "TIFF" else 1):
                image.seek(frame)
                if image.width * image.height > most_pixels:
                    raise ImageError(too_large)
                image.load()
                yield _grey(ImageOps.exif_transpose(image), where)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(too_large) from None
    except UnidentifiedImageError:
        known = ", ".join(_FORMATS[:-1])
        raise ImageError(
            f"{where}: is not a picture in a format that is read ({known} or {_FORMATS[-1]}); save it as PNG"
        ) from None
    except _DAMAGE as error:
        raise ImageError(f"{where}: is damaged or cut off ({error}); get a whole copy of it") from error


def _grey(image: Image.Image, where: str) -> NDArray[np.uint8]:
    """The pixels of a decoded picture, uint8 (height, width)."""
    if image.mode == "F":  # no rule says which value is white
        raise ImageError(f"{where}: has floating-point pixels; save it with 8 bits a channel")
    if image.mode in _WIDE_MODES:
        wide = np.clip(np.asarray(image).astype(np.int64), 0, 65_535)
        return ((wide * 255 + 32_767) // 65_535).astype(np.uint8)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"), np.uint8)
    with_alpha = image.convert("RGBA")
    return _on_paper(np.asarray(with_alpha.convert("L"), np.uint8), np.asarray(with_alpha.getchannel("A"), np.uint8))


def _on_paper(grey: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lays a partly transparent picture on paper; both uint8 (height, width), alpha 255 is opaque."""
    paper = _paper_shade(grey, alpha)
    opacity = alpha.astype(np.int64)
    return ((grey * opacity + paper * (255 - opacity) + 127) // 255).astype(np.uint8)


def _paper_shade(grey: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> int:
    frame = np.ones(grey.shape, np.bool_)
    frame[1:-1, 1:-1] = False
    opaque_frame = grey[frame & (alpha >= 128)]  # noqa: PLR2004 - more opaque than not
    if 2 * len(opaque_frame) > int(frame.sum()):  # the picture has paper of its own
        return int(np.sort(opaque_frame)[len(opaque_frame) // 2])
    opacity = alpha.astype(np.int64)
    ink_is_light = int((grey * opacity).sum()) > 127 * int(opacity.sum())
    return 0 if ink_is_light else 255
