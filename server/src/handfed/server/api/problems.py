"""Problem details (RFC 9457): how every refusal of the API looks, and which HTTP status each error has.

Rules:
1. This table is the one place where an error gets a status.
2. A problem of ours says what was wrong and what to do. What broke within the server is told to nobody: the log has it,
   under the id that the problem's `instance` names.
3. A problem quotes nothing of the request: a body may hold a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import compile_path

from handfed.server.api.errors import BusyKeyError, CrossSiteError, ReusedKeyError, TooManyStreamsError
from handfed.server.devices.registry import RegistryError
from handfed.server.devices.values import (
    ExpiredInvitationError,
    ProofError,
    RotationRefusedError,
    UnknownInvitationError,
    UsedInvitationError,
    WithdrawnInvitationError,
)
from handfed.server.promotion.reports import ReportRefusedError
from handfed.shared.errors import (
    AuthenticationError,
    ConflictError,
    ForbiddenError,
    HandfedError,
    NotFoundError,
    StorageError,
    TooManyAttemptsError,
    UsageError,
)

MEDIA_TYPE: Final = "application/problem+json"
PLACE: Final = "/api/v1/problems"
_RETRY_AFTER_S: Final = 5


@dataclass(frozen=True)
class Kind:
    """A kind of problem.

    Attributes:
        name: The last part of its `type`.
        status: Its HTTP status.
        title: What it is, the same each time.
        is_told: Whether the detail is the error's message; else it says only that something broke.
    """

    name: str
    status: int
    title: str
    is_told: bool = True


INTERNAL: Final = Kind("internal", 500, "The server failed", is_told=False)
INVALID: Final = Kind("invalid", 422, "The request cannot be used")
KINDS: Final[Mapping[type[Exception], Kind]] = {
    AuthenticationError: Kind("unauthenticated", 401, "A valid token is needed"),
    ForbiddenError: Kind("forbidden", 403, "The token does not reach this"),
    CrossSiteError: Kind("cross-site", 403, "Another site's page asks"),
    NotFoundError: Kind("not-found", 404, "It does not exist"),
    ConflictError: Kind("conflict", 409, "It contradicts how things are"),
    TooManyAttemptsError: Kind("too-many-attempts", 429, "Too many attempts"),
    TooManyStreamsError: Kind("too-many-streams", 429, "Too many streams"),
    UnknownInvitationError: Kind("invitation-unknown", 404, "There is no such invitation"),
    UsedInvitationError: Kind("invitation-used", 409, "The invitation was used"),
    WithdrawnInvitationError: Kind("invitation-withdrawn", 403, "The invitation was withdrawn"),
    ExpiredInvitationError: Kind("invitation-expired", 403, "The invitation expired"),
    ProofError: Kind("proof-invalid", 403, "The device has not shown that it holds its key"),
    RotationRefusedError: Kind("rotation-refused", 403, "The key is not replaced"),
    ReportRefusedError: Kind("report-refused", 403, "The report is not taken"),
    BusyKeyError: Kind("idempotency-key-busy", 409, "The outcome of this request is not known"),
    ReusedKeyError: Kind("idempotency-key-reused", 422, "The idempotency key belongs to another request"),
    UsageError: INVALID,
    RegistryError: Kind("unavailable", 503, "The server cannot do this now", is_told=False),
    StorageError: Kind("unavailable", 503, "The server cannot do this now", is_told=False),
    HandfedError: INTERNAL,
    Exception: INTERNAL,
}
# What is refused before any of our code has looked at it.
PROTOCOL: Final[Mapping[int, Kind]] = {
    400: Kind("malformed", 400, "The request cannot be read"),
    404: KINDS[NotFoundError],
    405: Kind("method-not-allowed", 405, "There is no such method here"),
    413: Kind("too-large", 413, "The request is too large"),
}
_UNTOLD: Final = "it broke within the server; its log has the cause under the id that instance names"


class InvalidPart(BaseModel):
    """A part of a request that cannot be used."""

    location: str = Field(description="Where it is: `body.name`, `query.limit`.", examples=["body.name"])
    message: str = Field(description="What is wrong with it.", examples=["Field required"])


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": f"{PLACE}/not-found",
                    "title": "It does not exist",
                    "status": 404,
                    "detail": "there is no device 7; handfed devices list names those there are",
                    "instance": "urn:uuid:3f0c9a52-6f0e-4c58-9d6e-0d6a9f6f6f01",
                }
            ]
        }
    )

    type: str = Field(description="The kind of problem; its address tells of it.")
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was wrong, and what to do.")
    instance: str = Field(description="The id under which the server's log has this request.")
    errors: list[InvalidPart] | None = Field(default=None, description="Which parts of the request cannot be used.")


def kind_of(error: Exception) -> Kind:
    """The kind of problem that an error is: that of its nearest class in the table."""
    if isinstance(error, RequestValidationError):
        return INVALID
    if isinstance(error, ClientDisconnect):
        return PROTOCOL[HTTPStatus.BAD_REQUEST]
    if isinstance(error, HTTPException):
        known = PROTOCOL.get(error.status_code)
        phrase = HTTPStatus(error.status_code).phrase
        return known or Kind(phrase.lower().replace(" ", "-"), error.status_code, phrase)
    return next(KINDS[kind] for kind in type(error).__mro__ if kind in KINDS)


def all_kinds() -> dict[str, Kind]:
    """Every kind of problem by name, in order of status."""
    kinds = {kind.name: kind for kind in (*KINDS.values(), *PROTOCOL.values())}
    return dict(sorted(kinds.items(), key=lambda item: (item[1].status, item[0])))


def answer(error: Exception, request_id: str) -> JSONResponse:
    """The response to a request that failed.

    Args:
        error: Why.
        request_id: The id under which the log has the request.
    """
    kind = kind_of(error)
    problem = Problem(
        type=f"{PLACE}/{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=_detail(error, kind),
        instance=f"urn:uuid:{request_id}",
        errors=_parts(error) if isinstance(error, RequestValidationError) else None,
    )
    body = problem.model_dump(exclude_none=True)
    return JSONResponse(body, kind.status, media_type=MEDIA_TYPE, headers=_headers(error, kind))


async def handled(request: Request, error: Exception) -> JSONResponse:
    """`answer`, as Starlette calls it."""
    made = answer(error, request.scope["handfed.request_id"])
    if made.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        made.headers["Allow"] = _allowed(request) or made.headers["Allow"]
    return made


def _allowed(request: Request) -> str:
    """The methods of a path; Starlette names those of its first route alone."""
    paths: Mapping[str, Mapping[str, Any]] = request.app.openapi()["paths"]
    of_path = [methods for path, methods in paths.items() if compile_path(path)[0].match(request.url.path)]
    return ", ".join(sorted({method.upper() for methods in of_path for method in methods}))


def _detail(error: Exception, kind: Kind) -> str:
    if not kind.is_told:
        return _UNTOLD
    if isinstance(error, RequestValidationError):
        return "parts of the request are missing, unknown or out of their range: see errors"
    return str(error.detail) if isinstance(error, HTTPException) else str(error) or kind.title


def _parts(error: RequestValidationError) -> list[InvalidPart]:
    """What cannot be used, without what was sent: a message of ours or of pydantic's may quote none of it."""
    return [InvalidPart(location=".".join(map(str, part["loc"])), message=str(part["msg"])) for part in error.errors()]


def _headers(error: Exception, kind: Kind) -> dict[str, str]:
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if kind.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="handfed"'
    if isinstance(error, TooManyAttemptsError | TooManyStreamsError):
        headers["Retry-After"] = str(error.retry_after_s)
    elif kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(_RETRY_AFTER_S)
    return headers


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem responses of a route, for the OpenAPI document; what any route may answer is added."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    titles: dict[int, list[str]] = {}
    for kind in all_kinds().values():
        titles.setdefault(kind.status, []).append(kind.title)
    return {
        status: {"description": "; ".join(titles.get(status, [HTTPStatus(status).phrase])), "content": content}
        for status in sorted({*statuses, 400, 500, 503})
    }
