"""Streams of events: each sends every round once, and all of them share one reader of the record."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from handfed.server.api.app import create_app
from handfed.server.api.authentication import COOKIE
from handfed.server.api.services import Services
from handfed.server.database import Database
from handfed.server.people.principals import Principal
from handfed.server.runs import events
from handfed.server.runs.events import MOST_STREAMS, Feed
from handfed.server.runs.reading import RunReading
from handfed.server.runs.schemas import News, RecordedRound, RoundResult, RunStart, Status
from handfed.server.runs.service import RunRecord
from handfed.server.settings import ServerSettings
from handfed.shared.errors import AuthenticationError, ForbiddenError, HandfedError, NotFoundError, StorageError

STREAMS = 50
PATIENCE_S = 120.0
Known = Mapping[int, int]
ADA = Principal("Ada", "admin")


def welcome() -> None:
    """Whoever follows may do so."""


def a_round(number: int) -> RecordedRound:
    return RecordedRound(number, "float", datetime(2026, 5, 6, tzinfo=UTC), 1.0, 1.0, 2, 2, 10, None, None, 0, 0, 0)


async def numbers(stream: AsyncIterator[str], most: int = 10**6) -> list[str]:
    """The ids of the rounds of a stream (`end` for its end), so many at most."""
    found: list[str] = []
    async for piece in stream:  # of one event or more
        for text in piece.removesuffix("\n\n").split("\n\n"):
            first, _, rest = text.partition("\n")
            if first != "event: status":
                found.append("end" if rest and first == "event: end" else first.removeprefix("id: "))
        if len(found) >= most:
            break
    return found[:most]


async def until(happened: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not happened():  # noqa: ASYNC110 - what it waits for tells nobody
            await asyncio.sleep(0.005)


class Record:
    """A record of one run that grows by a chunk with each look, until it has ended."""

    def __init__(self, chunks: list[int]) -> None:
        self.chunks, self.written = list(chunks), 0

    def news(self, known: Known) -> Mapping[int, News]:
        if self.chunks:
            self.written += self.chunks.pop(0)
        status: Status = "running" if self.chunks else "done"
        return {
            run: News(status, tuple(map(a_round, range(last + 1, self.written + 1)))) for run, last in known.items()
        }


@given(
    chunks=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    afters=st.lists(st.integers(0, 45), min_size=1, max_size=6),
)
def test_each_stream_sends_the_rounds_after_its_own_once_each_and_the_end(chunks: list[int], afters: list[int]) -> None:
    async def scene() -> list[list[str]]:
        feed = Feed(Record(chunks).news, look_s=0)
        found = await asyncio.gather(*(numbers(feed.follow(1, after, welcome)) for after in afters))
        assert feed.streams == 0
        return found

    rounds = range(1, sum(chunks) + 1)
    expected = [[*(str(number) for number in rounds if number > after), "end"] for after in afters]
    assert asyncio.run(scene()) == expected


def test_a_stream_says_how_the_run_stands_whenever_that_changes() -> None:
    statuses: list[Status] = ["queued", "queued", "running", "running", "queued", "done"]

    async def scene() -> list[str]:
        feed = Feed(lambda known: {run: News(statuses.pop(0), ()) for run in known}, look_s=0)
        return [text async for text in feed.follow(1, 0, welcome)]

    told = [("status", "queued"), ("status", "running"), ("status", "queued"), ("end", "done")]
    assert asyncio.run(scene()) == [f'event: {name}\ndata: {{"status": "{how}"}}\n\n' for name, how in told]


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What is sent to a database meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


class Gate:
    """Lets one look at the record through at a time."""

    def __init__(self, reading: RunReading) -> None:
        self.reading, self.open, self.looks = reading, threading.Semaphore(0), 0

    def news(self, known: Known) -> Mapping[int, News]:
        assert self.open.acquire(timeout=PATIENCE_S)
        self.looks += 1
        return self.reading.news(known)


@pytest.fixture
def run(database: Database) -> int:
    return RunRecord(database).start(RunStart("digits", "cnn", "fedavg", 0, {}, 2, "pool"))


def add(database: Database, run: int, *rounds: int) -> None:
    for number in rounds:
        RunRecord(database).add_round(run, RoundResult(number, "float", datetime.now(UTC), 1.0, 1.0, 2, 2, 10))


def test_fifty_streams_make_one_query_a_look(database: Database, run: int) -> None:
    gate = Gate(RunReading(database))
    add(database, run, 1, 2)

    async def scene() -> list[list[str]]:
        feed = Feed(gate.news, look_s=0)
        streams = [asyncio.create_task(numbers(feed.follow(run, place % 4, welcome), 4)) for place in range(STREAMS)]
        await until(lambda: feed.streams == STREAMS)
        for number in (3, 4, 5, 6, 7):
            gate.open.release()
            await until(lambda number=number: gate.looks == number - 2)  # type: ignore[misc] # a lambda's default
            await asyncio.to_thread(add, database, run, number)
        with statements(database) as seen:
            gate.open.release()
            await asyncio.gather(*streams)
        assert len(seen) == gate.looks - 5 == 1
        gate.open.release()  # the look that was under way when the last of them went
        await until(lambda: len(asyncio.all_tasks()) == 1)
        return [await each for each in streams]

    found = asyncio.run(scene())
    assert found == [[str(place % 4 + 1 + more) for more in range(4)] for place in range(STREAMS)]


def test_two_runs_are_read_by_one_query_and_nobody_hears_of_the_other(database: Database, run: int) -> None:
    other = RunRecord(database).start(RunStart("digits", "cnn", "fedavg", 0, {}, 2, "pool"))
    add(database, run, 1, 2)
    add(database, other, 1, 2, 3)
    RunRecord(database).fail(other, "for this test")
    with statements(database) as seen:
        found = RunReading(database).news({run: 1, other: 0, 99: 0})
    assert len(seen) == 1
    assert {number: (news.status, [each.number for each in news.rounds]) for number, news in found.items()} == {
        run: ("running", [2]),
        other: ("failed", [1, 2, 3]),
    }


def test_who_goes_leaves_nothing_behind_and_nothing_is_read_for_nobody() -> None:
    looks = 0

    def news(known: Known) -> Mapping[int, News]:
        nonlocal looks
        looks += 1
        return {run: News("running", ()) for run in known}

    async def scene() -> None:
        feed = Feed(news, look_s=0.01)
        streams = [asyncio.create_task(numbers(feed.follow(place % 3, 0, welcome))) for place in range(STREAMS)]
        await until(lambda: looks > 2)
        assert feed.streams == STREAMS
        for each in streams:
            each.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        assert feed.streams == 0
        await until(lambda: len(asyncio.all_tasks()) == 1)  # this one: nobody reads on
        before = looks
        await asyncio.sleep(0.05)
        assert looks == before

    asyncio.run(scene())


def test_who_comes_after_the_end_is_told_how_the_run_stands_then(database: Database, run: int) -> None:
    RunRecord(database).stop(run)

    async def scene() -> None:
        feed = Feed(RunReading(database).news, look_s=0.01)
        assert await numbers(feed.follow(run, 0, welcome)) == ["end"]
        await asyncio.to_thread(RunRecord(database).resume, run)
        await asyncio.to_thread(add, database, run, 1)
        assert await numbers(feed.follow(run, 0, welcome), 1) == ["1"]

    asyncio.run(scene())


def test_a_record_that_cannot_be_read_for_a_while_cuts_nobody_off(caplog: pytest.LogCaptureFixture) -> None:
    record, failures = Record([2, 1]), 3

    def news(known: Known) -> Mapping[int, News]:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StorageError("cannot read the database")
        return record.news(known)

    async def scene() -> list[str]:
        return await numbers(Feed(news, look_s=0.01).follow(1, 0, welcome))

    assert asyncio.run(scene()) == ["1", "2", "3", "end"]
    assert "cannot be followed" in caplog.text


def test_a_silent_stream_says_that_it_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ALIVE_S", 0.01)

    async def scene() -> list[str]:
        feed = Feed(lambda known: {run: News("running", ()) for run in known})
        return await numbers(feed.follow(1, 0, welcome), 2)

    assert asyncio.run(scene()) == [": still here"] * 2


@pytest.mark.parametrize("refusal", [AuthenticationError, ForbiddenError, NotFoundError])
@pytest.mark.parametrize("is_silent", [True, False])
def test_who_may_follow_no_more_is_cut_off_also_from_a_run_that_is_never_silent(
    monkeypatch: pytest.MonkeyPatch, refusal: type[HandfedError], is_silent: bool
) -> None:
    monkeypatch.setattr(events, "ALIVE_S", 0.02)
    threads: list[threading.Thread] = []

    def news(known: Known) -> Mapping[int, News]:
        return {run: News("running", () if is_silent else (a_round(last + 1),)) for run, last in known.items()}

    def look_again() -> None:
        threads.append(threading.current_thread())
        if len(threads) == 3:
            raise refusal("not any more")

    async def scene() -> list[str]:
        feed = Feed(news, look_s=0.001)
        async with asyncio.timeout(PATIENCE_S):
            found = await numbers(feed.follow(1, 0, look_again))
        assert feed.streams == 0
        return found

    found = asyncio.run(scene())
    assert len(threads) == 3
    assert threading.main_thread() not in threads
    assert found.count(": still here") == 2
    assert "end" not in found


def test_who_cannot_be_looked_up_for_a_while_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ALIVE_S", 0.01)

    def look_again() -> None:
        raise StorageError("cannot read the database")

    async def scene() -> list[str]:
        feed = Feed(lambda known: {run: News("running", ()) for run in known})
        return await numbers(feed.follow(1, 0, look_again), 2)

    assert asyncio.run(scene()) == [": still here"] * 2


def test_clients_that_hang_up_leave_no_stream_behind(
    sqlite_services: Services, sqlite_database: Database, tmp_path: Path
) -> None:
    run = RunRecord(sqlite_database).start(RunStart("digits", "cnn", "fedavg", 0, {}, 2, "pool"))
    add(sqlite_database, run, 1)
    headers = by_token(sqlite_services.tokens.add(ADA, "Vi", "viewer").secret)

    async def scene() -> None:
        async with served(sqlite_services, tmp_path) as (client, feed):
            await asyncio.gather(*(first_event(client, feed) for _ in range(5)))
            await until(lambda: feed.streams == 0)

    async def first_event(client: httpx.AsyncClient, feed: Feed) -> None:
        async with client.stream("GET", f"/api/v1/runs/{run}/events", headers=headers) as response:
            async for line in response.aiter_lines():
                assert line == "event: status"
                assert feed.streams
                return

    asyncio.run(scene())


@pytest.mark.parametrize("way", ["token", "session", "logged out"])
def test_a_stream_ends_with_its_token_or_session(
    sqlite_services: Services, sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(events, "ALIVE_S", 0.05)
    run = RunRecord(sqlite_database).start(RunStart("digits", "cnn", "fedavg", 0, {}, 2, "pool"))
    token = sqlite_services.tokens.add(ADA, "Vi", "viewer")
    session = sqlite_services.sessions.begin(token.secret, "here").secret
    headers = by_token(token.secret) if way == "token" else by_session(session)

    def end() -> None:
        if way == "logged out":
            sqlite_services.sessions.end(session)
        else:
            sqlite_services.tokens.revoke(ADA, token.token.number)

    async def scene() -> None:
        async with served(sqlite_services, tmp_path) as (client, feed):
            path, seen = f"/api/v1/runs/{run}/events", 0
            async with asyncio.timeout(PATIENCE_S), client.stream("GET", path, headers=headers) as response:
                async for line in response.aiter_lines():
                    seen += line == ": still here"
                    if seen == 2:  # it goes on as long as they may
                        await asyncio.to_thread(end)
                        seen += 1
            assert seen >= 3
            await until(lambda: feed.streams == 0)
            assert (await client.get(path, headers=headers)).status_code == 401

    asyncio.run(scene())


def test_a_token_has_so_many_streams_at_once_and_its_sessions_count(
    sqlite_services: Services, sqlite_database: Database, tmp_path: Path
) -> None:
    run = RunRecord(sqlite_database).start(RunStart("digits", "cnn", "fedavg", 0, {}, 2, "pool"))
    token, other = (sqlite_services.tokens.add(ADA, name, "viewer").secret for name in ("Vi", "Wanda"))
    shown = [by_token(token), *(by_session(sqlite_services.sessions.begin(token, "here").secret) for _ in range(2))]

    async def scene() -> None:
        async with served(sqlite_services, tmp_path) as (client, feed), AsyncExitStack() as held:

            async def ask(headers: dict[str, str], stack: AsyncExitStack) -> httpx.Response:
                stream = client.stream("GET", f"/api/v1/runs/{run}/events", headers=headers)
                return await stack.enter_async_context(stream)

            async with AsyncExitStack() as first:
                for place in range(MOST_STREAMS):
                    stack = held if place else first
                    assert (await ask(shown[place % len(shown)], stack)).status_code == 200
                for headers in shown:
                    refused = await ask(headers, held)
                    assert refused.status_code == 429
                    assert int(refused.headers["retry-after"]) > 0
                    problem = json.loads(await refused.aread())
                    assert problem["type"] == "/api/v1/problems/too-many-streams"
                assert (await ask(by_token(other), held)).status_code == 200
                await until(lambda: feed.streams == MOST_STREAMS + 1)
            await until(lambda: feed.streams == MOST_STREAMS)  # one hung up, and its place is free
            assert (await ask(shown[0], held)).status_code == 200
            assert (await ask(shown[0], held)).status_code == 429

    asyncio.run(scene())


def by_token(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def by_session(secret: str) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={secret}"}


@asynccontextmanager
async def served(services: Services, data_dir: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Feed]]:
    """A server of these services: what asks it, and its streams."""
    app = create_app(ServerSettings(data_dir=data_dir, database="sqlite:///unused", address="here"), services)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            yield client, app.state.feed
    finally:
        server.should_exit = server.force_exit = True  # a test that fails waits for no stream
        await serving
