"""Pages that the service serves to the browser of its own device: files of other parts (`handfed.shared.web_files`).

Rules:
1. Every file is an entry in the service's table of routes: nothing is joined from what was asked.
2. Files need no token, as they say nothing of the device; what a page asks for does.
3. A part whose files cannot be had leaves the service without them, and the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from handfed.clients.edge.serving.connection import Asked, Reply, Route
from handfed.shared.web_files import GROUP, WebFile

_NOT_MODIFIED: Final = 304
_MOVED: Final = 308
_log: Final = logging.getLogger(__name__)


def routes(entries: Iterable[EntryPoint] | None = None) -> dict[str, Route]:
    """The files of every page that is installed here, by their address.

    Args:
        entries: Which pages; None for all that are installed.
    """
    found: dict[str, Route] = {}
    for entry in entry_points(group=GROUP) if entries is None else entries:
        try:
            files = entry.load()()
        except (ImportError, AttributeError, OSError) as error:
            _log.warning("the page /%s/ cannot be served: %s", entry.name, type(error).__name__)
            continue
        found |= {
            f"/{entry.name}/{name}": Route("GET", partial(_file, read), is_open=True) for name, read in files.items()
        }
        if files:
            found[f"/{entry.name}"] = Route("GET", partial(_moved, f"/{entry.name}/"), is_open=True)
    return found


def _file(read: Callable[[], WebFile], asked: Asked) -> Reply:
    """A file, or that it is as it was."""
    file = read()
    headers = {**file.headers, "ETag": file.tag}
    if file.tag in asked.handler.headers.get("If-None-Match", ""):
        return Reply(b"", file.media_type, _NOT_MODIFIED, headers)
    return Reply(file.content, file.media_type, headers=headers)


def _moved(place: str, asked: Asked) -> Reply:  # noqa: ARG001 - as every route
    return Reply(b"", "text/plain", _MOVED, {"Location": place})
