"""Pictures of every page: `python -m handfed.simulations.pages.screenshots FOLDER [NAME ...] [--release DIR]`.

Each page of an example record, on a phone and on a desktop, in the light and the dark theme. A person looks at them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handfed.shared.errors import HandfedError
from handfed.simulations.pages.browser import DESKTOP, PHONE, Theme, browser, log_in, page_of
from handfed.simulations.pages.example import Example, fill
from handfed.simulations.pages.hosting import hosted
from handfed.simulations.pages.writing import SEVEN, write

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIZES: Final = {"desktop": DESKTOP, "phone": PHONE}
THEMES: Final[tuple[Theme, ...]] = ("light", "dark")


def places(example: Example) -> dict[str, str]:
    """The address of each page by name."""
    return {
        "overview": "overview",
        "runs": "runs",
        "run": f"runs/{example.run}",
        "run-done": f"runs/{example.done}",
        "devices": "devices",
        "device": "devices/4",
        "releases": "releases",
        "release": "releases/4",
        "learning": "learning",
        "try": "try",
        "fairness": "fairness",
        "privacy": "privacy",
    }


def settle(page: Page) -> None:
    """Waits until a page shows what it asked for, and its charts are drawn."""
    page.locator("main header.title").wait_for()
    page.wait_for_function("() => !document.querySelector('.loading')")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.plot')].every((place) => place.querySelector('canvas'))"
    )


def take(folder: Path, names: Sequence[str] = (), *, release: Path | None = None) -> list[Path]:
    """Takes the pictures.

    Args:
        folder: Where they go.
        names: Of which pages; empty for all.
        release: A release's directory, for the page that reads with one.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    taken: list[Path] = []
    with tempfile.TemporaryDirectory() as data_dir, hosted(Path(data_dir)) as host, browser() as opened:
        example = fill(host.services, host.data_dir, now=datetime.now(UTC), real=release)
        host.live.asked("train", [(1 << 40) + number for number in range(1, 25)])
        for number in range(1, 19):
            host.live.fetched((1 << 40) + number)
        for number in range(1, 8):
            host.live.answered((1 << 40) + number)
        for size, theme in ((size, theme) for size in SIZES for theme in THEMES):
            with page_of(opened, size=SIZES[size], theme=theme) as page:
                page.goto(host.url)
                page.locator("input[type=password]").wait_for()
                if not names or "login" in names:
                    taken.append(_shot(page, folder / f"login-{size}-{theme}.png"))
                log_in(page, host.url, example.tokens["admin"])
                for name, place in places(example).items():
                    if not names or name in names:
                        page.goto(f"{host.url}#/{place}")
                        settle(page)
                        if name == "try" and release is not None:
                            write(page, SEVEN)
                        taken.append(_shot(page, folder / f"{name}-{size}-{theme}.png"))
    return taken


def _shot(page: Page, path: Path) -> Path:
    page.wait_for_timeout(300)
    page.screenshot(path=path, full_page=True)
    return path


def main() -> int:
    """Takes the pictures, and says where they are."""
    parser = argparse.ArgumentParser(prog="screenshots")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--release", type=Path, help="a release of digits, to be tried: handfed-data/releases/0001")
    options = parser.parse_args()
    try:
        taken = take(options.folder, options.names, release=options.release)
    except HandfedError as error:
        sys.stderr.write(f"handfed: {error}\n")
        return error.exit_status
    sys.stdout.write(f"{len(taken)} pictures are in {options.folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
