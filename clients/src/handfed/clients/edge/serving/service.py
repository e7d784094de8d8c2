"""The HTTP service: pictures in, text out, for other programs of the same device.

    POST /recognise     a picture as the body; `boxes=1`, `alternatives=N`
    POST /feedback      what a person says of a reading (docs/feedback.md), where a device keeps it
    GET  /release       what reads
    GET  /release/browser.tflite    its model, as a browser can run it
    GET  /try/...       pages for this device's own browser, where a part that has them is installed
    GET  /health        that it is there, and what it has answered; needs no token

Rules:
1. It listens on 127.0.0.1 and nowhere else.
2. A connection bears one request, whose head and body have come, whole, within `Limits.head_s` and `Limits.body_s`,
   however slowly they trickle. There are at most `Limits.connections` at once; others wait in the system's queue.
3. A picture is read into memory when there is a place for it (`handfed.clients.edge.serving.lanes`), and not before.
4. Feedback that was answered with 200 is on the disk; the same sent again is the one that is there.
5. Every refusal is a problem (`handfed.clients.edge.serving.problems`). Nothing of a request is logged.
6. Pages are routes, too: what is at an address is one entry of a table, and each file of a page is one.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import statistics
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from http.server import ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, Final

from handfed.clients.device.store.feedback import Feedback
from handfed.clients.edge.answers import answer, as_json
from handfed.clients.edge.feedback import Desk, NoStoreError
from handfed.clients.edge.pictures import read_picture
from handfed.clients.edge.recogniser import Recogniser
from handfed.clients.edge.serving import requests
from handfed.clients.edge.serving.connection import Asked, Handler, Limits, Reply, Route
from handfed.clients.edge.serving.lanes import Lanes
from handfed.clients.edge.serving.problems import Problem
from handfed.shared import images
from handfed.shared.browser_twin import browser_twin
from handfed.shared.errors import ConflictError, LockedStoreError, SettingError, WriterError

ADDRESS: Final = "127.0.0.1"
_DISCARDED: Final = 65_536  # bytes at a time, of what was not asked for
_TIMES: Final = 1000  # readings, the last ones, whose times are kept
_GLANCE_S: Final = 0.2
_log: Final = logging.getLogger(__name__)


class Service(ThreadingHTTPServer):
    """The service, listening from when it is made; `serve_forever` answers, and `stop` ends it.

    Attributes:
        routes: By path.
        paths: Those of programs; a page's files are not among them.
        limits: What a client may ask of it.
        token: What a client must know; None for nothing.
        desk: What takes feedback; None for nothing.

    Args:
        lanes: What reads.
        port: Where; 0 for a free one.
        limits: What a client may ask of it.
        token: What a client must know; None for nothing.
        desk: What takes feedback; None for nothing.
        pages: Files for the browser, by path (`handfed.clients.edge.serving.pages`).

    Raises:
        SettingError: The port is taken.
    """

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(
        self,
        lanes: Lanes,
        *,
        port: int,
        limits: Limits | None = None,
        token: str | None = None,
        desk: Desk | None = None,
        pages: Mapping[str, Route] = MappingProxyType({}),
    ) -> None:
        self.limits, self.token, self.lanes, self.desk = limits or Limits(), token, lanes, desk
        self.routes: dict[str, Route] = {
            "/recognise": Route("POST", _recognise),
            "/feedback": Route("POST", _feedback),
            "/release": Route("GET", _release),
            "/release/browser.tflite": Route("GET", _browser_model),
            "/health": Route("GET", _health, is_open=True),
        }
        self.paths = tuple(self.routes)  # that a refusal names
        self.routes |= pages
        self._connections = threading.BoundedSemaphore(self.limits.connections)
        self._stopping = threading.Event()
        self._counting = threading.Lock()
        self._answers: Counter[int] = Counter()
        self._times_s: deque[float] = deque(maxlen=_TIMES)
        try:
            super().__init__((ADDRESS, port), Handler)
        except (OSError, OverflowError) as error:
            raise SettingError(f"cannot listen on {ADDRESS}:{port} ({error}); choose another --port") from error

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def server_bind(self) -> None:
        """Binds the socket; the standard library would ask the network for the name of this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.port

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in `socketserver`
        """Answers a connection in a thread of its own, when there are few enough."""
        while not self._connections.acquire(timeout=_GLANCE_S):
            if self._stopping.is_set():
                self.shutdown_request(request)
                return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no more threads can be started
            self._connections.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in `socketserver`
        """The thread of a connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as in `socketserver`
        """Closes a connection once the client has stopped sending, so that the answer reaches it (RFC 9112, 9.6)."""
        end = time.monotonic() + self.limits.linger_s
        try:
            request.shutdown(socket.SHUT_WR)
            while (left_s := end - time.monotonic()) > 0 and not self._stopping.is_set():
                request.settimeout(left_s)
                if not request.recv(_DISCARDED):
                    break
        except OSError:
            pass
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - as in `socketserver`
        """Says that a connection broke, and not with what."""
        _log.error("a connection broke")

    def count(self, status: int) -> None:
        """Remembers an answer."""
        with self._counting:
            self._answers[status] += 1

    def count_reading(self, seconds: float) -> None:
        """Remembers how long a picture took."""
        with self._counting:
            self._times_s.append(seconds)

    def figures(self) -> dict[str, Any]:
        """Counts and times: answers by status, and the median of the last readings in milliseconds."""
        with self._counting:
            median = round(statistics.median(self._times_s) * 1000, 3) if self._times_s else None
            return {"answers": {str(status): self._answers[status] for status in sorted(self._answers)}} | {
                "reading_ms_median": median
            }

    def stop(self, patience_s: float) -> None:
        """Takes no more connections, and lets those that are open end; `serve_forever` must be running.

        Args:
            patience_s: How long, in seconds.
        """
        self._stopping.set()
        self.shutdown()
        self.server_close()
        end = time.monotonic() + patience_s
        for _ in range(self.limits.connections):
            if not self._connections.acquire(timeout=max(end - time.monotonic(), 0)):
                return


def _recognise(asked: Asked) -> Reply:
    question, headers, limits = requests.question_of(asked.query), asked.handler.headers, asked.service.limits
    requests.check_is_picture(headers)
    length = requests.length_of(headers, limits.body_bytes)
    with asked.service.lanes.place():
        content = asked.handler.body(length)
        with asked.service.lanes.recogniser(limits.reading_s) as recogniser:
            started = time.perf_counter()
            try:
                question.check(recogniser)
            except SettingError as error:
                raise Problem("malformed", str(error)) from None
            picture = read_picture(content, where="the picture")
            question = replace(question, picks=asked.service.desk.picks if asked.service.desk else None)
            answered = answer(recogniser, picture, question)
            asked.service.count_reading(time.perf_counter() - started)
            if asked.service.desk is not None:
                asked.service.desk.count_reading(recogniser.release)
            return Reply.of({"release": recogniser.release, **as_json(answered)})


def _feedback(asked: Asked) -> Reply:
    headers, limits, desk = asked.handler.headers, asked.service.limits, asked.service.desk
    if asked.query:
        raise Problem("malformed", "feedback takes no query")
    requests.check_is_json(headers)
    length = requests.length_of(headers, limits.body_bytes)
    if desk is None:
        raise Problem("not-kept", "this service takes no feedback")
    with asked.service.lanes.place():
        content, remark = requests.remark_of(asked.handler.body(length))
        with asked.service.lanes.recogniser(limits.reading_s) as recogniser:
            picture = read_picture(content, where="the picture")
            try:
                feedback = desk.feedback(recogniser, picture, remark)
            except SettingError as error:
                raise Problem("malformed", str(error)) from None
            except (NoStoreError, LockedStoreError) as error:
                raise Problem("not-kept", str(error)) from None
        return Reply.of(_taken(desk, feedback, is_counted=remark.by != "browser"))


def _taken(desk: Desk, feedback: Feedback, *, is_counted: bool) -> dict[str, Any]:
    """What came of it; the words of errors may hold names, and stay here."""
    try:
        taken = desk.keep(feedback, is_counted=is_counted)
    except SettingError as error:
        raise Problem("malformed", str(error)) from None
    except WriterError:
        raise Problem("not-kept", "the writer asked to be forgotten, or withdrew consent") from None
    except (NoStoreError, LockedStoreError, ConflictError) as error:
        raise Problem("not-kept", str(error)) from None
    return {"feedback": taken.number, "kind": taken.kind, "picked": taken.picked, "known": taken.known}


def _release(asked: Asked) -> Reply:
    with asked.service.lanes.place(), asked.service.lanes.recogniser(asked.service.limits.reading_s) as recogniser:
        return Reply.of(_described(recogniser))


def _browser_model(asked: Asked) -> Reply:
    with asked.service.lanes.place(), asked.service.lanes.recogniser(asked.service.limits.reading_s) as recogniser:
        content, number = recogniser.content, recogniser.release
    headers = {"Handfed-Release": "" if number is None else str(number)}
    return Reply(_twin(content), "application/octet-stream", headers=headers)


_twin = lru_cache(maxsize=1)(browser_twin)


def _described(recogniser: Recogniser) -> dict[str, Any]:
    manifest = recogniser.manifest
    return {
        "release": recogniser.release,
        "task": None if manifest is None else manifest.task,
        "kind": recogniser.task.kind,
        "recogniser": recogniser.task.recogniser,
        "alphabet": list(recogniser.alphabet.names),
        "created_at": None if manifest is None else manifest.created_at,
        "temperature": recogniser.temperature,
        "inputs": list(recogniser.inputs),
        "normalisation": images.VERSION if manifest is None else manifest.normalisation,
    }


def _health(asked: Asked) -> Reply:
    return Reply.of({"status": "ok", **asked.service.figures()})
