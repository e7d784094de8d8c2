"""Who may ask Flower what, and how long an answer waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from flwr.proto.fleet_pb2 import PullMessagesRequest
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.message_pb2 import Metadata
from flwr.proto.node_pb2 import Node
from flwr.proto.runtime_pb2 import PushAppMessagesRequest

from handfed.server.flower.door import MOST_BYTES, Door

PULL = PullMessagesRequest(node=Node(node_id=7)).SerializeToString()
PUSH = PushAppMessagesRequest(messages_list=[ProtoMessage(metadata=Metadata(dst_node_id=7))]).SerializeToString()


class App:
    """An ASGI app that notes what it was asked and answers what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.answer, self.status = b"", 200

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive()).get("body", b"")
        self.asked.append((scope["path"], body))
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.answer})


class World:
    def __init__(self, hold_s: float = 5.0) -> None:
        self.flower, self.ours = App(), App()
        self.door = Door(self.flower, self.ours, hold_s=hold_s)

    async def ask(self, side: Callable[..., Awaitable[None]], path: str, body: bytes = b"", kind: str = "http") -> Any:
        got: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(event: Any) -> None:
            got.append(event)

        await side({"type": kind, "path": path}, receive, send)
        return got[0]["status"], b"".join(event.get("body", b"") for event in got[1:])


@pytest.mark.parametrize("path", ["/v1/control/start-run", "/v1/runtime/pull-messages", "/docs", "/", "/api/v1/runs"])
def test_of_flower_the_world_reaches_what_devices_need_and_nothing_else(path: str) -> None:
    world = World()
    asyncio.run(world.ask(world.door.outside, path))
    assert (world.flower.asked, world.ours.asked) == ([], [(path, b"")])


@pytest.mark.parametrize("path", ["/v1/control/start-run", "/v1/fleet/pull-messages", "/docs", "/api/v1/runs"])
def test_the_processes_of_runs_reach_what_they_need_and_nothing_else(path: str) -> None:
    world = World()
    assert asyncio.run(world.ask(world.door.inside, path)) == (404, b"")
    assert (world.flower.asked, world.ours.asked) == ([], [])


def test_what_flower_answers_is_handed_on_at_once() -> None:
    world = World()
    world.flower.answer = b"message"
    assert asyncio.run(world.ask(world.door.outside, "/v1/fleet/pull-messages", PULL)) == (200, b"message")
    assert world.flower.asked == [("/v1/fleet/pull-messages", PULL)]
    assert world.door.asked_at.keys() == {7}


def test_a_device_that_waits_is_answered_when_a_run_has_written_to_it() -> None:
    world = World(hold_s=30)

    async def scene() -> tuple[Any, float]:
        started = time.monotonic()
        waiting = asyncio.create_task(world.ask(world.door.outside, "/v1/fleet/pull-messages", PULL))
        await asyncio.sleep(0.05)
        await world.ask(world.door.inside, "/v1/runtime/push-messages", PUSH)
        await asyncio.sleep(0.05)
        assert not waiting.done()  # its parts are still on their way
        world.flower.answer = b"message"
        await world.ask(world.door.inside, "/v1/runtime/pull-messages")
        return await waiting, time.monotonic() - started

    answer, seconds = asyncio.run(scene())
    assert answer == (200, b"message")
    assert seconds < 10


def test_a_run_that_waits_is_answered_when_a_device_comes_back() -> None:
    world = World(hold_s=30)

    async def scene() -> Any:
        waiting = asyncio.create_task(world.ask(world.door.inside, "/v1/runtime/pull-messages"))
        await asyncio.sleep(0.05)
        world.flower.answer = b"reply"
        await world.ask(world.door.outside, "/v1/fleet/pull-messages", PULL)
        return await waiting

    assert asyncio.run(scene()) == (200, b"reply")


def test_a_question_without_an_answer_is_answered_in_the_end() -> None:
    world = World(hold_s=0.1)
    assert asyncio.run(world.ask(world.door.outside, "/v1/fleet/pull-messages", PULL)) == (200, b"")
    assert len(world.flower.asked) == 2


def test_a_revoked_device_that_waits_is_told_at_once() -> None:
    world = World(hold_s=30)

    async def scene() -> Any:
        waiting = asyncio.create_task(world.ask(world.door.outside, "/v1/fleet/pull-messages", PULL))
        await asyncio.sleep(0.05)
        world.flower.status = 401
        await asyncio.to_thread(world.door.ring, 7)
        return await waiting

    assert asyncio.run(scene()) == (401, b"")
    assert world.door.asked_at == {}


def test_a_body_that_is_too_long_or_no_message_does_no_harm() -> None:
    world = World()
    assert asyncio.run(world.ask(world.door.outside, "/v1/fleet/push-object", bytes(MOST_BYTES + 1)))[0] == 413
    world.flower.status = 400
    assert asyncio.run(world.ask(world.door.outside, "/v1/fleet/pull-messages", b"\xff"))[0] == 400
