"""The route that Prometheus scrapes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from handfed.server.api.authentication import Asking
from handfed.server.api.problems import refusals
from handfed.server.metrics.exposition import Exposition

router = APIRouter(tags=["metrics"])


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={
        200: {"description": "As the Accept header asks: Prometheus' text format 0.0.4, or OpenMetrics 1.0."},
        **refusals(401, 403),
    },
)
def show_metrics(asking: Asking, request: Request) -> Response:
    """What Prometheus scrapes; for a viewer of the whole federation."""
    asking.require_federation("viewer")
    found = request.app.state.metrics
    if not isinstance(found, Exposition):
        raise TypeError("an app is made by create_app")
    content, media_type = found.encoded(request.headers.get("accept", ""))
    return Response(content, headers={"Content-Type": media_type})
