"""Who may ask Flower what, and how long an answer may wait: two ASGI apps around one `Link`.

    outside    TLS, for all: `/v1/fleet/*` goes to Flower, everything else to the control API and the pages
    inside     loopback, for the processes of runs: `/v1/runtime/*` goes to Flower, by the token of its run

Flower's clients ask again and again whether there is something for them, every three seconds. Here a question that has
no answer yet is held until there may be one, and then put to Flower once more. So a message is on its way as soon as it
is written, and who waits hardly costs anything. Where nothing comes within `HOLD_S` (often sooner, by chance, so that
devices that came all at once do not come so for ever), the answer stands that Flower gave.

Rules:
1. A held question is answered by Flower alone: what rings here is a hint, and a hint too many does no harm.
2. A device that asks for messages has sent what it had to send; a run that asks for replies has sent its messages.
3. Flower hands a message out once, and the answer may go into a network that is cut. A device that asks again and never
   began to fetch its message did not get it, and is handed it once more.
4. Flower has `AT_ONCE` questions at a time, and others wait: a crowd of devices leaves room for people and pages.
5. A body has at most `MOST_BYTES`; Flower cuts arrays into parts of 5 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from flwr.proto.fleet_pb2 import PullMessagesRequest, PullMessagesResponse, PushMessagesRequest
from flwr.proto.message_pb2 import PullObjectRequest
from flwr.proto.runtime_pb2 import PushAppMessagesRequest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from handfed.server.runs.live import LiveExchange

HOLD_S: Final = 20.0  # less than the 30 seconds that Flower's clients wait, and than most proxies do
AT_ONCE: Final = 8  # Flower answers on threads, of which the control API needs some as well
MOST_BYTES: Final = 16 * 1024 * 1024

_FLEET: Final = "/v1/fleet/"
_RUNTIME: Final = "/v1/runtime/"
# What only a device asks that knows of its message.
_ANSWER: Final = f"{_FLEET}push-messages"
_KNOWING: Final[Mapping[str, Any]] = {f"{_FLEET}pull-object": PullObjectRequest, _ANSWER: PushMessagesRequest}
_ANY_RUN: Final = 0
_SOONEST: Final = 0.5  # of the time that a question is held

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class _Bells:
    """Who waits for what, by number; all on the thread of one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Event] = {}

    def at(self, who: int) -> asyncio.Event:
        return self._waiting.setdefault(who, asyncio.Event())

    def ring(self, who: int) -> None:
        event = self._waiting.pop(who, None)
        if event is not None:
            event.set()


class _Handed:
    """An answer to a device, and until when its message, if there is one, is answered; seconds since 1970."""

    def __init__(self, answer: list[Event]) -> None:
        self.answer = answer
        self.expires_at = 0.0
        with contextlib.suppress(DecodeError):
            content = b"".join(event.get("body", b"") for event in answer[1:])
            for message in PullMessagesResponse.FromString(content).messages_list:
                self.expires_at = message.metadata.created_at + message.metadata.ttl


