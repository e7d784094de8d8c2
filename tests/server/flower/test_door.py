"""Who may ask Flower what, and how long an answer waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from flwr.proto.fleet_pb2 import PullMessagesRequest, PullMessagesResponse, PushMessagesRequest
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.message_pb2 import Metadata, PullObjectRequest
from flwr.proto.node_pb2 import Node
from flwr.proto.runtime_pb2 import PushAppMessagesRequest

from handfed.server.flower.door import AT_ONCE, MOST_BYTES, Door
from handfed.server.runs.live import LiveExchange

PULL = PullMessagesRequest(node=Node(node_id=7)).SerializeToString()
FETCH = PullObjectRequest(node=Node(node_id=7)).SerializeToString()
REPLY = PushMessagesRequest(node=Node(node_id=7)).SerializeToString()
PUSH = PushAppMessagesRequest(messages_list=[ProtoMessage(metadata=Metadata(dst_node_id=7))]).SerializeToString()


class App:
    """An ASGI app that notes what it was asked and answers what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.answer, self.status = b"", 200
        self.answers: list[bytes] = []  # before that one

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive()).get("body", b"")
        self.asked.append((scope["path"], body))
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.answers.pop() if self.answers else self.answer})


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


def test_a_device_is_heard_of_when_it_asks_and_not_only_when_it_is_answered() -> None:
    world = World(hold_s=30)

    async def scene() -> Any:
        waiting = asyncio.create_task(world.ask(world.door.outside, "/v1/fleet/pull-messages", PULL))
        await asyncio.sleep(0.05)
        heard = dict(world.door.asked_at)
        waiting.cancel()
        return heard

    assert asyncio.run(scene()).keys() == {7}


def test_a_device_that_waits_is_answered_when_a_run_has_written_to_it() -> None:
    world = World(hold_s=3600)

    async def scene() -> Any:
        waiting = asyncio.create_task(world.ask(world.door.outside, "/v1/fleet/pull-messages", PULL))
        await asyncio.sleep(0.05)
        await world.ask(world.door.inside, "/v1/runtime/push-messages", PUSH)
        await asyncio.sleep(0.05)
        assert not waiting.done()  # its parts are still on their way
        world.flower.answer = b"message"
        await world.ask(world.door.inside, "/v1/runtime/pull-messages")
        return await waiting

    assert asyncio.run(scene()) == (200, b"message")


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
    assert len(world.flower.asked) == 1


def test_a_crowd_takes_turns_with_flower_and_a_slow_line_takes_none() -> None:
    world, going, most = World(), 0, 0
    lines = asyncio.Event()

    async def flower(_scope: Any, receive: Any, send: Any) -> None:
        nonlocal going, most
        going, most = going + 1, max(most, going + 1)
        await receive()
        await asyncio.sleep(0.001)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"object"})
        going -= 1

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def slow(_event: Any) -> None:
        await lines.wait()

    async def scene() -> None:
        world.door = Door(flower, world.ours)
        scope = {"type": "http", "path": "/v1/fleet/pull-object"}
        stuck = [asyncio.create_task(world.door.outside(scope, receive, slow)) for _ in range(2 * AT_ONCE)]
        for _ in range(3):
            assert await world.ask(world.door.outside, "/v1/fleet/pull-object") == (200, b"object")
        lines.set()
        await asyncio.gather(*stuck)

    asyncio.run(scene())
    assert most == AT_ONCE


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


def handed(ttl_s: float) -> bytes:
    """What a device gets that asks for messages."""
    message = ProtoMessage(metadata=Metadata(created_at=time.time(), ttl=ttl_s))
    answer: bytes = PullMessagesResponse(messages_list=[message]).SerializeToString()
    return answer


def asked_twice(message: bytes, *between: tuple[str, bytes], status: int = 200) -> tuple[int, bytes]:
    """What a device gets that was handed a message and asks again."""
    world = World(hold_s=0.01)

    async def scene() -> Any:
        world.flower.answer = message
        await world.ask(world.door.outside, "/v1/fleet/pull-messages", PULL)
        world.flower.answer, world.flower.status = b"", status
        for path, body in between:
            await world.ask(world.door.outside, path, body)
        return await world.ask(world.door.outside, "/v1/fleet/pull-messages", PULL)

    found: tuple[int, bytes] = asyncio.run(scene())
    return found


def test_a_message_that_was_lost_on_its_way_is_handed_out_again() -> None:
    message = handed(60)
    assert asked_twice(message) == (200, message)
    assert asked_twice(message, ("/v1/fleet/pull-messages", PULL)) == (200, message)  # and lost again


@pytest.mark.parametrize(("path", "body"), [("pull-object", FETCH), ("push-messages", REPLY)])
def test_a_message_that_a_device_knows_of_is_not_handed_out_again(path: str, body: bytes) -> None:
    assert asked_twice(handed(60), (f"/v1/fleet/{path}", body)) == (200, b"")


def test_a_message_that_nobody_waits_for_is_not_handed_out_again() -> None:
    assert asked_twice(handed(-1)) == (200, b"")


def test_a_message_is_not_handed_again_to_who_is_not_let_in() -> None:
    assert asked_twice(handed(60), status=401) == (401, b"")


def test_a_message_that_went_to_a_dead_connection_is_handed_to_the_living_one() -> None:
    world, message = World(hold_s=30), handed(60)

    async def scene() -> Any:
        dead, living = (
            asyncio.create_task(world.ask(world.door.outside, "/v1/fleet/pull-messages", PULL)) for _ in range(2)
        )
        await asyncio.sleep(0.05)
        world.flower.answers = [message]  # to who asks first
        world.door.ring(7)
        return await dead, await living

    assert asyncio.run(scene()) == ((200, message), (200, message))


def test_who_looks_on_sees_a_device_asked_at_work_and_done() -> None:
    live = LiveExchange()
    world = World()
    world.door = Door(world.flower, world.ours, live=live)
    metadata = Metadata(dst_node_id=7, message_type="train")
    push = PushAppMessagesRequest(messages_list=[ProtoMessage(metadata=metadata)]).SerializeToString()

    def seen() -> tuple[str | None, list[str]]:
        now = live.now()
        return now.kind, [each.activity for each in now.devices.values()]

    asyncio.run(world.ask(world.door.inside, "/v1/runtime/push-messages", push))
    assert seen() == ("train", ["asked"])
    world.flower.answer = PullMessagesResponse(messages_list=[ProtoMessage(metadata=metadata)]).SerializeToString()
    asyncio.run(world.ask(world.door.outside, "/v1/fleet/pull-messages", PULL))
    assert seen() == ("train", ["working"])
    world.flower.status = 401
    asyncio.run(world.ask(world.door.outside, "/v1/fleet/push-messages", REPLY))
    assert seen() == ("train", ["working"])  # who is not let in has answered nothing
    world.flower.status = 200
    asyncio.run(world.ask(world.door.outside, "/v1/fleet/push-messages", REPLY))
    assert seen() == ("train", ["answered"])
