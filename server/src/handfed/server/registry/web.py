"""The registry over HTTP: `/registry/metadata/*` and `/registry/targets/*`, as plain files for everybody.

Rules:
1. Only names that the registry gives are answered, whatever lies beside them; there is no list.
2. Each answer has a strong ETag of the content. Everything but the timestamp has a version or a hash in its name, so it
   may be kept for ever; the timestamp is asked for anew each time.
3. A target can be had in parts, so that a download which broke off goes on: Range, If-Range, If-None-Match and HEAD as
   in RFC 9110. Metadata is small and comes whole.
4. Nothing here needs a token: what a device believes of it is what is signed, and a release is no secret of its
   federation.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route, Router

from handfed.server.registry.files import METADATA, TARGETS
from handfed.shared.files import sha256_of

_METADATA_NAME: Final = re.compile(r"timestamp\.json|[1-9][0-9]{0,15}\.(root|targets|snapshot|channels)\.json")
_TARGET_NAME: Final = re.compile(r"(releases/[0-9]{4,}|channels|pins)/([0-9a-f]{64})\.[A-Za-z0-9_-][A-Za-z0-9._-]*")
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_JSON: Final = "application/json"
_BYTES: Final = "application/octet-stream"


def registry_app(directory: Path) -> Router:
    """An ASGI app that answers with the files of a registry.

    Args:
        directory: `registry/` of the data directory; it may be made later.
    """

    def metadata(request: Request) -> Response:
        name = request.path_params["name"]
        content = _read(directory / METADATA / name) if _METADATA_NAME.fullmatch(name) else None
        if content is None:
            return _nothing()
        headers = _headers(sha256_of(content), _ASK_AGAIN if name == "timestamp.json" else _FOR_EVER)
        if _is_known(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=_JSON)

    def target(request: Request) -> Response:
        name = request.path_params["name"]
        match, path = _TARGET_NAME.fullmatch(name), directory / TARGETS / name
        if match is None or not path.is_file():
            return _nothing()
        headers = _headers(match[2], _FOR_EVER)
        if _is_known(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        kind = _JSON if name.endswith(".json") else _BYTES
        return FileResponse(path, headers=headers, media_type=kind, stat_result=path.stat())

    routes = [Route("/metadata/{name}", metadata), Route("/targets/{name:path}", target)]
    return Router(routes, redirect_slashes=False)


def _headers(sha256: str, kept: str) -> dict[str, str]:
    return {"ETag": f'"{sha256}"', "Cache-Control": kept}


def _is_known(request: Request, etag: str) -> bool:
    """Whether who asks has this content already (RFC 9110 section 13.1.2: weak comparison)."""
    shown = request.headers.get("If-None-Match", "")
    return any(part.strip().removeprefix("W/") in {etag, "*"} for part in shown.split(","))


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _nothing() -> Response:
    return Response(status_code=404)
