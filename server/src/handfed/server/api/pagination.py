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


class Pages:
    """A page that is asked for, and how it is sent."""

    def __init__(
        self,
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items at most.")] = DEFAULT_LIMIT,
        after: Annotated[
            int | None, Query(ge=0, le=MAX_NUMBER, description="Begin after this one; the header Link has it.")
        ] = None,
    ) -> None:
        self.wanted = PageRequest(limit, after)
        self._request = request
        self._response = response

    def answer(self, page: Page[Item]) -> dict[str, Sequence[Item]]:
        """A page as it is sent; sets the link to the next one."""
        if page.following is not None:
            url = self._request.url.include_query_params(after=page.following)
            self._response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
        return {"items": page.items}


Paging = Annotated[Pages, Depends()]
LINK: dict[str, Any] = {
    "headers": {
        "Link": {
            "description": 'The next page: `<...>; rel="next"` (RFC 8288). Not there on the last one.',
            "schema": {"type": "string"},
        }
    }
}
