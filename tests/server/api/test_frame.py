"""What holds around every request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from handfed.server.api.frame import HEADERS, Frame

TOO_LARGE = 65_537


@pytest.mark.parametrize("path", ["/health", "/nothing", "/api/v1/me"])
def test_every_answer_has_the_headers_and_an_id_of_its_own(world: Any, path: str) -> None:
    answers = [world.client.get(path) for _ in range(2)]
    for answer in answers:
        assert HEADERS.items() <= {name.title(): value for name, value in answer.headers.items()}.items()
    assert answers[0].headers["x-request-id"] != answers[1].headers["x-request-id"]


def test_a_header_that_an_app_sets_itself_stays() -> None:
    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("x", headers={"Content-Security-Policy": "default-src 'self'"})(scope, receive, send)

    answer = TestClient(Frame(page, 1000)).get("/")
    assert answer.headers["content-security-policy"] == "default-src 'self'"
    assert answer.headers["x-frame-options"] == "DENY"


def test_a_body_that_says_it_is_too_large_is_not_read(world: Any) -> None:
    read: list[bytes] = []

    def body() -> Iterator[bytes]:
        read.append(b"x")
        yield b"x"

    headers = {"content-length": str(TOO_LARGE), "content-type": "application/json"}
    answer = world.client.post("/api/v1/enrolments", content=body(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["type"] == "/api/v1/problems/too-large"


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "x"}])
def test_a_body_that_does_not_say_how_large_it_is_is_cut_off(world: Any, key: dict[str, str]) -> None:
    def body() -> Iterator[bytes]:
        yield b'"'
        for _ in range(100):
            yield b"x" * 1000

    headers = {"content-type": "application/json", **key}
    answer = world.client.post("/api/v1/enrolments", content=body(), headers=headers)
    assert answer.status_code == 413


def test_the_log_has_neither_body_nor_token_nor_query(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    secret = world.tokens["federation admin"]
    with caplog.at_level(logging.DEBUG):
        made = world.ask("federation admin", "POST", "/api/v1/tokens", json={"name": "Hypatia", "role": "viewer"})
        world.ask("federation admin", "GET", "/api/v1/audit?who=Hypatia")
        world.ask("federation admin", "POST", "/api/v1/organisations", json={"name": "Hypatia", "x": 1})
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("handfed"))
    assert "POST /api/v1/tokens 201" in ours
    for hidden in (secret, secret[3:], made.json()["secret"], "Hypatia"):
        assert hidden not in ours


def test_nobody_writes_lines_of_their_own_into_the_log(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        world.client.get("/x%0aroot%1b[2J")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "handfed.server.api.frame"]
    assert line.startswith("GET /x%0Aroot%1B%5B2J 404")


def test_who_goes_away_in_the_middle_is_no_failure_of_the_server(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def gone() -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        headers = [(b"idempotency-key", b"k"), (b"content-type", b"application/json")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/v1/enrolments",
            "query_string": b"",
            "headers": headers,
        }
        await world.app(scope, receive, send)
        return sent

    assert asyncio.run(gone())[0]["status"] == 400
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_an_answer_that_has_begun_is_not_begun_again(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - as ASGI has it
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("x")

    async def asked() -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await Frame(broken, 1000)(scope, receive, send)
        return sent

    sent = asyncio.run(asked())
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert "RuntimeError" in caplog.text
