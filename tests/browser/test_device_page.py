"""A device's own page: what its service reads with is tried in its browser, and a correction stays on the device."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import expect

from handfed.clients.device.folder import store_in
from handfed.clients.device.store.store import Store
from handfed.clients.edge.feedback import Desk
from handfed.clients.edge.serving import pages
from handfed.clients.edge.serving.lanes import Lanes
from handfed.clients.edge.serving.service import Service
from handfed.clients.edge.serving.supply import Source, Supply
from handfed.clients.edge.tally import Tally
from handfed.shared.alphabet import Alphabet
from handfed.shared.images import normalise
from handfed.shared.tasks import TASKS
from handfed.simulations.pages.browser import DESKTOP, PHONE, page_of
from handfed.simulations.pages.writing import SEVEN, SHEET, write
from tests.browser.accessibility import serious

if TYPE_CHECKING:
    from playwright.sync_api import Page

RELEASE = Path(__file__).resolve().parents[1] / "compat" / "manifest-2"
DIGITS = Alphabet(tuple("0123456789"))
TOKEN = "what-the-token-file-holds"  # noqa: S105 - of a service that lives as long as its test
Serve = Callable[..., Service]


@pytest.fixture
def serve(chromium: Any) -> Iterator[Serve]:
    """Starts the service of a device."""
    del chromium  # without it there is nothing to serve for
    with ExitStack() as stack:

        def start(folder: Path | None, token: str | None = None) -> Service:
            lanes = Lanes([Supply(Source.of_releases(str(RELEASE), Path("/nowhere")))], waiting=8)
            desk = None if folder is None else stack.enter_context(closing(Desk(folder, by="me")))
            service = stack.enter_context(Service(lanes, port=0, token=token, desk=desk, pages=pages.routes()))
            work = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.02})
            work.start()
            stack.callback(work.join)
            stack.callback(service.stop, 5)
            return service

        yield start


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """The folder of a device that keeps handwriting, and has joined."""
    Store.open(store_in(tmp_path)).close()
    (tmp_path / "enrolment.json").write_text("{}")
    return tmp_path


@pytest.fixture
def visited(chromium: Any) -> Iterator[Callable[..., Page]]:
    """Opens the page of a service, and fails the test where the browser complains of more than it may."""
    complaints: list[str] = []
    expected: list[str] = []
    with ExitStack() as stack:

        def visit(service: Service, *may_say: str, **more: Any) -> Page:
            expected.extend(may_say)
            page = stack.enter_context(page_of(chromium, **more))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.goto(f"http://127.0.0.1:{service.port}/try/")
            return page

        yield visit
    assert not [each for each in complaints if not any(words in each for words in expected)]


def _correct(page: Page, says: str) -> None:
    page.get_by_role("button", name="That\u2019s wrong").click()
    page.locator("dialog select").select_option(says)
    page.get_by_role("button", name="Keep on this device").click()


def _kept(folder: Path) -> list[tuple[Any, ...]]:
    with Store.open(store_in(folder)) as store:
        query = (
            "SELECT f.kind, f.picked, f.reading, f.release, s.label FROM feedback f JOIN samples s ON s.id = f.sample"
        )
        return store._database.connection.execute(query).fetchall()


def test_what_is_said_to_be_wrong_is_kept_on_the_device_and_goes_nowhere_else(
    serve: Serve, visited: Callable[..., Page], device: Path
) -> None:
    service = serve(device)
    page = visited(service)
    asked: list[Any] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - Playwright marks what it is given
    write(page, SEVEN)
    expect(page.locator(".glyph.large")).to_have_text("7")
    assert {request.method for request in asked} == {"GET"}  # while one writes, nothing is sent
    _correct(page, "1")
    page.get_by_role("status").get_by_text("Kept on this device: it was read as 7, and says 1.").wait_for()
    assert _kept(device) == [("correction", 0, b"7", 1, b"1")]
    _correct(page, "1")
    page.get_by_text("This device had kept it already.").wait_for()
    posts = [request.url for request in asked if request.method != "GET"]
    assert posts == 2 * [f"http://127.0.0.1:{service.port}/feedback"]
    assert all(request.url.startswith(f"http://127.0.0.1:{service.port}/") for request in asked)


def test_what_is_kept_is_what_the_recogniser_saw(serve: Serve, visited: Callable[..., Page], device: Path) -> None:
    page = visited(serve(device))
    write(page, SEVEN)
    width, height, levels = page.locator(SHEET).evaluate(
        """sheet => {
            const [width, height] = [sheet.width, sheet.height];
            const {data} = sheet.getContext("2d").getImageData(0, 0, width, height);
            return [width, height, Array.from({length: width * height}, (_, pixel) => data[4 * pixel])];
        }"""
    )
    _correct(page, "1")
    page.get_by_text("Kept on this device").wait_for()
    with Store.open(store_in(device)) as store:
        (found,) = store.handwriting(TASKS["characters"], DIGITS).training.images
    np.testing.assert_array_equal(found, normalise(np.array(levels, np.uint8).reshape(height, width)))


def test_a_correction_of_what_only_the_page_read_does_not_count_among_corrected_readings(
    serve: Serve, visited: Callable[..., Page], device: Path
) -> None:
    page = visited(serve(device))
    write(page, SEVEN)
    _correct(page, "1")
    page.get_by_text("Kept on this device").wait_for()
    assert Tally(device).counts() == {}


def test_a_device_that_keeps_nothing_says_so(serve: Serve, visited: Callable[..., Page], tmp_path: Path) -> None:
    page = visited(serve(tmp_path), "status of 409")
    write(page, SEVEN)
    _correct(page, "1")
    page.locator("dialog .notice.bad", has_text="this device keeps no handwriting").wait_for()


def test_where_a_token_is_asked_for_the_page_asks_for_it(serve: Serve, visited: Callable[..., Page]) -> None:
    page = visited(serve(None, token=TOKEN), "status of 401")
    page.locator("input[type=password]").fill("another-token-than-that")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("alert").wait_for()
    page.locator("input[type=password]").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    write(page, SEVEN)
    expect(page.locator(".glyph.large")).to_have_text("7")
    assert TOKEN not in page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_page_of_a_device(
    serve: Serve, visited: Callable[..., Page], theme: str
) -> None:
    size = DESKTOP if theme == "light" else PHONE
    page = visited(serve(None), theme=theme, size=size)
    write(page, SEVEN)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert not serious(page)


def test_a_page_of_another_site_can_neither_read_nor_keep_anything(
    serve: Serve, visited: Callable[..., Page], device: Path
) -> None:
    here, other = serve(device), serve(None)
    page = visited(other, "status of 403", "Content Security Policy", "Failed to fetch", "CORS")
    page.locator("main header.title").wait_for()
    refused = page.evaluate(
        """async (place) => {
            const ask = (path, options) => fetch(place + path, options).then(({status}) => status, () => "refused");
            const body = JSON.stringify({picture: "", read: "7", correct: "1"});
            return Promise.all([ask("/release"), ask("/release/browser.tflite"), ask("/try/"),
                ask("/feedback", {method: "POST", mode: "no-cors", body}),
                ask("/feedback", {method: "POST", body, headers: {"Content-Type": "application/json"}})]);
        }""",
        f"http://127.0.0.1:{here.port}",
    )
    assert set(refused) <= {"refused", 0, 403}
    assert _kept(device) == []
