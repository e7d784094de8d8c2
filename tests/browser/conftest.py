"""A real Chromium, and pages over an example record; plainly skipped where this machine has no Chromium."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from handfed.simulations.pages.browser import DESKTOP, PATIENCE_MS, NoBrowserError, browser, log_in, page_of
from handfed.simulations.pages.example import Example, fill
from handfed.simulations.pages.hosting import Host, hosted
from handfed.simulations.pages.screenshots import settle

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


RELEASE = Path(__file__).resolve().parents[1] / "compat" / "manifest-2"


@dataclass(frozen=True)
class Site:
    """Pages over an example record."""

    host: Host
    example: Example

    def place(self, name: str) -> str:
        """The address of a page."""
        return f"{self.host.url}#/{name}"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser; it ends with the module, as asyncio can do nothing else in a process that drives one."""
    with warnings.catch_warnings(), ExitStack() as stack:
        try:
            opened = stack.enter_context(browser())
            from playwright.sync_api import expect

            expect.set_options(timeout=PATIENCE_MS)  # its own patience is five seconds
            yield opened
        except NoBrowserError as error:
            pytest.skip(str(error))
        stack.close()
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # of the driver's loop, here and not in another module's test


def _site(stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> Site:
    host = stack.enter_context(hosted(tmp_path_factory.mktemp("server")))
    return Site(host, fill(host.services, host.data_dir, rounds=12, now=datetime.now(UTC), real=RELEASE))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Site]:
    """A site that nobody changes."""
    del chromium  # without it there is nothing to host for
    with ExitStack() as stack:
        yield _site(stack, tmp_path_factory)


@pytest.fixture
def own_site(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Site]:
    """A site of this test."""
    del chromium
    with ExitStack() as stack:
        yield _site(stack, tmp_path_factory)


class Opener:
    """Opens a site as somebody: `opened(site, "admin")`.

    Attributes:
        expected: Words of what the browser may complain of; anything else fails the test.
        complaints: What it complained of.
    """

    def __init__(self, chromium: Browser, stack: ExitStack) -> None:
        self._chromium, self._stack = chromium, stack
        # It says so of the question who is logged in, when nobody is.
        self.expected = {"status of 401"}
        self.complaints: list[str] = []

    def __call__(self, site: Site, who: str | None = "admin", *, place: str | None = None, **more: Any) -> Page:
        """A new person's page."""
        page = self._stack.enter_context(page_of(self._chromium, **({"size": DESKTOP} | more)))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.goto(site.host.url)
        if who is not None:
            log_in(page, site.host.url, site.example.tokens[who])
        if place is not None:
            page.goto(site.place(place))
            settle(page)
        return page


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Opener]:
    """Opens pages; they are closed when the test is over."""
    with ExitStack() as stack:
        opener = Opener(chromium, stack)
        yield opener
        told = [each for each in opener.complaints if not any(words in each for words in opener.expected)]
        assert not told