class Door:
    """The two apps.

    Attributes:
        asked_at: When each device last asked for messages and was let in, by node id, in seconds of `time.time`.

    Args:
        flower: Flower's app.
        ours: The control API and the pages.
        hold_s: How long a question without an answer is held.
        live: Is told what messages go by, for people who look on.
    """

    def __init__(self, flower: App, ours: App, *, hold_s: float = HOLD_S, live: LiveExchange | None = None) -> None:
        self._flower, self._ours = flower, ours
        self._hold_s = hold_s
        self._live = live or LiveExchange()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._devices, self._runs = _Bells(), _Bells()
        self._written_to: set[int] = set()
        self._handed: dict[int, _Handed] = {}  # by device, what it may not have got
        self._loop: asyncio.AbstractEventLoop | None = None
        self.asked_at: dict[int, float] = {}

    def ring(self, node: int) -> None:
        """Has a device that waits ask again at once, from any thread: it was revoked, say."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._devices.ring, node)

    async def outside(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """What the world reaches."""
        self._loop = asyncio.get_running_loop()
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(_FLEET):
            await self._ours(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            await _refuse(send, 413)
        elif path == f"{_FLEET}pull-messages":
            await self._pull_of_device(scope, body, receive, send)
        else:
            node = None
            if path in _KNOWING:
                with contextlib.suppress(DecodeError):
                    node = _KNOWING[path].FromString(body).node.node_id
                    self._handed.pop(node, None)
            answer = await self._ask(scope, body, receive)
            if node is not None and path == _ANSWER and _is_let_in(answer):
                self._live.answered(node)
            await _send_all(answer, send)

    async def inside(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """What the processes of runs reach."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(_RUNTIME):
            await _refuse(send, 404)
            return
        body = await _body(receive)
        if body is None:
            await _refuse(send, 413)
        elif path == f"{_RUNTIME}pull-messages":
            while self._written_to:
                self._devices.ring(self._written_to.pop())
            await self._held(partial(self._ask, scope, body, receive), send, self._runs.at(_ANY_RUN))
        else:
            if path == f"{_RUNTIME}push-messages":
                with contextlib.suppress(DecodeError):
                    messages = PushAppMessagesRequest.FromString(body).messages_list
                    self._written_to |= {message.metadata.dst_node_id for message in messages}
                    for message in messages:
                        self._live.asked(message.metadata.message_type, [message.metadata.dst_node_id])
            await _send_all(await self._ask(scope, body, receive), send)

    async def _pull_of_device(self, scope: MutableMapping[str, Any], body: bytes, receive: Receive, send: Send) -> None:
        try:
            node = PullMessagesRequest.FromString(body).node.node_id
        except DecodeError:
            await _send_all(await self._ask(scope, body, receive), send)
            return

        async def ask() -> list[Event]:
            answer = await self._ask(scope, body, receive)
            if not _is_let_in(answer):
                self.asked_at.pop(node, None)
                return answer
            self.asked_at[node] = time.time()
            if not _is_empty(answer):
                self._handed[node] = _Handed(answer)
                self._live.fetched(node)
                return answer
            lost = self._handed.get(node)
            return answer if lost is None or lost.expires_at <= time.time() else lost.answer

        self._runs.ring(_ANY_RUN)
        await self._held(ask, send, self._devices.at(node))

    async def _held(self, ask: Callable[[], Awaitable[list[Event]]], send: Send, bell: asyncio.Event) -> None:
        """Asks Flower, and where it has nothing asks once more when the bell rings."""
        answer = await ask()
        if _is_let_in(answer) and _is_empty(answer):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), self._hold_s * random.uniform(_SOONEST, 1))  # noqa: S311
                answer = await ask()
        await _send_all(answer, send)

    async def _ask(self, scope: MutableMapping[str, Any], body: bytes, receive: Receive) -> list[Event]:
        """What Flower answers; it is kept here whole, so that a slow line takes nobody's turn."""
        answer: list[Event] = []

        async def keep(event: Event) -> None:
            answer.append(event)

        async with self._turns:
            await self._flower(dict(scope), _once(body, receive), keep)
        return answer


def _is_let_in(answer: list[Event]) -> bool:
    """Whether Flower takes who asks for the one that they say they are."""
    return bool(answer) and answer[0].get("status") == HTTPStatus.OK


def _is_empty(answer: list[Event]) -> bool:
    return not any(event.get("body") for event in answer[1:])


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None of one that is too long."""
    parts, length, more = [], 0, True
    while more:
        event = await receive()
        part = event.get("body", b"")
        length += len(part)
        if length > MOST_BYTES:
            return None
        parts.append(part)
        more = event.get("more_body", False)
    return b"".join(parts)


def _once(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was received already, and then what comes after it."""
    given = False

    async def again() -> Event:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _send_all(events: list[Event], send: Send) -> None:
    for event in events:
        await send(event)


async def _refuse(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})
