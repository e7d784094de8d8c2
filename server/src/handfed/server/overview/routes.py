"""The route of the overview."""

from __future__ import annotations

from fastapi import APIRouter

from handfed.server.api.authentication import Asking, Wired
from handfed.server.api.problems import refusals
from handfed.server.overview.schemas import OverviewGiven
from handfed.server.overview.values import Overview

router = APIRouter(tags=["overview"])


@router.get("/overview", response_model=OverviewGiven, responses=refusals(401, 403))
def show_overview(asking: Asking, services: Wired) -> Overview:
    """What runs, what was released, which devices are there, and what needs a person."""
    return services.overview.read(asking)
