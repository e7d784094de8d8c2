"""A contact sheet: every box of some pages with its label, and of what is left out, why. For people to look over."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handfed.clients.device.forms.cutting import Cut, Verdict
from handfed.clients.device.forms.drawing import text_font
from handfed.clients.device.forms.samples import Forms, ReadPage
from handfed.shared.errors import SettingError
from handfed.shared.printable import printable

if TYPE_CHECKING:
    from PIL import ImageDraw
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

Numbered = tuple[int, ReadPage, Cut]

PAGES_A_SHEET: Final = 6
_WIDTH: Final = 1480
_MARGIN: Final = 20
_HEAD: Final = 46
_FOOT: Final = 34  # below each box
_GAP: Final = 8
_HIGH: Final = 84  # pixels of a box
_INK: Final = (30, 30, 30)
_GREY: Final = (120, 120, 120)
_LINE: Final = (190, 190, 190)
_OUT: Final = (196, 60, 0)


def contact_sheets(forms: Forms, font: Path | None = None) -> Iterator[bytes]:
    """Draws all boxes, numbered as `Forms.numbered` has them.

    Args:
        forms: What was read.
        font: A TrueType or OpenType file for the labels; None for DejaVu Sans.

    Yields:
        PNG files, each of up to `PAGES_A_SHEET` pages.

    Raises:
        SettingError: The font cannot be read.
        MissingExtraError: Matplotlib, whose font it is, is not installed.
    """
    boxes = forms.numbered()
    pages = [list(group) for _, group in groupby(boxes, key=lambda each: id(each[1]))]
    for start in range(0, len(pages), PAGES_A_SHEET):
        yield _drawn(pages[start : start + PAGES_A_SHEET], font or text_font())


def _drawn(pages: Sequence[Sequence[Numbered]], font: Path) -> bytes:
    from PIL import Image, ImageDraw

    heights = [_height(page) for page in pages]
    sheet = Image.new("RGB", (_WIDTH, sum(heights) + 2 * _MARGIN), "white")
    pen = ImageDraw.Draw(sheet)
    top = _MARGIN
    fonts = _fonts(font)
    for page, height in zip(pages, heights, strict=True):
        _draw_page(sheet, pen, page, top, fonts)
        top += height
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _fonts(font: Path) -> dict[str, FreeTypeFont]:
    from PIL import ImageFont

    plain = str(text_font())
    try:
        label = ImageFont.truetype(str(font), 17)
    except OSError:
        raise SettingError(f"{font}: cannot be used as a font") from None
    return {"label": label, "small": ImageFont.truetype(plain, 11), "head": ImageFont.truetype(plain, 17)}


def _cell(page: Sequence[Numbered]) -> tuple[int, int]:
    """The width of a box with the gap after it, and how many stand in a row."""
    height, width = page[0][2].seen.shape
    across = round(width * _HIGH / height) + _GAP
    return across, (_WIDTH - 2 * _MARGIN + _GAP) // across


def _height(page: Sequence[Numbered]) -> int:
    _, columns = _cell(page)
    return _HEAD + -(-len(page) // columns) * (_HIGH + _FOOT) + _GAP


def _draw_page(
    sheet: Image, pen: ImageDraw.ImageDraw, page: Sequence[Numbered], top: int, fonts: dict[str, FreeTypeFont]
) -> None:
    read = page[0][1]
    counts = [f"{count} {verdict}" for verdict, count in read.counts().items() if count]
    head = " · ".join((Path(read.where).name, f"form {read.page.name}", read.page.writer or "writer unknown", *counts))
    pen.text((_MARGIN, top + 12), printable(head), _INK, font=fonts["head"])
    across, columns = _cell(page)
    for place, box in enumerate(page):
        left, upper = _MARGIN + place % columns * across, top + _HEAD + place // columns * (_HIGH + _FOOT)
        _draw_box(sheet, pen, (left, upper, across - _GAP), box, fonts)


def _draw_box(
    sheet: Image,
    pen: ImageDraw.ImageDraw,
    place: tuple[int, int, int],
    box: Numbered,
    fonts: dict[str, FreeTypeFont],
) -> None:
    from PIL import Image

    left, top, width = place
    number, _, each = box
    kept = each.verdict == Verdict.KEPT
    sheet.paste(Image.fromarray(each.seen).resize((width, _HIGH), Image.Resampling.BICUBIC), (left, top))
    pen.rectangle(
        (left, top, left + width - 1, top + _HIGH - 1), outline=_LINE if kept else _OUT, width=1 if kept else 2
    )
    if not kept:
        pen.text((left + 4, top + _HIGH - 4), each.verdict, _OUT, font=fonts["small"], anchor="ls")
    pen.text((left, top + _HIGH + 20), printable(each.label), _INK if kept else _OUT, font=fonts["label"], anchor="ls")
    pen.text((left + width, top + _HIGH + 19), str(number), _GREY, font=fonts["small"], anchor="rs")
