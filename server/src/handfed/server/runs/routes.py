"""Routes of runs; who may read what is the service's to say."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from handfed.server.api.authentication import Asking, Wired
from handfed.server.api.fields import Number
from handfed.server.api.pagination import LINK, Listed, Paging
from handfed.server.api.problems import refusals
from handfed.server.runs.answers import RejectionGiven, RoundGiven, RunGiven
from handfed.server.runs.schemas import RecordedRun, Status

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
def list_rounds(asking: Asking, services: Wired, number: Number, paging: Paging) -> dict[str, Any]:
    """The rounds of a run, in order."""
    return paging.answer(services.runs.rounds(asking, number, paging.wanted))


@router.get(
    "/{number}/rejections",
    response_model=Listed[RejectionGiven],
    responses={200: LINK, **refusals(401, 403, 404, 422)},
)
def list_rejections(asking: Asking, services: Wired, number: Number, paging: Paging) -> dict[str, Any]:
    """The replies of a run that were not used; takes a token for the whole federation."""
    return paging.answer(services.runs.rejections(asking, number, paging.wanted))
