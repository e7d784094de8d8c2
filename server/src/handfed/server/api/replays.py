"""`Idempotency-Key` on the way in: answers what was asked before, and keeps what is answered now."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handfed.server.api.authentication import principal_of, secret_of, shown_by
from handfed.server.api.idempotency import Answer, Idempotency, Named
from handfed.server.credentials import digest

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
MAX_KEY: Final = 255
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_DONE: Final = range(200, 300)


class Replays:
    """Sees to it that a write with an idempotency key is done once.

    Args:
        app: What answers.
        idempotency: Remembers requests and answers.
    """

    def __init__(self, app: ASGIApp, idempotency: Idempotency) -> None:
        self._app = app
        self._idempotency = idempotency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http" or scope["method"] not in _WRITES:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        key = request.headers.get(HEADER)
        if key is None:
            await self._app(scope, receive, send)
            return
        _refuse_odd(key)
        body = await request.body()
        named = await _named(request, key, body)
        answer = await run_in_threadpool(self._idempotency.begin, named)
        if answer is not None:
            headers = {name: value for name, value in answer.headers if name != "content-length"}
            replayed = Response(answer.body, answer.status, {**headers, REPLAYED: "true"})
            await replayed(scope, receive, send)
            return
        # Also where the caller goes away meanwhile: what was done is kept.
        await asyncio.shield(self._answered(scope, body, named, send))

    async def _answered(self, scope: Scope, body: bytes, named: Named, send: Send) -> None:
        start: Message = {}
        parts: list[bytes] = []
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def caught(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            else:
                parts.append(message.get("body", b""))

        try:
            await self._app(scope, again, caught)
        except Exception:  # what is cancelled may go on in its thread, so its key stays busy
            await run_in_threadpool(self._idempotency.release, named)
            raise
        if start["status"] in _DONE:
            headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
            answer = Answer(start["status"], headers, b"".join(parts))
            await run_in_threadpool(self._idempotency.keep, named, answer)
        else:
            await run_in_threadpool(self._idempotency.release, named)
        await send(start)
        await send({"type": "http.response.body", "body": b"".join(parts), "more_body": False})


async def _named(request: Request, key: str, body: bytes) -> Named:
    shown = secret_of(request)
    actor, secret = "everybody", body
    if shown is not None:
        principal, secret = await principal_of(request), shown.encode()
        actor = f"session/{digest(secret)}" if shown_by(request) is None else f"token/{principal.token}"
    asked = f"{request.url.path}?{request.url.query}"
    return Named.of(actor, key, (request.method, asked), body, secret)


def _refuse_odd(key: str) -> None:
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        message = f"1 to {MAX_KEY} printable ASCII characters"
        raise RequestValidationError([{"loc": ("header", HEADER), "msg": message, "type": "value_error"}])
