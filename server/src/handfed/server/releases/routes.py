"""Routes of releases and their files."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse

from handfed.server.api.authentication import Asking, Configured, Wired
from handfed.server.api.fields import Number
from handfed.server.api.pagination import LINK, Listed, Paging
from handfed.server.api.problems import refusals
from handfed.server.releases.answers import FileName, ReleaseGiven
from handfed.server.releases.schemas import RecordedRelease
from handfed.shared.data_directory import releases_in

router = APIRouter(prefix="/releases", tags=["releases"])
_BYTES = "application/octet-stream"


@router.get("", response_model=Listed[ReleaseGiven], responses={200: LINK, **refusals(401, 403, 422)})
def list_releases(asking: Asking, services: Wired, paging: Paging) -> dict[str, Any]:
    """Releases, newest first."""
    del asking  # releases are everybody's who has a token
    return paging.answer(services.releases.list(paging.wanted))


@router.get("/{number}", response_model=ReleaseGiven, responses=refusals(401, 403, 404, 422))
def show_release(asking: Asking, services: Wired, number: Number) -> RecordedRelease:
    """One release."""
    del asking
    return services.releases.get(number)


@router.get(
    "/{number}/files/{name}",
    response_class=FileResponse,
    responses={
        200: {"description": "The file.", "content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}}},
        **refusals(401, 403, 404, 422),
    },
)
def download(
    asking: Asking,
    services: Wired,
    settings: Configured,
    number: Number,
    name: Annotated[FileName, Path(description="Which of its files.", examples=["model.tflite"])],
) -> FileResponse:
    """A file of a release: the model, its twin for browsers, the manifest, or the model card."""
    del asking
    path = services.releases.file(releases_in(settings.data_dir), number, name)
    return FileResponse(path, media_type=_BYTES, filename=f"release-{number}-{name}")
