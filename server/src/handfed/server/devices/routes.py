"""Routes of invitations and devices; who may do what is the services' to say."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, status

from handfed.server.api.authentication import Address, Asking, Configured, Wired
from handfed.server.api.fields import Number
from handfed.server.api.pagination import LINK, MAX_NUMBER, Listed, Paging
from handfed.server.api.problems import refusals
from handfed.server.devices import qr, schemas
from handfed.server.devices.codes import code_of, read_authority
from handfed.server.devices.values import Device, DeviceState, Enrolled, Invitation
from handfed.server.registry.files import newest_root, registry_in
from handfed.server.settings import ServerSettings

router = APIRouter(tags=["devices"])


@router.get(
    "/invitations", response_model=Listed[schemas.InvitationGiven], responses={200: LINK, **refusals(401, 403, 422)}
)
def list_invitations(asking: Asking, services: Wired, paging: Paging) -> dict[str, Any]:
    """Invitations that the token reaches, in order of number."""
    return paging.answer(services.invitations.list(asking, paging.wanted))


@router.post(
    "/invitations",
    response_model=schemas.NewInvitationGiven,
    status_code=status.HTTP_201_CREATED,
    responses=refusals(401, 403, 404, 409, 413, 422),
)
def invite(
    asking: Asking, services: Wired, settings: Configured, wanted: schemas.InvitationWanted
) -> dict[str, object]:
    """Invites a device into an organisation; takes an operator. The code is shown this once."""
    read_authority(settings.authority)  # before anything is written: without it there is no code
    new = services.invitations.invite(
        asking,
        wanted.organisation,
        expires_in=timedelta(seconds=wanted.expires_in_s),
        max_samples=wanted.max_samples,
        name=wanted.name,
    )
    code = code_of(new.secret, settings)
    return {"invitation": new.invitation, "code": code, "picture": qr.svg(code)}


@router.get("/invitations/{number}", response_model=schemas.InvitationGiven, responses=refusals(401, 403, 404, 422))
def show_invitation(asking: Asking, services: Wired, number: Number) -> Invitation:
    """One invitation."""
    return services.invitations.get(asking, number)


@router.post(
    "/invitations/{number}/withdraw",
    response_model=schemas.InvitationGiven,
    responses=refusals(401, 403, 404, 409, 422),
)
def withdraw_invitation(asking: Asking, services: Wired, number: Number) -> Invitation:
    """Takes an invitation back that no device has used; takes an operator."""
    return services.invitations.withdraw(asking, number)


@router.post(
    "/enrolments",
    response_model=schemas.EnrolledGiven,
    status_code=status.HTTP_201_CREATED,
    responses=refusals(401, 403, 404, 409, 413, 422, 429),
)
def enrol(
    services: Wired, settings: Configured, address: Address, wanted: schemas.EnrolmentWanted
) -> dict[str, object]:
    """Lets a device in with an invitation's secret, without a token. The same key may ask again."""
    enrolled = services.enrolment.enrol(
        bytes.fromhex(wanted.secret), wanted.public_key, wanted.name, wanted.versions, address, proof=wanted.proof
    )
    return _told(enrolled, settings)


@router.get("/devices", response_model=Listed[schemas.DeviceGiven], responses={200: LINK, **refusals(401, 403, 422)})
def list_devices(
    asking: Asking,
    services: Wired,
    paging: Paging,
    organisation: Annotated[
        int | None, Query(ge=1, le=MAX_NUMBER, description="Only those of this organisation.")
    ] = None,
    state: Annotated[DeviceState | None, Query(description="Only those in this state.")] = None,
) -> dict[str, Any]:
    """Devices that the token reaches, in order of number."""
    page = services.devices.list(asking, paging.wanted, organisation=organisation, state=state)
    return paging.answer(page)


@router.get("/devices/{number}", response_model=schemas.DeviceGiven, responses=refusals(401, 403, 404, 422))
def show_device(asking: Asking, services: Wired, number: Number) -> Device:
    """One device."""
    return services.devices.get(asking, number)


@router.get(
    "/devices/{number}/history",
    response_model=Listed[schemas.ParticipationGiven],
    responses={200: LINK, **refusals(401, 403, 404, 422)},
)
def list_participations(asking: Asking, services: Wired, number: Number, paging: Paging) -> dict[str, Any]:
    """What a device did in each run, newest first; runs of visibility secure are not in it."""
    return paging.answer(services.history.list(asking, number, paging.wanted))


@router.patch("/devices/{number}", response_model=schemas.DeviceGiven, responses=refusals(401, 403, 404, 409, 413, 422))
def rename_device(asking: Asking, services: Wired, number: Number, wanted: schemas.DeviceName) -> Device:
    """Gives a device another name; takes an operator."""
    return services.devices.rename(asking, number, wanted.name)


@router.post(
    "/devices/{number}/revoke", response_model=schemas.DeviceGiven, responses=refusals(401, 403, 404, 409, 422)
)
def revoke_device(asking: Asking, services: Wired, number: Number) -> Device:
    """Lets a device in no more, for good; takes an operator."""
    return services.devices.revoke(asking, number)


@router.post(
    "/devices/{number}/rotate",
    response_model=schemas.EnrolledGiven,
    responses=refusals(401, 403, 404, 409, 413, 422, 429),
)
def rotate_key(
    services: Wired, settings: Configured, address: Address, number: Number, wanted: schemas.RotationWanted
) -> dict[str, object]:
    """Replaces a device's key, without a token: it signs with the old key and with the new one."""
    enrolled = services.enrolment.rotate(number, wanted.public_key, wanted.old_signature, wanted.new_signature, address)
    return _told(enrolled, settings)


def _told(enrolled: Enrolled, settings: ServerSettings) -> dict[str, object]:
    root = newest_root(registry_in(settings.data_dir))
    trusted = {"registry_root": None if root is None else root.decode()}
    return {**asdict(enrolled.device), "organisation_name": enrolled.organisation_name, **trusted}
