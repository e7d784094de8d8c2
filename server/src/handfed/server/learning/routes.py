"""Routes of learning: what is set, and why a run would be started now, or not."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from handfed.server.api.authentication import Asking, Wired
from handfed.server.api.pagination import LINK, Listed, Paging
from handfed.server.api.problems import refusals
from handfed.server.learning import schemas
from handfed.server.learning.values import Explanation, Policy

router = APIRouter(prefix="/learning", tags=["learning"])
Task = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="What is recognised.", examples=["digits"])
]


@router.get("", response_model=schemas.PoliciesGiven, responses=refusals(401, 403))
def list_policies(asking: Asking, services: Wired) -> dict[str, list[Policy]]:
    """When the server starts runs by itself, by task."""
    del asking  # what is set is everybody's who has a token
    return {"policies": services.policies.every()}


@router.get("/{task}", response_model=schemas.PolicyGiven, responses=refusals(401, 403, 404, 422))
def show_policy(asking: Asking, services: Wired, task: Task) -> Policy:
    """What is set of one task; the defaults, disabled, where nothing is."""
    del asking
    return services.policies.get(task)


@router.patch("/{task}", response_model=schemas.PolicyGiven, responses=refusals(401, 403, 404, 409, 413, 422))
def set_policy(asking: Asking, services: Wired, task: Task, wanted: schemas.PolicyWanted) -> Policy:
    """Changes some settings; it takes an operator of the federation."""
    return services.policies.change(asking, task, wanted.settings, wanted.run_settings)


@router.post("/{task}/enable", response_model=schemas.PolicyGiven, responses=refusals(401, 403, 404, 409, 422))
def enable_policy(asking: Asking, services: Wired, task: Task) -> Policy:
    """Has the server start runs of a task by itself; it takes an operator of the federation."""
    return services.policies.enable(asking, task, enabled=True)


@router.post("/{task}/disable", response_model=schemas.PolicyGiven, responses=refusals(401, 403, 404, 409, 422))
def disable_policy(asking: Asking, services: Wired, task: Task) -> Policy:
    """Has the server start no more runs of a task by itself; it takes an operator of the federation."""
    return services.policies.enable(asking, task, enabled=False)


@router.get("/{task}/explanation", response_model=schemas.ExplanationGiven, responses=refusals(401, 403, 404, 422))
def explain_policy(asking: Asking, services: Wired, task: Task) -> Explanation:
    """Why a run would be started now, or not, condition by condition; it takes a token for the whole federation."""
    return services.policies.explain(asking, task)


@router.get(
    "/{task}/waiting",
    response_model=Listed[schemas.WaitingGiven],
    responses={200: LINK, **refusals(401, 403, 422)},
)
def list_waiting(asking: Asking, services: Wired, task: Task, paging: Paging) -> dict[str, Any]:
    """What waits for a run on each device that the token reaches and that told of it, in order of number."""
    return paging.answer(services.waiting.list(asking, task, paging.wanted))
