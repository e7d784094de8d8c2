"""Runs as they go on, as server-sent events (WHATWG HTML, section 9.2).

    id: 3                   the number of the round: who was cut off asks with it as `Last-Event-ID`, and misses none
    event: round
    data: {"number": 3, ...}

    event: status           how the run stands now; sent at first, and again when it has changed
    data: {"status": "running"}

    event: end              the run has ended; there is nothing more to come
    data: {"status": "done"}

Rules:
1. Events are the record itself, read again and again: whatever is on record is sent once, in order.
2. All streams of a server share one reader of the record, which makes one query every `LOOK_S` however many there are,
   and none while there is no stream.
3. A comment every `ALIVE_S` keeps the line open through proxies, also while the record cannot be read.
4. Every `ALIVE_S`, also of a run that is never silent, it is looked whether who follows may do so still. Who may not is
   cut off, and told why when they ask again.
5. A token has `MOST_STREAMS` at once: each is an open file of the server, which devices need as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from handfed.server.api.errors import TooManyStreamsError
from handfed.server.runs.answers import round_as_json
from handfed.server.runs.schemas import News, RecordedRound, Status
from handfed.shared.errors import HandfedError, StorageError

MEDIA_TYPE: Final = "text/event-stream"
ALIVE_S: Final = 15.0
LOOK_S: Final = 1.0
MOST_STREAMS: Final = 20
_log = logging.getLogger(__name__)


class Feed:
    """Where the streams of a server come from; for one event loop at a time.

    Args:
        news: Tells what is new of runs, given the last round that is known of each (`RunReading.news`); it may block.
        look_s: Seconds between two looks at the record.
    """

    def __init__(self, news: Callable[[Mapping[int, int]], Mapping[int, News]], *, look_s: float = LOOK_S) -> None:
        self._news, self._look_s = news, look_s
        self._followed: dict[int, _Followed] = {}
        self._places: Counter[int | None] = Counter()  # taken, by token
        self._is_wanted = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    @property
    def streams(self) -> int:
        """How many wait for something new."""
        return sum(followed.streams for followed in self._followed.values())

    @contextmanager
    def place(self, token: int | None) -> Iterator[None]:
        """A place for a stream, taken until it is left.

        Args:
            token: Number of the token of who follows.

        Raises:
            TooManyStreamsError: The token has as many streams as it may have.
        """
        if self._places[token] >= MOST_STREAMS:
            message = f"this token follows {MOST_STREAMS} times already, and may not more often: end one of its streams"
            raise TooManyStreamsError(message, int(ALIVE_S))
        self._places[token] += 1
        try:
            yield
        finally:
            self._places[token] -= 1
            if not self._places[token]:
                del self._places[token]

    async def follow(self, run: int, after: int, look_again: Callable[[], object]) -> AsyncIterator[str]:
        """The events of a run, until it ends or who follows may do so no more.

        Args:
            run: Its number; there is such a run, and who asks may read it.
            after: The round after which they begin.
            look_again: Looks whether they may read it still, and raises a `HandfedError` where not; it may block.
        """
        followed, clock = self._join(run), asyncio.get_running_loop().time
        told: Status | None = None
        due = clock() + ALIVE_S
        try:
            while True:
                if clock() >= due:
                    if not await _is_welcome(look_again):
                        return
                    due = clock() + ALIVE_S
                    yield ": still here\n\n"
                changed = followed.changed
                if followed.status != told and not followed.is_over:
                    told = followed.status
                    yield _event("status", {"status": told})
                later = followed.after(after)
                if later:  # all at once: who comes late to a long run is sent its rounds in one piece
                    after = later[-1][0]
                    yield "".join(text for _, text in later)
                if changed is not followed.changed:  # while that was sent
                    continue
                if followed.is_over:
                    yield _event("end", {"status": followed.status})
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await changed.wait()
        finally:
            self._leave(run, followed)

    def _join(self, run: int) -> _Followed:
        if self._reader is None or self._reader.done():
            self._is_wanted = asyncio.Event()  # the one before may be of another event loop
            self._reader = asyncio.create_task(self._read())
        if run not in self._followed:
            self._followed[run] = _Followed()
            self._is_wanted.set()
        followed = self._followed[run]
        followed.streams += 1
        return followed

    def _leave(self, run: int, followed: _Followed) -> None:
        followed.streams -= 1
        if not followed.streams:
            self._drop(run, followed)

    def _drop(self, run: int, followed: _Followed) -> None:
        if self._followed.get(run) is followed:
            del self._followed[run]

    async def _read(self) -> None:
        """Reads for all, until nobody follows anything."""
        while self._followed:
            self._is_wanted.clear()
            asked = dict(self._followed)
            known = {run: followed.number for run, followed in asked.items()}
            try:
                found = await run_in_threadpool(self._news, known)
            except HandfedError as error:
                _log.warning("runs cannot be followed just now: %s", error)
                found = {}
            for run, news in found.items():
                asked[run].take(news)
                if asked[run].is_over:  # who follows it from now on is told how it stands then
                    self._drop(run, asked[run])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_wanted.wait(), self._look_s)


class _Followed:
    """A run that somebody follows: its rounds as events, in order.

    Attributes:
        streams: How many follow it.
        status: How it stands; None before the first look.
        changed: Set, and replaced, when there is something to tell.
    """

    def __init__(self) -> None:
        self.streams = 0
        self.status: Status | None = None
        self.changed = asyncio.Event()
        self._rounds: list[tuple[int, str]] = []

    @property
    def number(self) -> int:
        """The last round that is known."""
        return self._rounds[-1][0] if self._rounds else 0

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.status not in {None, "queued", "running"}

    def after(self, number: int) -> list[tuple[int, str]]:
        """The numbers and events of the rounds after one."""
        return self._rounds[bisect_right(self._rounds, number, key=itemgetter(0)) :]

    def take(self, news: News) -> None:
        """Takes up what is new."""
        self._rounds += [(each.number, _round(each)) for each in news.rounds]
        is_other, self.status = news.status != self.status, news.status
        if news.rounds or is_other:
            changed, self.changed = self.changed, asyncio.Event()
            changed.set()


async def _is_welcome(look_again: Callable[[], object]) -> bool:
    try:
        await run_in_threadpool(look_again)
    except StorageError:  # nobody can tell now, and nothing new of the run is read either
        return True
    except HandfedError:
        return False
    return True


def _event(name: str, data: Mapping[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _round(each: RecordedRound) -> str:
    return f"id: {each.number}\nevent: round\ndata: {round_as_json(each)}\n\n"
