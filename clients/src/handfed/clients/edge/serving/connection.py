"""A connection of the HTTP service: one request, whose head and body come in time, and its answer.

`http.server` parses the head. What its documentation warns of (no limits of time and size, files of a directory) is
held here and in `handfed.clients.edge.serving.service`, and by there being no files.

Source: RFC 9110, RFC 9112.
"""

from __future__ import annotations

import io
import json
import logging
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Final

from handfed.clients.edge.serving import problems, requests
from handfed.clients.edge.serving.lanes import BusyError
from handfed.clients.edge.serving.problems import Problem
from handfed.shared.errors import HandfedError, ImageError

if TYPE_CHECKING:
    from handfed.clients.edge.serving.service import Service

_RETRY_AFTER_S: Final = 1
_LONGEST_LINE: Final = 8192  # bytes, of a request line
_LARGEST_HEAD: Final = 65_536  # bytes, of a request before its body
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What a client may ask of the service.

    Attributes:
        connections: Open ones at once.
        body_bytes: Of a picture.
        head_s: Until the head of a request has come.
        body_s: From then on, until its body has.
        reading_s: Until a picture's turn comes.
        answer_s: Until an answer has gone.
        linger_s: Until a client that was answered has stopped sending.
    """

    connections: int = 64
    body_bytes: int = 20_000_000
    head_s: float = 2.0
    body_s: float = 10.0
    reading_s: float = 30.0
    answer_s: float = 10.0
    linger_s: float = 1.0


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        content: The body.
        media_type: Its Content-Type.
        status: The HTTP status.
        headers: What is said besides.
    """

    content: bytes
    media_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Reply:
        """A JSON object."""
        return cls(json.dumps(value).encode())


@dataclass(frozen=True)
class Route:
    """What is at an address.

    Attributes:
        method: The one that it takes; HEAD goes with GET.
        reply: Makes the answer.
        is_open: Whether it needs no token.
    """

    method: str
    reply: Callable[[Asked], Reply]
    is_open: bool = False


@dataclass(frozen=True)
class Asked:
    """A request whose head was understood, for a route.

    Attributes:
        service: Who was asked.
        handler: Its connection.
        query: What is behind the question mark.
    """

    service: Service
    handler: Handler
    query: str


class Handler(BaseHTTPRequestHandler):
    """One connection: one request, and its answer."""

    server: Service
    protocol_version = "HTTP/1.1"
    error_content_type = problems.MEDIA_TYPE

    def setup(self) -> None:
        """Begins to receive, against the clock."""
        super().setup()
        self._expects = False
        self._received = Received(self.connection, time.monotonic() + self.server.limits.head_s)
        self.rfile = io.BufferedReader(self._received)

    def handle(self) -> None:
        """Answers, whatever comes, and however it fails."""
        self.close_connection = True
        self.command, self.requestline, self.request_version = "", "", self.protocol_version
        try:
            reply = self._replied()
        except Problem as problem:
            reply = Reply(problem.encode(), problems.MEDIA_TYPE, problem.status, problem.headers)
        except ConnectionError:
            return
        if reply is not None:
            self._send(reply)

    def _replied(self) -> Reply | None:
        """The answer; None where nothing was asked.

        Raises:
            Problem: The request is refused.
        """
        try:
            return self._routed() if self._understood() else None
        except TimeoutError:
            raise Problem("too-slow", "send the request at once") from None
        except BusyError as error:
            raise Problem("busy", str(error), {"Retry-After": str(_RETRY_AFTER_S)}) from None
        except ImageError as error:
            raise Problem("unreadable", str(error)) from None
        except (Problem, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - the edge of a connection: the others go on
            # Not the traceback, nor another library's words: they may quote.
            _log.error("a request failed: %s", error if isinstance(error, HandfedError) else type(error).__name__)
            raise Problem("failed", "it broke within; the service's log has the cause") from None

    def _understood(self) -> bool:
        """Reads the head of a request; whether there is one.

        Raises:
            Problem: It cannot be understood.
            TimeoutError: It does not come in time.
        """
        self.raw_requestline = self.rfile.readline(_LONGEST_LINE + 1)
        if len(self.raw_requestline) > _LONGEST_LINE:
            raise Problem("address-too-long", "shorten the address")
        if not self.raw_requestline:
            return False
        if not self.parse_request() or not self.request_version.startswith("HTTP/1."):
            raise Problem("malformed", "speak HTTP/1.1")
        return True

    def _routed(self) -> Reply:
        requests.check_place(self.headers, self.server.port)
        path, _, query = self.path.partition("?")
        route = self.server.routes.get(path)
        if route is None or not route.is_open:
            requests.check_token(self.headers, self.server.token)
        if route is None:
            raise Problem("not-found", f"there are {', '.join(self.server.paths)}")
        if route.method != ("GET" if self.command == "HEAD" else self.command):
            raise Problem("method-not-allowed", f"use {route.method}", {"Allow": route.method})
        return route.reply(Asked(self.server, self, query))

    def body(self, length: int) -> bytes:
        """Reads the body.

        Raises:
            Problem: It ends too soon.
            TimeoutError: It does not come in time.
        """
        if self._expects:
            self.send_response_only(100)
            self.end_headers()
        self._received.left += length
        self._received.deadline_s = time.monotonic() + self.server.limits.body_s
        content = self.rfile.read(length)
        if len(content) != length:
            raise Problem("malformed", "the picture is shorter than Content-Length says")
        return content

    def handle_expect_100(self) -> bool:
        """Keeps in mind that the client waits to be asked for the body; `body` asks, when all else is well."""
        self._expects = True
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - as in `http.server`
        """What `parse_request` says of a head that it does not understand.

        Raises:
            Problem: Always.
        """
        if code == 431:  # noqa: PLR2004 - RFC 6585
            raise Problem("headers-too-large", "send fewer or shorter headers")
        raise Problem("malformed", "speak HTTP/1.1")

    def _send(self, reply: Reply) -> None:
        self.server.count(reply.status)
        try:
            self.connection.settimeout(self.server.limits.answer_s)
            self.request_version = self.protocol_version  # to HTTP/0.9, too, a refusal has a head
            self.send_response_only(reply.status)
            for name, value in {
                "Content-Type": reply.media_type,
                "Content-Length": str(len(reply.content)),
                "Connection": "close",
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
                "Cross-Origin-Resource-Policy": "same-origin",
                **reply.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.content)
        except OSError:  # the client has gone
            pass


class Received(io.RawIOBase):
    """What a socket receives until a deadline, however slowly it trickles, and no more than so many bytes.

    Attributes:
        left: How many bytes more are taken: at first those of a request's head.
        deadline_s: Until when, by `time.monotonic`.

    Args:
        connection: The socket.
        deadline_s: Likewise.
    """

    def __init__(self, connection: socket.socket, deadline_s: float) -> None:
        super().__init__()
        self._connection, self.deadline_s = connection, deadline_s
        self.left = _LARGEST_HEAD

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a buffer has no type in Python 3.11
        """Receives what there is.

        Raises:
            Problem: There is more than is taken.
            TimeoutError: The deadline has passed.
        """
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        if self.left <= 0:
            raise Problem("headers-too-large", "send fewer or shorter headers")
        self._connection.settimeout(left_s)
        count = self._connection.recv_into(buffer)
        self.left -= count
        return count
