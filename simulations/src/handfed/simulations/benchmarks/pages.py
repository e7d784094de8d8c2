"""The dashboard's pages over a large record: what the server takes for each, and what a browser takes for the first.

A page's server time is that of all the requests that it makes when it is opened, those that go side by side counted one
after another: what a server with one core would take.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from handfed.simulations.benchmarks.figures import Figure, figures_table
from handfed.simulations.pages.browser import NoBrowserError, browser, page_of
from handfed.simulations.pages.example import Example, fill
from handfed.simulations.pages.hosting import LOOPBACK, Host, hosted
from handfed.simulations.pages.screenshots import settle

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

DEVICES: Final = 1000
ROUNDS: Final = 500
TURNS: Final = 20
P95_AIM_MS: Final = 300.0
INTERACTIVE_AIM_MS: Final = 1000.0
FIRST_VIEW_AIM_KB: Final = 200.0
_FRACTION: Final = 0.95


def run(directory: Path, console: Console) -> None:
    """Fills a record, and measures."""
    with hosted(directory / "pages") as host:
        began = time.perf_counter()
        example = fill(host.services, host.data_dir, devices=DEVICES, rounds=ROUNDS, now=datetime.now(UTC))
        console.print(f"{DEVICES} devices, {ROUNDS} rounds: filled in {time.perf_counter() - began:.0f} s")
        _servers(host, example, console)
        try:
            _browsers(host, example, console)
        except NoBrowserError as error:
            console.print(f"not measured in a browser: {error}")


def _asked(example: Example) -> dict[str, Sequence[str]]:
    """What each page asks, in the order in which it does; a list is followed to its end."""
    done, last = example.done, ROUNDS
    return {
        "overview": ("/me", "/overview"),
        "runs": ("/runs?limit=500",),
        "run": (f"/runs/{done}", f"/runs/{done}/events", f"/runs/{done}/rounds/{last}/devices?limit=500"),
        "run, live": (f"/runs/{example.run}/live",),
        "devices": (
            "/devices?limit=500",
            "/organisations?limit=500",
            "/invitations?limit=500",
            "/device-reports?limit=500",
        ),
        "device": ("/devices/4", "/organisations/1", "/devices/4/history?limit=500", "/devices/4/pins"),
        "releases": ("/releases?limit=500", "/promotions?limit=500"),
        "release": (
            "/releases/4",
            "/releases/4/promotion",
            "/releases/4/evidence",
            f"/runs/{done}",
            f"/runs/{done}/rounds?after={last - 20}",
        ),
        "learning": (
            "/learning",
            "/releases?limit=500",
            "/promotions?limit=500",
            "/learning/digits/explanation",
            "/learning/digits/waiting?limit=500",
            "/comparisons?limit=500",
            "/comparisons/2",
            "/releases/1",
        ),
        "fairness": (
            f"/runs/{done}/rounds?limit=500",
            f"/runs/{done}/rounds/{last}",
            f"/runs/{done}/rounds/{last}/devices?limit=500",
        ),
        "privacy": ("/privacy/leaving", "/audit?newest_first=true&limit=200"),
    }


def _servers(host: Host, example: Example, console: Console) -> None:
    gc.collect()
    gc.freeze()  # as a server does when it starts
    host.live.asked("train", [(1 << 40) + number for number in range(1, DEVICES + 1)])
    table = Table(
        "page", "requests", "p50, ms", "p95, ms", "CPU, ms", "", caption=f"{TURNS} times; p95 at most {P95_AIM_MS:.0f}"
    )
    with httpx.Client(base_url=host.url.replace("/dashboard/", "/api/v1"), verify=False, timeout=60) as client:  # noqa: S501 - our own server, here
        client.post("/session", json={"token": example.tokens["admin"]}).raise_for_status()
        for page, paths in _asked(example).items():
            count = sum(len(_followed(client.get, path)) for path in paths)  # and what is read once has been read
            began = time.process_time()
            whole = [sum(ms for path in paths for ms in _followed(client.get, path)) for _ in range(TURNS)]
            cpu = 1000 * (time.process_time() - began) / TURNS
            p95 = _quantile(whole, _FRACTION)
            figures = (f"{figure:.0f}" for figure in (_quantile(whole, 0.5), p95, cpu))
            table.add_row(page, str(count), *figures, "met" if p95 <= P95_AIM_MS else "missed")
    console.print(table)


def _followed(get: Callable[..., Any], path: str) -> list[float]:
    """Milliseconds of each request of a list, to its last page."""
    spent: list[float] = []
    place: str | None = path
    while place is not None:
        began = time.perf_counter()
        answer = get(place)
        answer.raise_for_status()
        spent.append(1000 * (time.perf_counter() - began))
        following = answer.links.get("next")
        place = following["url"].removeprefix("/api/v1") if following else None
    return spent


def _browsers(host: Host, example: Example, console: Console) -> None:
    spent: list[float] = []
    sizes: list[int] = []
    with browser() as opened:
        for _ in range(5):
            with page_of(opened) as page:
                taken = _answers(page)
                page.goto(host.url)
                page.locator("input[type=password]").fill(example.tokens["admin"])
                page.locator("button.primary").click()
                settle(page)
                sizes.append(sum(each.request.sizes()["responseBodySize"] for each in taken))
            with page_of(opened) as page:  # with nothing kept, but logged in
                page.context.add_cookies(_cookies(host, example))
                page.goto(host.url)
                settle(page)
                spent.append(page.evaluate("performance.now()"))
    figures = [
        Figure("first view, with logging in: KB", max(sizes) / 1000, FIRST_VIEW_AIM_KB, "less", ".0f"),
        Figure("overview interactive, median of 5: ms", _quantile(spent, 0.5), INTERACTIVE_AIM_MS, "less", ".0f"),
    ]
    console.print(figures_table(figures, caption="in Chromium on this machine, nothing kept from before"))


def _answers(page: Page) -> list[Response]:
    """Where the answers are collected that a page gets."""
    taken: list[Response] = []
    page.on("response", lambda answer: taken.append(answer))  # noqa: PLW0108 - Playwright marks what it is given
    return taken


def _cookies(host: Host, example: Example) -> list[Any]:
    secret = host.services.sessions.begin(example.tokens["admin"], "benchmark").secret
    here = {"name": "__Host-handfed", "value": secret, "domain": LOOPBACK, "path": "/"}
    return [{**here, "secure": True, "httpOnly": True, "sameSite": "Strict"}]


def _quantile(values: list[float], fraction: float) -> float:
    return sorted(values)[min(int(fraction * len(values)), len(values) - 1)]
