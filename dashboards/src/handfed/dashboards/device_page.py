"""The page "Try it" of a device of its own: its files, for `handfed edge serve` (entry point `handfed.edge.web`).

They are the dashboard's own files but for its first page; nothing here needs a web framework.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Final

from handfed.dashboards.files import STATIC, File, files_in, headers_of
from handfed.dashboards.vendoring import is_complete
from handfed.shared.web_files import WebFile, WebFiles

PAGE: Final = "device.html"
_OF_THE_DASHBOARD: Final = frozenset({PAGE, "index.html", "main.js", "routes.js"})
_log: Final = logging.getLogger(__name__)


def create_files(static: Path = STATIC) -> WebFiles:
    """The files by their path below the page; none where the libraries of the pages are missing.

    Args:
        static: The folder of the pages.
    """
    if not is_complete(static / "vendor"):
        _log.warning("the page to try it lacks its libraries: python -m handfed.dashboards.vendoring")
        return {}
    found = files_in(static)
    kept = {"": found[PAGE]} | {
        name: path
        for name, path in found.items()
        if name not in _OF_THE_DASHBOARD and name.partition("/")[0] not in {"pages", "charts"}
    }
    return {name: partial(_read, name, path) for name, path in kept.items()}


def _read(name: str, path: Path) -> WebFile:
    file = File.of(path, packs=False)  # on the loopback, packing costs more than it saves
    return WebFile(file.content, file.media_type, file.tag, headers_of(name))
