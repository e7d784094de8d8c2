"""Lists in pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from handfed.server.database import Database
from handfed.server.paging import Page, PageRequest, page_of
from handfed.server.people.models import OrganisationRow

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
SHARED = settings(max_examples=30)


def _fill(database: Database, count: int) -> None:
    with database.write() as session:
        session.execute(delete(OrganisationRow))
        session.add_all([OrganisationRow(name=f"{place}", created_at=NOON) for place in range(count)])


def _insert(database: Database, name: str) -> None:
    with database.write() as session:
        session.add(OrganisationRow(name=name, created_at=NOON))


def _page(database: Database, request: PageRequest, *, newest_first: bool) -> Page[str]:
    with database.read() as session:
        return page_of(
            session,
            select(OrganisationRow),
            OrganisationRow.number,
            request,
            lambda row: str(row[0].name),
            newest_first=newest_first,
        )


def _walk(database: Database, limit: int, *, newest_first: bool, inserted: int = 0) -> Iterator[str]:
    """The names of all pages; before each further page, rows are inserted."""
    request: PageRequest | None = PageRequest(limit)
    step = 0
    while request is not None:
        page = _page(database, request, newest_first=newest_first)
        assert len(page.items) <= limit
        yield from page.items
        request = None if page.following is None else PageRequest(limit, page.following)
        step += 1
        for place in range(inserted if step <= 3 else 0):
            _insert(database, f"new {step}.{place}")


@given(count=st.integers(0, 12), limit=st.integers(1, 14), newest_first=st.booleans())
@SHARED
def test_walking_all_pages_yields_everything_once_in_order(
    sqlite_database: Database, count: int, limit: int, newest_first: bool
) -> None:
    _fill(sqlite_database, count)
    names = [str(place) for place in range(count)]
    assert list(_walk(sqlite_database, limit, newest_first=newest_first)) == (names[::-1] if newest_first else names)


@given(count=st.integers(1, 12), limit=st.integers(1, 5), inserted=st.integers(1, 3), newest_first=st.booleans())
@SHARED
def test_what_was_there_is_seen_once_while_rows_are_inserted(
    sqlite_database: Database, count: int, limit: int, inserted: int, newest_first: bool
) -> None:
    _fill(sqlite_database, count)
    seen = list(_walk(sqlite_database, limit, newest_first=newest_first, inserted=inserted))
    old = [name for name in seen if not name.startswith("new")]
    names = [str(place) for place in range(count)]
    assert old == (names[::-1] if newest_first else names)
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_are_the_same_on_every_database(database: Database, newest_first: bool) -> None:
    _fill(database, 5)
    names = ["0", "1", "2", "3", "4"]
    assert list(_walk(database, 2, newest_first=newest_first)) == (names[::-1] if newest_first else names)
    everything = _page(database, PageRequest(None), newest_first=newest_first)
    assert (len(everything.items), everything.following) == (5, None)


def test_a_page_after_what_cannot_be_is_empty_or_the_first(database: Database) -> None:
    _fill(database, 2)
    assert _page(database, PageRequest(2, 2**80), newest_first=False).items == ()
    assert len(_page(database, PageRequest(2, -5), newest_first=False).items) == 2


def test_the_last_page_has_no_next_one(database: Database) -> None:
    _fill(database, 4)
    assert _page(database, PageRequest(4), newest_first=False).following is None
    assert _page(database, PageRequest(3), newest_first=False).following is not None
