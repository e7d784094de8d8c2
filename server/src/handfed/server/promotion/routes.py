"""Routes of releases on their way to devices, and of what devices report of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from handfed.server.api.authentication import Address, Asking, Wired
from handfed.server.api.fields import Number
from handfed.server.api.pagination import LINK, Listed, Paging
from handfed.server.api.problems import refusals
from handfed.server.promotion import schemas
from handfed.server.promotion.values import PromotedRelease, Standing
from handfed.shared.promotion.rules import Action

router = APIRouter(tags=["releases"])


@router.get(
    "/promotions", response_model=Listed[schemas.PromotionGiven], responses={200: LINK, **refusals(401, 403, 422)}
)
def list_promotions(asking: Asking, services: Wired, paging: Paging) -> dict[str, Any]:
    """Releases that devices can get and how far each has come, newest first."""
    del asking  # releases are everybody's who has a token
    return paging.answer(services.promotions.list(paging.wanted))


@router.get(
    "/releases/{number}/promotion", response_model=schemas.PromotionGiven, responses=refusals(401, 403, 404, 422)
)
def show_promotion(asking: Asking, services: Wired, number: Number) -> PromotedRelease:
    """How far one release has come."""
    del asking
    return services.promotions.get(number)


@router.get("/releases/{number}/evidence", response_model=schemas.EvidenceGiven, responses=refusals(401, 403, 404, 422))
def show_evidence(asking: Asking, services: Wired, number: Number) -> Standing:
    """How a release does against its champion, over all devices that have reported."""
    del asking
    return services.promotions.evidence(number)


@router.get(
    "/device-reports",
    response_model=Listed[schemas.DeviceReportGiven],
    responses={200: LINK, **refusals(401, 403, 422)},
)
def list_reports(asking: Asking, services: Wired, paging: Paging) -> dict[str, Any]:
    """What devices that the token reaches said of releases last, in order of the device's number."""
    return paging.answer(services.reports.list(asking, paging.wanted))


@router.post(
    "/releases/{number}/promotion/{action}",
    response_model=schemas.PromotionGiven,
    responses=refusals(401, 403, 404, 409, 413, 422),
)
def decide(
    asking: Asking,
    services: Wired,
    number: Number,
    action: Annotated[Action, Path(description="What to do with it.")],
    decision: schemas.Decision,
) -> PromotedRelease:
    """Promotes a release by a step, pauses it, takes it back from everybody, or pins it; takes an operator."""
    return services.promotions.by_hand(asking, number, action, decision.why)


@router.post(
    "/devices/{number}/report",
    response_model=schemas.ReportTaken,
    responses=refusals(401, 403, 404, 409, 413, 422, 429),
)
def report(services: Wired, address: Address, number: Number, sent: schemas.ReportSent) -> dict[str, int]:
    """Takes what a device says of releases, without a token: its key has signed it."""
    return {"sequence": services.reports.take(number, sent.report, sent.signature, address)}


@router.get("/devices/{number}/pins", response_model=schemas.PinsGiven, responses=refusals(401, 403, 404, 422))
def show_pins(asking: Asking, services: Wired, number: Number) -> dict[str, dict[str, int]]:
    """What one device is to use, whatever its channels say."""
    return {"pins": services.pins.of(asking, number)}


@router.post(
    "/devices/{number}/pin", response_model=schemas.PinsGiven, responses=refusals(401, 403, 404, 409, 413, 422)
)
def pin_device(asking: Asking, services: Wired, number: Number, wanted: schemas.PinWanted) -> dict[str, dict[str, int]]:
    """Has one device use a release, whatever its channel says; takes an operator."""
    services.pins.pin(asking, number, wanted.release)
    return {"pins": services.pins.of(asking, number)}


@router.post("/devices/{number}/unpin", response_model=schemas.PinsGiven, responses=refusals(401, 403, 404, 409, 422))
def unpin_device(asking: Asking, services: Wired, number: Number) -> dict[str, dict[str, int]]:
    """Has one device follow its channels again; takes an operator."""
    services.pins.unpin(asking, number)
    return {"pins": services.pins.of(asking, number)}
