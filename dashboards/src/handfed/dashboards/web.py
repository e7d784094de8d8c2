"""The pages as a router that a server includes (entry point `handfed.web`): plain files, and nothing that thinks.

What each file is sent with is said in `handfed.dashboards.files`; text and WebAssembly are sent compressed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from handfed.dashboards.files import STATIC, Pages, headers_of
from handfed.dashboards.vendoring import is_complete

PREFIX: Final = "/dashboard"
COMMAND: Final = "python -m handfed.dashboards.vendoring"
_MISSING: Final = f"""<!doctype html><html lang="en"><title>Handfed</title><h1>The dashboard is not complete</h1>
<p>Its libraries are missing here. At the server, run <code>{COMMAND}</code> (<code>make setup</code> does it, too), and
load this page again.</p></html>"""


def create_router(_settings: object = None, static: Path = STATIC) -> APIRouter:
    """The pages, for a server to include.

    Args:
        _settings: What the server is set to; the pages need nothing of it.
        static: The folder of the pages.
    """
    pages = Pages(static)
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    @router.get(PREFIX)
    def show_home() -> Response:
        """Leads to the pages."""
        return RedirectResponse(f"{PREFIX}/", headers=headers_of(""))

    @router.get(f"{PREFIX}/{{name:path}}")
    def show_file(request: Request, name: str) -> Response:
        """A file of the pages."""
        if not is_complete(static / "vendor"):
            return Response(_MISSING, 503, headers_of(name), "text/html")
        found = pages.find(name or "index.html")
        if found is None:
            return Response("There is no such page.", 404, headers_of(name), "text/plain")
        headers = {**headers_of(name), "ETag": found.tag, "Vary": "Accept-Encoding"}
        if found.tag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        if found.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(found.packed, 200, {**headers, "Content-Encoding": "gzip"}, found.media_type)
        return Response(found.content, 200, headers, found.media_type)

    return router
