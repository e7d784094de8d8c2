"""The files of the pages, as whoever serves them sends them.

Rules:
1. A path is looked up among the files that there are; nothing is joined from what was asked.
2. Scripts and styles come from here alone, and none is written into a page (Content Security Policy level 3).
3. WebAssembly is compiled in one worker alone, which has a policy of its own: no page may.
4. A file has a strong `ETag`, so that a browser asks whether it changed and fetches it once.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
WORKER: Final = "reading/worker.js"
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_WORKER_POLICY: Final = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
_HEADERS: Final = {
    "Content-Security-Policy": _PAGE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-cache",
}
_PACKED: Final = frozenset({".html", ".js", ".css", ".json", ".svg", ".wasm"})
_TYPES: Final = {".js": "text/javascript", ".wasm": "application/wasm"}  # which a system may have otherwise


@dataclass(frozen=True)
class File:
    """A file as it is sent.

    Attributes:
        content: Its bytes.
        packed: The same by gzip; None where that gains nothing.
        media_type: As Content-Type has it.
        tag: Its ETag.
    """

    content: bytes
    packed: bytes | None
    media_type: str
    tag: str

    @classmethod
    def of(cls, path: Path, *, packs: bool = True) -> File:
        """Reads a file.

        Args:
            path: Where it is.
            packs: Whether it may be sent compressed.
        """
        content = path.read_bytes()
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
        packed = gzip.compress(content, mtime=0) if packs and path.suffix in _PACKED else None
        return cls(content, packed, kind or "application/octet-stream", f'"{hashlib.sha256(content).hexdigest()[:32]}"')


class Pages:
    """The files of the pages, read again where they change.

    Args:
        static: The folder.
    """

    def __init__(self, static: Path = STATIC) -> None:
        self._static = static
        self._paths = files_in(static)
        self._read: dict[str, tuple[int, File]] = {}

    def find(self, name: str) -> File | None:
        """A file by its path in the folder; None where there is none."""
        if name not in self._paths or not self._paths[name].is_file():  # come or gone since they were listed
            self._paths = files_in(self._static)
        path = self._paths.get(name)
        if path is None:
            return None
        changed = path.stat().st_mtime_ns
        if name not in self._read or self._read[name][0] != changed:
            self._read[name] = (changed, File.of(path))
        return self._read[name][1]


def files_in(static: Path) -> dict[str, Path]:
    """Every file of a folder that is not hidden, by its path in the folder."""
    found = {path.relative_to(static): path for path in static.rglob("*") if path.is_file()}
    return {
        name.as_posix(): path for name, path in found.items() if not any(part.startswith(".") for part in name.parts)
    }


def headers_of(name: str) -> Mapping[str, str]:
    """What is said of a file besides: its policy above all."""
    return MappingProxyType(_HEADERS | ({"Content-Security-Policy": _WORKER_POLICY} if name == WORKER else {}))
