"""Pages of forms as a PDF, to be printed in black.

Prompts are set in DejaVu Sans, which Matplotlib brings along (5,900 characters: Latin, Greek, Cyrillic, Arabic and
more), or in a font of one's own. A font is asked for every character before anything is drawn.

Source: fpdf2, https://py-pdf.github.io/fpdf2/; QR codes by zxing-cpp; corner marks by OpenCV.
"""

from __future__ import annotations

import importlib.util
import io
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.device.forms import layout
from handfed.clients.device.forms.code import Page, encode
from handfed.clients.device.forms.extra import EXTRA, require
from handfed.clients.device.forms.layout import Area
from handfed.shared.errors import MissingExtraError, SettingError

if TYPE_CHECKING:
    from fpdf import FPDF

_TEXT: Final = "DejaVu"
_PROMPT: Final = "prompts"
_GREY: Final = 95  # of 255: frames, and what is printed small
_BLACK: Final = 0
_POINT_MM: Final = 25.4 / 72
_PROMPT_PT: Final = 11.0
_HINT_PT: Final = 5.2
_SHOWN: Final = 20  # characters that a font lacks
_HOW: Final = {
    "characters": "Copy the small character above each box into the box, once, as you usually write it.",
    "words": "Copy the small word above each box into the box, once, as you usually write.",
}
_RULES: Final = (
    "Use a dark pen and stay within the frame.",
    "A mistake? Cross the box out, from corner to corner:",
    "it is left out, as are boxes that stay empty.",
    "Photograph or scan the whole page, with all four marks.",
)


def text_font() -> Path:
    """DejaVu Sans, as Matplotlib ships it; Matplotlib itself is not imported.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        raise MissingExtraError("Matplotlib", EXTRA)
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"


def draw(pages: Sequence[Page], font: Path | None = None) -> bytes:
    """Draws forms.

    Args:
        pages: At least one.
        font: A TrueType or OpenType file for the prompts; None for DejaVu Sans.

    Returns:
        A PDF with the same bytes for the same pages.

    Raises:
        MissingExtraError: What draws is not installed.
        SettingError: The font cannot be read, or lacks a character; the message lists which.
    """
    require("cv2", "fpdf", "uharfbuzz", "zxingcpp")
    from fpdf import FPDF

    pdf = FPDF(unit="mm", format=(pages[0].paper.width, pages[0].paper.height))
    pdf.set_auto_page_break(auto=False)
    pdf.set_margin(0)
    pdf.c_margin = 0
    pdf.set_creation_date(datetime(2000, 1, 1, tzinfo=UTC))  # the same form is the same file
    pdf.set_title("Handwriting form")
    pdf.set_creator("Handfed")
    try:
        _add_fonts(pdf, pages, font or text_font())
        for page in pages:
            _draw_page(pdf, page)
        return bytes(pdf.output())
    finally:
        for each in pdf.fonts.values():  # fpdf2 leaves their files open
            each.ttfont.close()  # type: ignore[union-attr]


def _add_fonts(pdf: FPDF, pages: Sequence[Page], font: Path) -> None:
    pdf.add_font(_TEXT, fname=text_font())
    _add_prompt_font(pdf, font)
    _refuse_missing(pdf, _PROMPT, {label for page in pages for label in page.labels})
    pdf.set_fallback_fonts([_PROMPT], exact_match=False)
    _refuse_missing(pdf, _TEXT, {page.writer for page in pages}, also=_PROMPT)
    pdf.set_text_shaping(use_shaping_engine=True)  # letters that join, and marks where they belong


def _add_prompt_font(pdf: FPDF, font: Path) -> None:
    from fontTools.ttLib import TTFont, TTLibError

    try:
        TTFont(io.BytesIO(font.read_bytes()))
    except OSError as error:
        raise SettingError(f"{font}: cannot be used as a font ({error.strerror})") from None
    except TTLibError:
        raise SettingError(f"{font}: cannot be used as a font (it is neither TrueType nor OpenType)") from None
    pdf.add_font(_PROMPT, fname=font)


def _refuse_missing(pdf: FPDF, font: str, texts: Iterable[str], *, also: str = "") -> None:
    known = set(_characters(pdf, font)) | set(_characters(pdf, also) if also else ())
    lacking = sorted({each for text in texts for each in text if ord(each) not in known and not each.isspace()})
    if lacking:
        shown = " ".join(f"{each} (U+{ord(each):04X})" for each in lacking[:_SHOWN])
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        raise SettingError(f"the font lacks {shown}{more}; name one that has them with --font FILE")


def _characters(pdf: FPDF, font: str) -> Iterable[int]:
    found: Iterable[int] = getattr(pdf.fonts[font.lower()], "cmap", ())
    return found


def _draw_page(pdf: FPDF, page: Page) -> None:
    pdf.add_page()
    for corner in range(len(layout.CORNERS)):
        _draw_cells(pdf, _mark(layout.mark_number(page.paper, corner)), layout.mark_area(page.paper, corner))
    _draw_cells(pdf, _code(page), layout.code_area(page.paper))
    _draw_header(pdf, page)
    _draw_footer(pdf, page)
    _draw_boxes(pdf, page)


def _mark(number: int) -> NDArray[np.bool_]:
    """A corner mark: (7, 7), where it is black."""
    import cv2

    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_50)
    side = dictionary.markerSize + 2  # with its black border
    return np.equal(cv2.aruco.generateImageMarker(dictionary, number, side), 0)


def _code(page: Page) -> NDArray[np.bool_]:
    """The page's code, where it is black, without the white around it."""
    import zxingcpp

    code = zxingcpp.create_barcode(encode(page), zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    return np.asarray(np.array(code.to_image(scale=1, add_quiet_zones=False)) == 0, np.bool_)


def _draw_cells(pdf: FPDF, cells: NDArray[np.bool_], area: Area) -> None:
    """Draws black cells, those of a row that touch as one rectangle: no hairlines between them."""
    high, wide = area.height / len(cells), area.width / cells.shape[1]
    pdf.set_fill_color(_BLACK)
    for row, line in enumerate(cells):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(np.int8)))
        for start, end in edges.reshape(-1, 2):
            pdf.rect(area.left + start * wide, area.top + row * high, (end - start) * wide, high, style="F")


