"""Who asks: the bearer token of a request (RFC 6750)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from handfed.server.api.services import Services
from handfed.server.people.principals import Principal
from handfed.server.settings import ServerSettings
from handfed.shared.errors import AuthenticationError

_SCHEME: Final = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token of `handfed tokens add`: `Authorization: Bearer hf_...`"
)
_UNKNOWN: Final = "unknown"


def services_of(request: Request) -> Services:
    """What the routes call."""
    found = request.app.state.services
    if not isinstance(found, Services):
        raise TypeError("an app is made by create_app")
    return found


def settings_of(request: Request) -> ServerSettings:
    """What the server is set to."""
    found = request.app.state.settings
    if not isinstance(found, ServerSettings):
        raise TypeError("an app is made by create_app")
    return found


def address_of(request: Request) -> str:
    """Where a request comes from, as the server knows it."""
    return request.client.host if request.client else _UNKNOWN


def shown_by(request: Request) -> str | None:
    """The token that a request shows; None where it shows none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


async def principal_of(request: Request) -> Principal:
    """Whose token a request shows; looked up once a request.

    Raises:
        AuthenticationError: It shows none, or one that lets nobody in.
    """
    known = request.scope.get("handfed.principal")
    if isinstance(known, Principal):
        return known
    secret = shown_by(request)
    if secret is None:
        raise AuthenticationError("this takes a token: send the header Authorization: Bearer hf_...")
    found = await run_in_threadpool(services_of(request).tokens.authenticate, secret, address_of(request))
    request.scope["handfed.principal"] = found
    return found


async def _asking(request: Request, _shown: Annotated[object, Depends(_SCHEME)]) -> Principal:
    return await principal_of(request)


Asking = Annotated[Principal, Depends(_asking)]
Wired = Annotated[Services, Depends(services_of)]
Configured = Annotated[ServerSettings, Depends(settings_of)]
Address = Annotated[str, Depends(address_of)]
