"""Routes of runs; who may read what is the service's to say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, status
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from handfed.server.api.authentication import Asking, Wired, authenticated
from handfed.server.api.fields import Number
from handfed.server.api.pagination import LINK, MAX_NUMBER, Listed, Paging
from handfed.server.api.problems import refusals
from handfed.server.runs.answers import (
    LiveRoundGiven,
    ParticipantGiven,
    RejectionGiven,
    RoundGiven,
    RoundInDetailGiven,
    RunGiven,
    RunWanted,
    round_as_json,
)
from handfed.server.runs.events import MEDIA_TYPE, Feed
from handfed.server.runs.schemas import LiveRound, RecordedRun, RoundInDetail, Status
from handfed.shared import alphabets

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("", response_model=Listed[RunGiven], responses={200: LINK, **refusals(401, 403, 422)})
def list_runs(
    asking: Asking,
    services: Wired,
    paging: Paging,
    status: Annotated[Status | None, Query(description="Only runs that stand so.")] = None,
) -> dict[str, Any]:
    """Runs, newest first."""
    return paging.answer(services.runs.list(asking, paging.wanted, status=status))


@router.get("/{number}", response_model=RunGiven, responses=refusals(401, 403, 404, 422))
def show_run(asking: Asking, services: Wired, number: Number) -> RecordedRun:
    """One run; totals only, for who reaches over one organisation."""
    return services.runs.get(asking, number)


@router.get(
    "/{number}/rounds", response_model=Listed[RoundGiven], responses={200: LINK, **refusals(401, 403, 404, 422)}
)
def list_rounds(asking: Asking, services: Wired, number: Number, paging: Paging) -> Response:
    """The rounds of a run, in order."""
    return paging.written(services.runs.rounds(asking, number, paging.wanted), round_as_json)


@router.get(
    "/{number}/rounds/{round_number}", response_model=RoundInDetailGiven, responses=refusals(401, 403, 404, 422)
)
def show_round(asking: Asking, services: Wired, number: Number, round_number: Number) -> RoundInDetail:
    """One round, and how accuracy differs between devices."""
    return services.participants.round(asking, number, round_number)


@router.get(
    "/{number}/rounds/{round_number}/devices",
    response_model=Listed[ParticipantGiven],
    responses={200: LINK, **refusals(401, 403, 404, 422)},
)
def list_participants(
    asking: Asking, services: Wired, number: Number, round_number: Number, paging: Paging
) -> dict[str, Any]:
    """What each device that the token reaches did in a round of the federation; none of a secure run."""
    return paging.answer(services.participants.list(asking, number, round_number, paging.wanted))


@router.get("/{number}/live", response_model=LiveRoundGiven, responses=refusals(401, 403, 404, 422))
def show_live(asking: Asking, services: Wired, number: Number) -> LiveRound:
    """What devices do for a run just now; by device, those that the token reaches."""
    return services.participants.live(asking, number)


@router.get(
    "/{number}/rejections",
    response_model=Listed[RejectionGiven],
    responses={200: LINK, **refusals(401, 403, 404, 422)},
)
def list_rejections(asking: Asking, services: Wired, number: Number, paging: Paging) -> dict[str, Any]:
    """The replies of a run that were not used; takes a token for the whole federation."""
    return paging.answer(services.runs.rejections(asking, number, paging.wanted))


@router.post(
    "", response_model=RunGiven, status_code=status.HTTP_201_CREATED, responses=refusals(401, 403, 409, 413, 422)
)
def start_run(asking: Asking, services: Wired, wanted: RunWanted) -> RecordedRun:
    """Puts a run in the queue; one goes on at a time. It takes an operator of the federation."""
    alphabet = None if wanted.alphabet is None else alphabets.find(wanted.alphabet)
    return services.run_control.start(asking, wanted.task, wanted.settings, alphabet=alphabet)


@router.post("/{number}/stop", response_model=RunGiven, responses=refusals(401, 403, 404, 409, 422))
def stop_run(asking: Asking, services: Wired, number: Number) -> RecordedRun:
    """Ends a run that waits or goes on; its rounds stay, and it can be resumed."""
    services.run_control.stop(asking, number)
    return services.runs.get(asking, number)


@router.post("/{number}/resume", response_model=RunGiven, responses=refusals(401, 403, 404, 409, 422))
def resume_run(asking: Asking, services: Wired, number: Number) -> RecordedRun:
    """Puts a run that was stopped or failed in the queue again; it goes on after its last round."""
    services.run_control.resume(asking, number)
    return services.runs.get(asking, number)


def _feed(request: Request) -> Feed:
    """Where the streams of this server come from."""
    found = request.app.state.feed
    if not isinstance(found, Feed):
        raise TypeError("an app is made by create_app")
    return found


class _EventStream(StreamingResponse):
    """A stream that takes its place before it begins, and gives it back also where nobody reads it."""

    def __init__(self, events: AsyncIterator[str], place: AbstractContextManager[None]) -> None:
        super().__init__(events, media_type=MEDIA_TYPE)
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            await super().__call__(scope, receive, send)


@router.get(
    "/{number}/events",
    response_class=StreamingResponse,
    responses={
        200: {"description": "Rounds as they end.", "content": {MEDIA_TYPE: {}}},
        **refusals(401, 403, 404, 422, 429),
    },
)
def follow_run(
    request: Request,
    asking: Asking,
    services: Wired,
    number: Number,
    last_event_id: Annotated[int, Header(ge=0, le=MAX_NUMBER, description="The last event that was received.")] = 0,
) -> StreamingResponse:
    """The rounds of a run as server-sent events, `round` for each and `end` when the run has ended."""
    services.runs.get(asking, number)  # who may not read it is told before the stream begins
    feed = _feed(request)
    events = feed.follow(number, last_event_id, lambda: services.runs.get(authenticated(request), number))
    return _EventStream(events, feed.place(asking.token))
