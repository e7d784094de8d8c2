"""Writing on the page "Try it", as a hand does: with the mouse, stroke by stroke."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page

Stroke = Sequence[tuple[float, float]]
"""Points from 0 to 1 across the sheet and down it."""

SHEET: Final = ".pad canvas"
SEVEN: Final[Sequence[Stroke]] = (
    ((0.27, 0.26), (0.45, 0.24), (0.70, 0.25), (0.64, 0.38), (0.56, 0.53), (0.49, 0.66), (0.44, 0.80)),
    ((0.40, 0.53), (0.66, 0.51)),
)


def write(page: Page, strokes: Sequence[Stroke]) -> None:
    """Clears the sheet, writes, and waits until the last of it is read.

    Args:
        page: That shows the sheet.
        strokes: What to write.
    """
    page.locator(".pad button").nth(1).click()
    sheet = page.locator(SHEET)
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    if box is None:
        raise RuntimeError("the sheet is not on the page")
    left, top, width, height = box["x"], box["y"], box["width"], box["height"]
    for stroke in strokes:
        (x, y), *others = [(left + across * width, top + down * height) for across, down in stroke]
        page.mouse.move(x, y)
        page.mouse.down()
        for x, y in others:
            page.mouse.move(x, y, steps=4)
        page.mouse.up()
    page.locator(".try[aria-busy=false] .ranks").wait_for()
