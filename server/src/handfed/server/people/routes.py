"""Routes of organisations and tokens; who may do what is the services' to say."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response, status

from handfed.server.api.authentication import COOKIE, Address, Asking, Wired, refuse_other_sites
from handfed.server.api.fields import Number
from handfed.server.api.pagination import LINK, Listed, Paging
from handfed.server.api.problems import refusals
from handfed.server.people import schemas
from handfed.server.people.principals import Principal
from handfed.server.people.sessions import LIFE
from handfed.server.people.values import NewToken, Organisation, Token

router = APIRouter(tags=["people"])


@router.get("/me", response_model=schemas.Me, responses=refusals(401))
async def show_me(asking: Asking) -> Principal:
    """Whose token this is, and what it reaches."""
    return asking


@router.post(
    "/session",
    response_model=schemas.SessionGiven,
    status_code=status.HTTP_201_CREATED,
    responses=refusals(401, 403, 409, 413, 422, 429),
)
def log_in(
    request: Request, response: Response, services: Wired, address: Address, wanted: schemas.SessionWanted
) -> dict[str, object]:
    """Logs a browser in: the answer sets a cookie that no script reads, and which lasts 12 hours at most."""
    refuse_other_sites(request)
    begun = services.sessions.begin(wanted.token, address)
    seconds = int(LIFE.total_seconds())
    response.set_cookie(COOKIE, begun.secret, seconds, path="/", secure=True, httponly=True, samesite="strict")
    return {**asdict(begun.principal), "expires_at": begun.expires_at}


@router.delete("/session", status_code=status.HTTP_204_NO_CONTENT, responses=refusals(401, 403, 409, 422))
def log_out(asking: Asking, request: Request, response: Response, services: Wired) -> None:
    """Logs a browser out, for good: its cookie lets nobody in any more."""
    del asking
    secret = request.cookies.get(COOKIE)
    if secret is not None:
        services.sessions.end(secret)
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")


@router.get(
    "/organisations",
    response_model=Listed[schemas.OrganisationGiven],
    responses={200: LINK, **refusals(401, 403, 422)},
)
def list_organisations(
    asking: Asking,
    services: Wired,
    paging: Paging,
) -> dict[str, Any]:
    """Organisations that the token reaches, in order of number."""
    return paging.answer(services.organisations.list(asking, paging.wanted))


@router.post(
    "/organisations",
    response_model=schemas.OrganisationGiven,
    status_code=status.HTTP_201_CREATED,
    responses=refusals(401, 403, 409, 413, 422),
)
def add_organisation(asking: Asking, services: Wired, wanted: schemas.OrganisationName) -> Organisation:
    """Adds an organisation; takes an admin of the federation."""
    return services.organisations.add(asking, wanted.name)


@router.get("/organisations/{number}", response_model=schemas.OrganisationGiven, responses=refusals(401, 403, 404, 422))
def show_organisation(asking: Asking, services: Wired, number: Number) -> Organisation:
    """One organisation."""
    return services.organisations.get(asking, number)


@router.patch(
    "/organisations/{number}",
    response_model=schemas.OrganisationGiven,
    responses=refusals(401, 403, 404, 409, 413, 422),
)
def rename_organisation(
    asking: Asking, services: Wired, number: Number, wanted: schemas.OrganisationName
) -> Organisation:
    """Gives an organisation another name; takes an admin of the federation."""
    return services.organisations.rename(asking, number, wanted.name)


@router.get("/tokens", response_model=Listed[schemas.TokenGiven], responses={200: LINK, **refusals(401, 403, 422)})
def list_tokens(
    asking: Asking,
    services: Wired,
    paging: Paging,
) -> dict[str, Any]:
    """Tokens within the scope of an admin, in order of number."""
    return paging.answer(services.tokens.list(asking, paging.wanted))


@router.post(
    "/tokens",
    response_model=schemas.NewTokenGiven,
    status_code=status.HTTP_201_CREATED,
    responses=refusals(401, 403, 404, 409, 413, 422),
)
def add_token(asking: Asking, services: Wired, wanted: schemas.TokenWanted) -> NewToken:
    """Makes a token within the scope of an admin. Its secret is shown this once."""
    lives = None if wanted.expires_in_s is None else timedelta(seconds=wanted.expires_in_s)
    return services.tokens.add(asking, wanted.name, wanted.role, organisation=wanted.organisation, expires_in=lives)


@router.get("/tokens/{number}", response_model=schemas.TokenGiven, responses=refusals(401, 403, 404, 422))
def show_token(asking: Asking, services: Wired, number: Number) -> Token:
    """One token."""
    return services.tokens.get(asking, number)


@router.post("/tokens/{number}/revoke", response_model=schemas.TokenGiven, responses=refusals(401, 403, 404, 409, 422))
def revoke_token(asking: Asking, services: Wired, number: Number) -> Token:
    """Revokes a token, but not the last admin's of the federation."""
    return services.tokens.revoke(asking, number)
