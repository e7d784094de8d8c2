"""Routes of the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from handfed.server.api.authentication import Asking, Wired
from handfed.server.api.fields import Moment
from handfed.server.api.pagination import LINK, Listed, Paging
from handfed.server.api.problems import refusals
from handfed.server.audit.export import MEDIA_TYPES, Format, exported
from handfed.server.audit.schemas import AuditEntryGiven
from handfed.server.audit.values import AuditFilter

router = APIRouter(prefix="/audit", tags=["audit"])
_Text = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]


def _filter(
    since: Annotated[Moment | None, Query(description="From this time on.")] = None,
    until: Annotated[Moment | None, Query(description="Before this time.")] = None,
    who: Annotated[_Text, Query(description="By whom, exactly.", examples=["Ada, school board"])] = None,
    what: Annotated[
        _Text, Query(alias="object", description="To what: `device/7`, or `device` for all.", examples=["device"])
    ] = None,
) -> AuditFilter:
    return AuditFilter(since, until, who, what)


Wanted = Annotated[AuditFilter, Depends(_filter)]


@router.get("", response_model=Listed[AuditEntryGiven], responses={200: LINK, **refusals(401, 403, 422)})
def list_entries(
    asking: Asking,
    services: Wired,
    wanted: Wanted,
    paging: Paging,
    newest_first: Annotated[bool, Query(description="Whether the newest come first.")] = False,
) -> dict[str, Any]:
    """Entries of the audit log, oldest first unless asked otherwise; takes an admin."""
    return paging.answer(services.audit.list(asking, wanted, paging.wanted, newest_first=newest_first))


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A file: an object a line, or a table.",
            "content": {media_type: {"schema": {"type": "string"}} for media_type in MEDIA_TYPES.values()},
        },
        **refusals(401, 403, 422),
    },
)
def export_entries(
    asking: Asking,
    services: Wired,
    wanted: Wanted,
    form: Annotated[Format, Query(alias="format", description="JSON lines, or CSV.")] = "jsonl",
) -> StreamingResponse:
    """All entries of the audit log, as a file; takes an admin."""
    text = exported(services.audit.export(asking, wanted), form)
    headers = {"Content-Disposition": f'attachment; filename="audit.{form}"'}
    return StreamingResponse(text, media_type=MEDIA_TYPES[form], headers=headers)
