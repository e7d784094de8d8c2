"""The control API as an ASGI app: `create_app(settings, services)`.

Nothing is built when this is imported. Whoever serves the app adds web pages to it as they like: `Frame` leaves headers
that they set as they are.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any, Final

from fastapi import APIRouter, FastAPI, Path
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field
from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from handfed.server.api import problems
from handfed.server.api.authentication import Configured, Wired
from handfed.server.api.frame import Frame
from handfed.server.api.replays import HEADER, MAX_KEY, Replays
from handfed.server.api.services import Services
from handfed.server.audit.routes import router as audit
from handfed.server.comparisons.routes import router as comparisons
from handfed.server.devices.codes import read_authority
from handfed.server.devices.routes import router as devices
from handfed.server.learning.routes import router as learning
from handfed.server.metrics.exposition import Exposition
from handfed.server.metrics.figures import FiguresReading
from handfed.server.metrics.routes import router as metrics
from handfed.server.overview.routes import router as overview
from handfed.server.people.routes import router as people
from handfed.server.privacy.routes import router as privacy
from handfed.server.promotion.routes import router as promotion
from handfed.server.registry.files import registry_in
from handfed.server.registry.web import registry_app
from handfed.server.releases.routes import router as releases
from handfed.server.runs.events import Feed
from handfed.server.runs.routes import router as runs
from handfed.server.settings import ServerSettings
from handfed.shared.errors import NotFoundError

PREFIX: Final = "/api/v1"
_CERTIFICATE: Final = "application/pem-certificate-chain"  # RFC 8555
_DESCRIPTION: Final = "How people and programs run a federation: organisations, tokens, invitations, devices, runs."
_KEY_PARAMETER: Final = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Send a request again with the same key, and it is done once; kept for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[ -~]+$"},
}
_WRITES: Final = ("post", "put", "patch", "delete")
_plain = APIRouter(tags=["server"])


class Health(BaseModel):
    """That the server answers."""

    status: str = Field(description="`ok`", examples=["ok"])


class ProblemKind(BaseModel):
    """A kind of problem."""

    type: str = Field(description="As problems name it.", examples=[f"{problems.PLACE}/not-found"])
    status: int = Field(description="Its HTTP status.", examples=[404])
    title: str = Field(description="What it is.", examples=["It does not exist"])


def create_app(settings: ServerSettings, services: Services) -> FastAPI:
    """The app.

    Args:
        settings: What the server is set to.
        services: What the routes call.
    """
    exposition = Exposition(FiguresReading(services), PREFIX)
    app = FastAPI(
        title="Handfed",
        version=version("handfed-server"),
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(Frame, max_body_bytes=settings.max_body_bytes, observe=exposition.requests.observe),
            Middleware(Replays, idempotency=services.idempotency),
        ],
        exception_handlers={HTTPException: problems.handled, RequestValidationError: problems.handled},
    )
    app.state.settings, app.state.services, app.state.feed = settings, services, Feed(services.runs.news)
    app.state.metrics = exposition
    app.include_router(_plain)
    app.include_router(metrics)
    every = (overview, people, devices, runs, releases, promotion, learning, comparisons, privacy, audit)
    for router in every:
        app.include_router(router, prefix=PREFIX)
    app.mount("/registry", registry_app(registry_in(settings.data_dir)))  # plain files, and so not in the document
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # as FastAPI documents it
    return app


@_plain.get("/health", responses=problems.refusals())
def health(services: Wired) -> Health:
    """Whether the server and its database answer."""
    with services.database.read() as session:
        session.execute(text("SELECT 1"))
    return Health(status="ok")


@_plain.get(
    f"{PREFIX}/authority",
    response_class=PlainTextResponse,
    responses={
        200: {"description": "PEM.", "content": {_CERTIFICATE: {"schema": {"type": "string"}}}},
        **problems.refusals(),
    },
)
def show_authority(settings: Configured) -> PlainTextResponse:
    """The certificate of the federation's CA, for a device that knows its fingerprint from an invitation."""
    return PlainTextResponse(read_authority(settings.authority), media_type=_CERTIFICATE)


@_plain.get(problems.PLACE + "/{name}", responses=problems.refusals(404, 422))
def show_problem(name: Annotated[str, Path(max_length=100, examples=["not-found"])]) -> ProblemKind:
    """What a kind of problem is."""
    kind = problems.all_kinds().get(name)
    if kind is None:
        raise NotFoundError(f"there is no such kind of problem; there are {', '.join(problems.all_kinds())}")
    return ProblemKind(type=f"{problems.PLACE}/{kind.name}", status=kind.status, title=kind.title)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with what the frame adds to every route."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        schemas = made["components"]["schemas"]
        template = "#/components/schemas/{model}"
        schemas["Problem"] = problems.Problem.model_json_schema(ref_template=template)
        schemas |= schemas["Problem"].pop("$defs")
        for path in made["paths"].values():
            for method in set(path) & set(_WRITES):
                path[method].setdefault("parameters", []).append(_KEY_PARAMETER)
        app.openapi_schema = made
    return app.openapi_schema
