"""Lists in pages: the next page begins after a number, not after so many rows (keyset pagination).

So a page costs the same wherever it is, and rows that come or go meanwhile shift nothing: whoever walks all pages
sees each row that was there from beginning to end exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

Item = TypeVar("Item")
DEFAULT_LIMIT = 50
MAX_LIMIT = 500
_LAST = (1 << 31) - 1  # the largest number that a database looks for


@dataclass(frozen=True)
class PageRequest:
    """Which part of a list is asked for.

    Attributes:
        limit: How many items at most, from 1; None for all that are left.
        after: The number of the last item that is known already; None from the beginning.
    """

    limit: int | None = DEFAULT_LIMIT
    after: int | None = None


FIRST = PageRequest()
ALL = PageRequest(limit=None)


@dataclass(frozen=True)
class Page(Generic[Item]):
    """A part of a list.

    Attributes:
        items: The items, in order.
        following: What to ask after for the next page; None where there is none.
    """

    items: tuple[Item, ...]
    following: int | None = None


def page_of(
    session: Session,
    query: Select[*tuple[Any, ...]],
    number: InstrumentedAttribute[int],
    request: PageRequest,
    make: Callable[[Sequence[Any]], Item],
    *,
    newest_first: bool = False,
) -> Page[Item]:
    """One page of what a query finds.

    Args:
        session: An open session.
        query: Selects the rows, without an order.
        number: The column that orders them; it identifies a row and grows with each new one.
        request: Which part.
        make: Makes an item of a row.
        newest_first: Whether the largest number comes first.
    """
    query = query.add_columns(number.label("page_key")).order_by(number.desc() if newest_first else number.asc())
    if request.after is not None:
        after = min(max(request.after, 0), _LAST)
        query = query.where(number < after if newest_first else number > after)
    if request.limit is not None:
        query = query.limit(request.limit + 1)  # one more tells whether there is a next page
    rows = session.execute(query).all()
    shown = rows if request.limit is None else rows[: request.limit]
    following = int(shown[-1].page_key) if len(rows) > len(shown) else None
    return Page(tuple(make(row) for row in shown), following)
