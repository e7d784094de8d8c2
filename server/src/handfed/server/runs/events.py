"""Runs as they go on, as server-sent events (WHATWG HTML, section 9.2).

    id: 3                   the number of the round: who was cut off asks with it as `Last-Event-ID`, and misses none
    event: round
    data: {"number": 3, ...}

    event: end              the run has ended; there is nothing more to come
    data: {"status": "done"}

Rules:
1. Events are the record itself, read again and again: whatever is on record is sent once, in order.
2. A comment every `ALIVE_S` keeps the line open through proxies.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Final

from starlette.concurrency import run_in_threadpool

from handfed.server.paging import PageRequest
from handfed.server.people.principals import Principal
from handfed.server.runs.answers import RoundGiven
from handfed.server.runs.reading import RunReading

MEDIA_TYPE: Final = "text/event-stream"
ALIVE_S: Final = 15.0
LOOK_S: Final = 1.0
_AT_ONCE: Final = 100


async def follow(
    runs: RunReading, principal: Principal, run: int, after: int, *, look_s: float = LOOK_S
) -> AsyncIterator[str]:
    """The events of a run.

    Args:
        runs: The record.
        principal: Who asks; they may read the run.
        run: Its number.
        after: The round after which they begin.
        look_s: Seconds between two looks at the record.
    """
    sent_at = time.monotonic()
    while True:
        status = (await run_in_threadpool(runs.get, principal, run)).status
        page = await run_in_threadpool(runs.rounds, principal, run, PageRequest(_AT_ONCE, after or None))
        for each in page.items:
            after, sent_at = each.number, time.monotonic()
            yield f"id: {after}\nevent: round\ndata: {RoundGiven.model_validate(each).model_dump_json()}\n\n"
        if page.items:
            continue
        if status not in {"queued", "running"}:
            yield f"event: end\ndata: {json.dumps({'status': status})}\n\n"
            return
        if time.monotonic() - sent_at >= ALIVE_S:
            sent_at = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(look_s)
