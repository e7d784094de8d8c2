"""The files of a device's own page."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from handfed.dashboards.device_page import create_files
from handfed.dashboards.files import STATIC
from handfed.dashboards.vendoring import COMPLETE, PINS, _hash_of
from handfed.shared.web_files import GROUP


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pages of a dashboard and of a device, whose libraries are there."""
    for name in ("index.html", "device.html", "main.js", "device.js", "pages/runs.js", "parts/pad.js", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / COMPLETE).write_text(_hash_of(PINS))
    return tmp_path


def test_the_page_and_its_files_are_there_and_the_dashboards_are_not(folder: Path) -> None:
    files = create_files(folder)
    assert set(files) == {"", "device.js", "parts/pad.js", f"vendor/{COMPLETE}"}
    page = files[""]()
    assert (page.content, page.media_type) == (b"device.html", "text/html")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    (folder / "device.js").write_text("changed")
    assert files["device.js"]().tag != page.tag


def test_without_its_libraries_there_is_no_page_and_the_log_says_why(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "vendor" / COMPLETE).write_text("of other pins")
    with caplog.at_level(logging.WARNING):
        assert create_files(folder) == {}
    assert "handfed.dashboards.vendoring" in caplog.text


def test_a_device_needs_no_web_framework_for_its_page() -> None:
    program = (
        "import sys; from importlib.metadata import entry_points;"
        f"[entry.load()() for entry in entry_points(group={GROUP!r})];"
        "print({'fastapi', 'starlette'} & set(sys.modules))"
    )
    assert [entry.name for entry in entry_points(group=GROUP)] == ["try"]
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"


def test_the_page_imports_nothing_that_only_the_dashboard_has() -> None:
    found = {STATIC / "device.js"}
    while True:
        wider = set(found)
        for path in found:
            for name in re.findall(r"""(?:from|import\(?) ?["'](\.[^"']+)["']""", path.read_text("utf-8")):
                wider.add((path.parent / name).resolve())
        wider = {path for path in wider if "vendor" not in path.parts}
        if wider == found:
            break
        found = wider
    names = {path.relative_to(STATIC.resolve()).parts[0] for path in found}
    assert "reading" in names
    assert not names & {"pages", "charts", "main.js", "routes.js"}
