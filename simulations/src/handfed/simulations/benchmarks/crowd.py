"""Devices that wait for messages and people who follow a run, many of each, in a process of their own.

A device here is a real device's own link to its server (`handfed.clients.device.fleet`) in a thread: it begins with its
key, and then asks for messages and beats, each request signed, over one connection that stays open. It trains nothing.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final

import httpx

from handfed.clients.device.fleet import Fleet
from handfed.clients.device.server_clock import ServerClock
from handfed.shared.address import Address
from handfed.shared.errors import HandfedError

COME_WITHIN_S: Final = 5.0
_START_S: Final = 120.0
_END_S: Final = 60.0
_COUNTING: Final = threading.Lock()


@dataclass(frozen=True)
class Crowd:
    """Who comes.

    Attributes:
        server: The server's address, `host:port`.
        ca: The federation's CA, PEM.
        keys: Of each device, PEM.
        tokens: Of each who follows.
        run: The number of the run that is followed.
    """

    server: str
    ca: bytes
    keys: Sequence[bytes]
    tokens: Sequence[str]
    run: int


@dataclass
class Seen:
    """What became of a crowd.

    Attributes:
        asked: Questions for messages that were answered.
        errors: Requests of devices that failed, and streams that broke or missed an event, by what was said.
        events: Rounds that were told, over all streams.
        ended: Streams that were told of the run's end.
    """

    asked: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    events: int = 0
    ended: int = 0


@contextmanager
def crowd(who: Crowd) -> Iterator[list[Seen]]:
    """Has a crowd come, and go when the block ends; the run that it follows must have ended by then.

    Yields:
        What became of them: one, when the block is over.

    Raises:
        HandfedError: They are not all there in time, or do not go.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_crowd, args=(who, theirs), daemon=True)
    process.start()
    seen: list[Seen] = []
    try:
        if not ours.poll(_START_S):
            raise HandfedError(f"a crowd of {len(who.keys)} devices was not there within {_START_S:g} s")
        ours.recv()
        yield seen
        ours.send(None)
        if not ours.poll(_END_S):
            raise HandfedError("a crowd did not go: a stream of a run that has ended goes on")
        seen.append(ours.recv())
    finally:
        process.kill()
        process.join()


def _crowd(who: Crowd, other: Connection) -> None:
    seen, over = Seen(), threading.Event()
    there = threading.Semaphore(0)
    for place, key in enumerate(who.keys):
        given = (who, key, seen, there, over)
        threading.Thread(target=_device, args=given, name=f"device {place}", daemon=True).start()
    streams = threading.Thread(target=lambda: asyncio.run(_streams(who, seen)), name="streams", daemon=True)
    streams.start()
    for _ in who.keys:
        there.acquire()
    other.send(None)
    other.recv()
    over.set()
    streams.join()
    other.send(seen)


def _device(who: Crowd, key: bytes, seen: Seen, there: threading.Semaphore, over: threading.Event) -> None:
    """One device, until the end: it comes, asks for messages, and beats between two questions."""
    over.wait(random.uniform(0, COME_WITHIN_S))  # noqa: S311 - so that devices do not come all at once
    fleet = Fleet(Address.parse(who.server), who.ca, key, ServerClock())
    _tried(fleet.activate, seen)
    there.release()
    while not over.is_set():
        began = time.monotonic()
        if _tried(fleet.receive, seen):
            with _COUNTING:
                seen.asked += 1
        _tried(fleet.beat, seen)
        over.wait(max(0.0, 1.0 - (time.monotonic() - began)))  # as a device does where the answer was not held


def _tried(ask: Callable[[], object], seen: Seen) -> bool:
    """Whether a request was answered."""
    try:
        ask()
    except HandfedError as error:
        with _COUNTING:
            seen.errors[str(error)] += 1
        return False
    return True


async def _streams(who: Crowd, seen: Seen) -> None:
    """Follows a run to its end, by all tokens at once."""
    trusting = ssl.create_default_context(cadata=who.ca.decode())
    limits = httpx.Limits(max_connections=len(who.tokens))
    url = f"https://{who.server}/api/v1/runs/{who.run}/events"
    async with httpx.AsyncClient(verify=trusting, limits=limits, timeout=60) as client:
        await asyncio.gather(*(_stream(client, url, token, seen) for token in who.tokens))


async def _stream(client: httpx.AsyncClient, url: str, token: str, seen: Seen) -> None:
    expected = 1
    try:
        async with client.stream("GET", url, headers={"Authorization": f"Bearer {token}"}) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    if int(value) != expected:
                        seen.errors[f"round {value} came where {expected} should have"] += 1
                    expected, seen.events = int(value) + 1, seen.events + 1
                seen.ended += line == "event: end"
    except httpx.HTTPError as error:
        seen.errors[f"a stream broke: {type(error).__name__}"] += 1
