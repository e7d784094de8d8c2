"""What axe-core finds wrong with a page for people who see, hear or move otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Page

_SERIOUS = {"serious", "critical"}


def serious(page: Page) -> list[tuple[str, list[str]]]:
    """Rules that the page breaks badly, each with the first places where it does."""
    found = Axe().run(page).response["violations"]
    return [
        (each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found if each["impact"] in _SERIOUS
    ]
