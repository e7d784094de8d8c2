"""A real browser: the Chromium of this machine, driven by Playwright, which downloads none.

`HANDFED_CHROMIUM` names another program than those that are looked for.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from handfed.shared.errors import HandfedError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Theme = Literal["light", "dark"]
PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
DESKTOP: Final = (1440, 900)
PHONE: Final = (360, 780)
PATIENCE_MS: Final = 60_000  # of a machine that others use, too


class NoBrowserError(HandfedError):
    """There is no browser on this machine, or nothing to drive it with."""


def chromium(environment: Mapping[str, str] = os.environ) -> str:
    """The program.

    Raises:
        NoBrowserError: There is none, or Playwright is not installed.
    """
    named = environment.get("HANDFED_CHROMIUM")
    found = named or next((path for path in map(shutil.which, PROGRAMS) if path), None)
    if found is None:
        raise NoBrowserError("there is no Chromium here: install it, on Debian with apt-get install chromium")
    try:
        import playwright.sync_api  # noqa: F401 - whether it is there
    except ImportError as error:
        raise NoBrowserError("Playwright is missing: install it with pip install playwright") from error
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window.

    Raises:
        NoBrowserError: There is none.
    """
    program = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # A container has neither a sandbox of the kernel's nor much shared memory.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def page_of(
    opened: Browser, *, size: tuple[int, int] = DESKTOP, theme: Theme = "light", language: str = "en-GB"
) -> Iterator[Page]:
    """A page of a new person: no cookies, nothing remembered.

    Args:
        opened: The browser.
        size: Width and height, CSS pixels.
        theme: What the person likes.
        language: What they speak.
    """
    context = opened.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        locale=language,
        timezone_id="Europe/Berlin",
        ignore_https_errors=True,  # its CA is the federation's own
        reduced_motion="reduce",
        accept_downloads=True,
    )
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context.new_page()
    finally:
        context.close()


def log_in(page: Page, url: str, token: str) -> None:
    """Logs in as a person does.

    Args:
        page: A page that nobody is logged in.
        url: Where the pages are.
        token: What to show.
    """
    page.goto(url)
    page.locator("input[type=password]").fill(token)
    page.locator("button.primary").click()
    page.locator("nav").wait_for(state="attached")
