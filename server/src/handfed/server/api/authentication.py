"""Who asks: the bearer token of a request (RFC 6750), or the session of a browser.

A browser sends its cookie by itself, also where another site's page has it ask (CSRF). Rules against that:
1. The cookie is `SameSite=Strict`, `HttpOnly`, `Secure` and of this host alone (`__Host-`, RFC 6265bis).
2. What changes something by a cookie takes the header `X-Handfed-Page`, which no form can send, and no page of another
   origin unless this server allows it, which it never does.
3. Where the browser says where a page came from (`Sec-Fetch-Site`), that has to be here.
A token in a header is sent on purpose, and takes none of this.

Source: the OWASP Cross-Site Request Forgery Prevention Cheat Sheet; W3C Fetch Metadata.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from handfed.server.api.errors import CrossSiteError
from handfed.server.api.services import Services
from handfed.server.people.principals import Principal
from handfed.server.settings import ServerSettings
from handfed.shared.errors import AuthenticationError

_SCHEME: Final = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token of `handfed tokens add`: `Authorization: Bearer hf_...`"
)
_UNKNOWN: Final = "unknown"
COOKIE: Final = "__Host-handfed"
PAGE_HEADER: Final = "X-Handfed-Page"
_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HERE: Final = frozenset({"same-origin", "none"})  # none: typed by a person


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


def secret_of(request: Request) -> str | None:
    """What a request shows to be let in: a token, or a session's secret; None where it shows none."""
    return shown_by(request) or request.cookies.get(COOKIE)


def refuse_other_sites(request: Request) -> None:
    """Refuses what a page of another site asks.

    Raises:
        CrossSiteError: The browser says that the page is of another site.
    """
    if request.headers.get("sec-fetch-site", "none") not in _HERE:
        raise CrossSiteError("a page of another site asked for this")


def authenticated(request: Request) -> Principal:
    """Whose token or session a request shows, as it is now; it blocks.

    Raises:
        AuthenticationError: It shows none, or one that lets nobody in.
    """
    services, secret, cookie = services_of(request), shown_by(request), request.cookies.get(COOKIE)
    if secret is not None:
        return services.tokens.authenticate(secret, address_of(request))
    if cookie is not None:
        return services.sessions.authenticate(cookie, address_of(request))
    raise AuthenticationError("this takes a token: send the header Authorization: Bearer hf_...")


async def principal_of(request: Request) -> Principal:
    """Whose token or session a request shows; looked up once a request.

    Raises:
        AuthenticationError: It shows none, or one that lets nobody in.
        CrossSiteError: A page of another site asks by a browser's cookie.
    """
    known = request.scope.get("handfed.principal")
    if isinstance(known, Principal):
        return known
    found = await run_in_threadpool(authenticated, request)
    if shown_by(request) is None and request.method not in _HARMLESS:
        refuse_other_sites(request)
        if PAGE_HEADER not in request.headers:
            raise CrossSiteError(f"what a browser's session changes takes the header {PAGE_HEADER}")
    request.scope["handfed.principal"] = found
    return found


async def _asking(request: Request, _shown: Annotated[object, Depends(_SCHEME)]) -> Principal:
    return await principal_of(request)


Asking = Annotated[Principal, Depends(_asking)]
Wired = Annotated[Services, Depends(services_of)]
Configured = Annotated[ServerSettings, Depends(settings_of)]
Address = Annotated[str, Depends(address_of)]
