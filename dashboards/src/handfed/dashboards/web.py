"""The pages as a router that a server includes (entry point `handfed.web`): plain files, and nothing that thinks.

Rules:
1. A path is looked up among the files that there are; nothing is joined from what was asked.
2. Scripts and styles come from here alone, and none is written into a page (Content Security Policy level 3).
3. A file has a strong `ETag`, so that a browser asks whether it changed and fetches it once; text is sent compressed.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from handfed.dashboards.vendoring import is_complete

PREFIX: Final = "/dashboard"
STATIC: Final = Path(__file__).parent / "static"
COMMAND: Final = "python -m handfed.dashboards.vendoring"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-cache",
}
_TEXT: Final = frozenset({".html", ".js", ".css", ".json", ".svg"})
_MISSING: Final = f"""<!doctype html><html lang="en"><title>Handfed</title><h1>The dashboard is not complete</h1>
<p>Its libraries are missing here. At the server, run <code>{COMMAND}</code> (<code>make setup</code> does it, too), and
load this page again.</p></html>"""


@dataclass(frozen=True)
class _File:
    """A file as it is sent."""

    content: bytes
    packed: bytes | None
    media_type: str
    tag: str

    @classmethod
    def of(cls, path: Path) -> _File:
        content = path.read_bytes()
        kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0]
        packed = gzip.compress(content, mtime=0) if path.suffix in _TEXT else None
        return cls(content, packed, kind or "application/octet-stream", f'"{hashlib.sha256(content).hexdigest()[:32]}"')


class Pages:
    """The files of the pages, read again where they change.

    Args:
        static: The folder.
    """

    def __init__(self, static: Path = STATIC) -> None:
        self._static = static
        self._read: dict[str, tuple[int, _File]] = {}

    def find(self, name: str) -> _File | None:
        """A file by its path in the folder; None where there is none."""
        known = {str(path.relative_to(self._static)): path for path in self._static.rglob("*") if path.is_file()}
        path = known.get(name)
        if path is None or any(part.startswith(".") for part in path.relative_to(self._static).parts):
            return None
        changed = path.stat().st_mtime_ns
        if name not in self._read or self._read[name][0] != changed:
            self._read[name] = (changed, _File.of(path))
        return self._read[name][1]


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
        return RedirectResponse(f"{PREFIX}/", headers=_HEADERS)

    @router.get(f"{PREFIX}/{{name:path}}")
    def show_file(request: Request, name: str) -> Response:
        """A file of the pages."""
        if not is_complete(static / "vendor"):
            return Response(_MISSING, 503, _HEADERS, "text/html")
        found = pages.find(name or "index.html")
        if found is None:
            return Response("There is no such page.", 404, _HEADERS, "text/plain")
        headers = {**_HEADERS, "ETag": found.tag, "Vary": "Accept-Encoding"}
        if found.tag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        if found.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(found.packed, 200, {**headers, "Content-Encoding": "gzip"}, found.media_type)
        return Response(found.content, 200, headers, found.media_type)

    return router
