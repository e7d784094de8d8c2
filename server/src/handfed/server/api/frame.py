"""What holds around every request: an id, headers, a limit of size, and that no error gets out as it is.

Rules:
1. A request has an id, which its answer names in `X-Request-Id` and the log with it. The log holds method, path, status
   and time; never a body, a query, a header or a token.
2. Of an error that nobody foresaw the log has the type and the place, not the message, which may quote the request.
3. A header that an app has set itself stays: a web app has another content security policy than an API.

No `Strict-Transport-Security` is sent: it binds every port of a host, and a school's server may show other pages.

Source: the ASGI specification 3.0; the OWASP HTTP Headers Cheat Sheet.
"""

from __future__ import annotations

import logging
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handfed.server.api import problems

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TOO_LARGE: Final = 413
_SERVER_ERROR: Final = 500
_LONGEST_PATH: Final = 200
_log = logging.getLogger(__name__)


class Frame:
    """Gives each request an id, its answer headers, and its errors the form of a problem.

    Args:
        app: What answers.
        max_body_bytes: Of a request.
        new_id: Makes ids.
        clock: Seconds, from any moment on.
        observe: Is told of each answer as it begins: of its request, its status, and the seconds until then.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        clock: Callable[[], float] = time.monotonic,
        observe: Callable[[Scope, int, float], None] = lambda _scope, _status, _seconds: None,
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._new_id = new_id
        self._clock = clock
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["handfed.request_id"] = self._new_id()
        began, status = self._clock(), 0

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._observe(scope, status, self._clock() - began)
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            limited = _limited(Headers(scope=scope), receive, self._max_body_bytes)
            await self._app(scope, limited, framed)
        except Exception as error:  # noqa: BLE001 - the edge of the process
            _note(error, request_id)
            if status == 0:
                await problems.answer(error, request_id)(scope, receive, framed)
        spent_ms = 1000 * (self._clock() - began)
        path = quote(scope["path"])[:_LONGEST_PATH]  # encoded, so that nobody writes lines of their own into the log
        _log.info("%s %s %d %.0f ms %s", scope["method"], path, status, spent_ms, request_id)


def _limited(headers: Headers, receive: Receive, most: int) -> Receive:
    """The body, as long as it is not too large: a length that is told is refused before anything is read.

    Raises:
        HTTPException: It is too large.
    """
    refusal = HTTPException(_TOO_LARGE, f"a request has up to {most} bytes")
    told = headers.get("content-length", "")
    if told.isascii() and told.isdecimal() and int(told[:20]) > most:
        raise refusal
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise refusal
        return message

    return counted


def _note(error: Exception, request_id: str) -> None:
    if problems.kind_of(error).status < _SERVER_ERROR:
        return
    kind = type(error)
    if kind.__module__.startswith("handfed."):  # a message of ours quotes nothing of a request
        _log.error("request %s failed: %s", request_id, error)
    else:
        stack = "".join(traceback.format_tb(error.__traceback__))
        _log.error("request %s failed: %s\n%s", request_id, kind.__qualname__, stack)
