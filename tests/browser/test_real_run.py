"""A real federation, operated from its pages: devices invited, a run followed to its release, a device revoked."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from handfed.clients.datasets import read
from handfed.simulations.pages.browser import log_in, page_of
from handfed.simulations.real import HANDFED, RealFederation, real_federation, write_handwriting

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE_MS = 400_000  # TensorFlow is loaded by three processes, on a machine that others use, too

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture
def served(tmp_path: Path, chromium: Any) -> Iterator[RealFederation]:
    """A server, and nothing else yet."""
    del chromium
    if not [entry for entry in entry_points(group="handfed.web") if entry.name == "dashboard"]:
        pytest.skip("the dashboard is not installed: run make setup")
    with real_federation(tmp_path) as made:
        made.serve()
        yield made


def _invite(page: Page, name: str) -> str:
    """Invites a device on the page, and gives its code."""
    page.get_by_role("button", name="Invite a device").click()
    page.locator("dialog input[name=name]").fill(name)
    if page.locator("dialog input[name=called]").count():
        page.locator("dialog input[name=called]").fill("Clinic North")
    page.get_by_role("button", name="Make the code").click()
    code = page.locator("dialog .code").inner_text().split()[-1]
    page.get_by_role("button", name="Close").click()
    return code


def _join(made: RealFederation, folder: Path, code: str, number: int) -> None:
    dataset = read("mnist5k", "digits")
    rows = np.random.default_rng(0).permutation(len(dataset))[number * 300 : (number + 1) * 300]
    write_handwriting(folder.with_suffix(".npz"), dataset, rows.tolist())
    made.run("join", code, "--data", folder)
    made.run("device", "import", folder.with_suffix(".npz"), "--task", "digits", "--consent", "given", "--data", folder)
    made.take_part(folder.name, "--threads", 1, "--nice", 0)


def test_a_federation_is_operated_from_its_pages(served: RealFederation, chromium: Any, tmp_path: Path) -> None:
    token = served.server / "first-admin-token"
    served.until(token.exists, "a token", "server")
    url = f"https://127.0.0.1:{served.port}/dashboard/"
    with page_of(chromium) as page:
        log_in(page, url, token.read_text("ascii").strip())
        page.get_by_text("First steps").wait_for()

        page.goto(f"{url}#/devices")
        for number, name in enumerate(("one", "two")):
            _join(served, tmp_path / name, _invite(page, f"Room {number}"), number)
        page.locator("tr", has_text="Room 1").get_by_text("online").wait_for(timeout=PATIENCE_MS)

        page.goto(f"{url}#/runs")
        page.get_by_role("button", name="Start a run").click()
        page.locator("dialog input[name=rounds]").fill("3")
        page.locator("dialog input[name=qat]").fill("1")
        page.locator("dialog .primary").click()
        page.locator("h1 .badge", has_text="running").wait_for(timeout=PATIENCE_MS)
        page.locator(".chips", has_text="Room 0").wait_for(timeout=PATIENCE_MS)
        after_a_round = re.compile("[123] of 3")  # whoever looks seldom sees a later one
        page.locator(".progress-of-run", has_text=after_a_round).wait_for(timeout=PATIENCE_MS)
        page.locator("h1 .badge", has_text="done").wait_for(timeout=PATIENCE_MS)
        page.get_by_role("link", name="Release 1").click()
        page.locator("h1", has_text="Release 1").wait_for()
        with page.expect_download() as waited:
            page.get_by_role("link", name="model.tflite").click()
        assert waited.value.path().read_bytes()[4:8] == b"TFL3"
        page.locator("h1 .badge", has_text="stable").wait_for(timeout=PATIENCE_MS)  # the first of its task

        page.goto(f"{url}#/devices")
        page.get_by_role("link", name="Room 1").click()
        page.get_by_role("button", name="Revoke").click()
        page.locator("dialog .primary").click()
        page.locator("h1 .badge", has_text="revoked").wait_for()
    refused = subprocess.run(
        [*HANDFED, "device", "rotate", "--data", str(tmp_path / "two")], capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0
