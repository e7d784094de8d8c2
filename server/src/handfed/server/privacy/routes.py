"""The route of what leaves a device."""

from __future__ import annotations

from fastapi import APIRouter

from handfed.server.api.authentication import Asking, Wired
from handfed.server.api.problems import refusals
from handfed.server.privacy.leaving import Leaving
from handfed.server.privacy.schemas import LeavingGiven

router = APIRouter(prefix="/privacy", tags=["privacy"])


@router.get("/leaving", response_model=LeavingGiven, responses=refusals(401, 403))
def show_leaving(asking: Asking, services: Wired) -> Leaving:
    """What leaves a device, field by field, with the sizes of the last round."""
    return services.leaving.read(asking)
