"""Routes of comparisons of two releases."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, status

from handfed.server.api.authentication import Asking, Wired
from handfed.server.api.fields import Number
from handfed.server.api.pagination import LINK, Listed, Paging
from handfed.server.api.problems import refusals
from handfed.server.comparisons import schemas
from handfed.server.comparisons.values import Comparison, Outcome

router = APIRouter(prefix="/comparisons", tags=["releases"])


@router.get("", response_model=Listed[schemas.ComparisonGiven], responses={200: LINK, **refusals(401, 403, 422)})
def list_comparisons(asking: Asking, services: Wired, paging: Paging) -> dict[str, Any]:
    """Comparisons of two releases, newest first."""
    del asking  # releases are everybody's who has a token
    return paging.answer(services.comparisons.list(paging.wanted))


@router.post(
    "",
    response_model=schemas.ComparisonGiven,
    status_code=status.HTTP_201_CREATED,
    responses=refusals(401, 403, 404, 409, 413, 422),
)
def start_comparison(asking: Asking, services: Wired, wanted: schemas.ComparisonWanted) -> Comparison:
    """Has two groups of devices use two releases; it takes an operator of the federation."""
    return services.comparisons.start(asking, wanted.release_a, wanted.release_b, wanted.percent)


@router.get("/{number}", response_model=schemas.OutcomeGiven, responses=refusals(401, 403, 404, 422))
def show_comparison(asking: Asking, services: Wired, number: Number) -> Outcome:
    """What came of a comparison; it takes a token for the whole federation."""
    return services.comparisons.outcome(asking, number)


@router.post("/{number}/end", response_model=schemas.ComparisonGiven, responses=refusals(401, 403, 404, 409, 422))
def end_comparison(asking: Asking, services: Wired, number: Number) -> Comparison:
    """Has devices follow their channels again; it takes an operator of the federation."""
    return services.comparisons.end(asking, number)
