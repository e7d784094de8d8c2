"""Refusals of the HTTP service, as problem details (RFC 9457).

Rules:
1. This table is the one place where a refusal gets its HTTP status.
2. What a client sends, however broken, is answered with 4xx. Of 5xx there are `busy` and `failed` alone.
3. A problem quotes nothing of a picture. What broke within is told to nobody but the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MEDIA_TYPE: Final = "application/problem+json"
PLACE: Final = "/problems/"
KINDS: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "malformed": (400, "The request cannot be read"),
        "unauthenticated": (401, "The token is needed"),
        "foreign": (403, "The request comes from elsewhere"),
        "not-found": (404, "There is nothing at this address"),
        "method-not-allowed": (405, "There is no such method here"),
        "too-slow": (408, "The request took too long to come"),
        "not-kept": (409, "The feedback is not kept"),
        "length-required": (411, "The length of the picture is needed"),
        "too-large": (413, "The picture is too large"),
        "address-too-long": (414, "The address is too long"),
        "no-picture": (415, "The body is no picture"),
        "no-feedback": (415, "The body is no feedback"),
        "unreadable": (422, "The picture cannot be read"),
        "headers-too-large": (431, "There are too many headers, or they are too long"),
        "failed": (500, "The service failed"),
        "busy": (503, "The service has too much to do"),
    }
)


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so
    """Why a request is refused.

    Attributes:
        status: The HTTP status.
        headers: What the answer says besides.

    Args:
        kind: A name of `KINDS`.
        detail: What was wrong, and what to do.
        headers: Likewise.
    """

    def __init__(self, kind: str, detail: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(detail)
        self.status, self._title = KINDS[kind]
        self._type, self._detail = PLACE + kind, detail
        self.headers = headers

    def encode(self) -> bytes:
        """The answer's body."""
        value = {"type": self._type, "title": self._title, "status": self.status, "detail": self._detail}
        return json.dumps(value).encode()
