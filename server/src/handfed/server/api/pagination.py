"""Pages over HTTP: `?limit=&after=`, and a `Link` to the next page (RFC 8288)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field

from handfed.server.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, PageRequest

Item = TypeVar("Item")
MAX_NUMBER = (1 << 31) - 1


class Listed(BaseModel, Generic[Item]):
    """A part of a list; the header `Link` names the next one, where there is one."""

    items: Sequence[Item] = Field(description="The items, in order.")


def _request(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items at most.")] = DEFAULT_LIMIT,
    after: Annotated[
        int | None, Query(ge=0, le=MAX_NUMBER, description="Begin after this one; the header Link has it.")
    ] = None,
) -> PageRequest:
    return PageRequest(limit, after)


Paging = Annotated[PageRequest, Depends(_request)]
LINK: dict[str, Any] = {
    "headers": {
        "Link": {
            "description": 'The next page: `<...>; rel="next"` (RFC 8288). Not there on the last one.',
            "schema": {"type": "string"},
        }
    }
}


def listed(page: Page[Item], request: Request, response: Response) -> dict[str, Sequence[Item]]:
    """A page as it is sent; sets the link to the next one."""
    if page.following is not None:
        url = request.url.include_query_params(after=page.following)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return {"items": page.items}
