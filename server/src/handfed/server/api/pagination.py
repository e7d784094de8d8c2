"""Pages over HTTP: `?limit=&after=`, and a `Link` to the next page (RFC 8288)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field

from handfed.server.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, PageRequest

Item = TypeVar("Item")
MAX_NUMBER = (1 << 31) - 1


class Listed(BaseModel, Generic[Item]):
    """A part of a list; the header `Link` names the next one, where there is one."""

    items: list[Item] = Field(description="The items, in order.")


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

    def answer(self, page: Page[Item]) -> dict[str, list[Item]]:
        """A page as it is sent; sets the link to the next one."""
        self._response.headers.update(self._link(page))
        return {"items": list(page.items)}

    def written(self, page: Page[Item], write: Callable[[Item], str]) -> Response:
        """A page as it is sent, of items that are written already, or need no check; with the link to the next one.

        Args:
            page: The page.
            write: Makes the JSON of an item, as its model does.
        """
        content = f'{{"items":[{",".join(map(write, page.items))}]}}'
        return Response(content, headers=self._link(page), media_type="application/json")

    def _link(self, page: Page[Item]) -> dict[str, str]:
        if page.following is None:
            return {}
        url = self._request.url.include_query_params(after=page.following)
        return {"Link": f'<{url.path}?{url.query}>; rel="next"'}


Paging = Annotated[Pages, Depends()]
LINK: dict[str, Any] = {
    "headers": {
        "Link": {
            "description": 'The next page: `<...>; rel="next"` (RFC 8288). Not there on the last one.',
            "schema": {"type": "string"},
        }
    }
}