def _draw_header(pdf: FPDF, page: Page) -> None:
    area = layout.header_area(page.paper)
    _write(pdf, area.left, area.top + 6, page.writer or "A form for one person", 15, most=area.width)
    lines = (_HOW[page.kind.name], *_RULES)
    for number, line in enumerate(lines):
        _write(pdf, area.left, area.top + 12.5 + 4.3 * number, line, 8.5, most=area.width)
    example = Area(area.left + 82, area.top + 18.4, 6, 6)
    _draw_frame(pdf, example)
    pdf.set_draw_color(_BLACK)
    pdf.set_line_width(0.35)
    pdf.line(example.left + 0.4, example.top + 0.4, example.left + 5.6, example.top + 5.6)
    pdf.line(example.left + 0.4, example.top + 5.6, example.left + 5.6, example.top + 0.4)


def _draw_footer(pdf: FPDF, page: Page) -> None:
    area = layout.header_area(page.paper)
    bottom = page.paper.height - layout.MARGIN_MM
    of = f"page {page.number} of {page.of}" if page.of > 1 else "one page"
    _write(pdf, area.left, bottom - 5.5, f"Handfed form {page.name}, {of}", 7.5, grey=_GREY)
    _write(
        pdf,
        area.left,
        bottom - 1.5,
        "Print another one for another person: copies of a page count once.",
        7.5,
        grey=_GREY,
    )


def _draw_boxes(pdf: FPDF, page: Page) -> None:
    hints = hints_of(set(page.labels))
    for prompt, area in zip(page.prompts(), layout.boxes(page.paper, page.kind), strict=False):
        _draw_frame(pdf, area)
        baseline = area.top - 1.25
        hint = hints.get(prompt, "")
        _write(pdf, area.left + 0.2, baseline, prompt, _PROMPT_PT, font=_PROMPT, most=area.width)
        if hint:
            pdf.set_font(_TEXT, size=_HINT_PT)
            _write(pdf, area.left + area.width - pdf.get_string_width(hint), baseline, hint, _HINT_PT, grey=_GREY)


def hints_of(labels: set[str]) -> dict[str, str]:
    """What is printed beside characters that look like another one, by character."""
    hints = {}
    for label in labels:
        if len(label) == 1 and label.isupper() and label.lower() in labels:
            hints[label] = "capital"
        elif len(label) == 1 and label.islower() and label.upper() in labels:
            hints[label] = "small"
        elif unicodedata.category(label[0]) == "Nd" and any(other.isalpha() for other in labels):
            hints[label] = "digit"
    return hints


def _draw_frame(pdf: FPDF, area: Area) -> None:
    pdf.set_draw_color(_GREY)
    pdf.set_line_width(layout.FRAME_MM)
    pdf.rect(*area)


def _write(
    pdf: FPDF,
    left: float,
    baseline: float,
    text: str,
    points: float,
    *,
    grey: int = _BLACK,
    font: str = _TEXT,
    most: float = 0.0,
) -> None:
    """Writes a line of text, smaller where it would be wider than `most` mm."""
    pdf.set_font(font, size=points)
    width = pdf.get_string_width(text)
    if most and width > most:
        pdf.set_font(font, size=points * most / width)
    pdf.set_text_color(grey)
    pdf.text(left, baseline, text)
