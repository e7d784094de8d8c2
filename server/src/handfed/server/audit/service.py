"""The audit log.

Rules:
1. An entry is written in the transaction of the change it tells of: there is no change without its entry, and no
   entry of a change that did not happen. Where the change is of files, such as keys, its entry comes first, and one
   more tells where it failed.
2. There is no way here to change or remove an entry, and the database refuses it too.
3. Only admins read the log; who has a role over one organisation sees the entries that concern it.
4. An entry holds no secret: whoever writes one sees to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from handfed.server.audit.models import AuditRow
from handfed.server.audit.values import EVERYTHING, AuditEntry, AuditFilter
from handfed.server.database import Database, snapshot
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.principals import Principal

_EXPORTED_AT_ONCE = 500


def record(
    session: Session,
    at: datetime,
    who: Principal,
    verb: str,
    what: str,
    *,
    organisation: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Writes an entry in the transaction of the change.

    Args:
        session: The session of the change.
        at: When.
        who: Who made the change.
        verb: What they did, such as `revoke`.
        what: What they did it to, such as `device/7`.
        organisation: Number of the organisation that it concerns.
        detail: More, as JSON can hold it; no secret.
    """
    session.add(
        AuditRow(
            at=at,
            who=who.name,
            token=who.token,
            address=who.address,
            organisation=organisation,
            verb=verb,
            object=what,
            detail=dict(detail or {}),
        )
    )


class AuditLog:
    """Reads the audit log.

    Args:
        database: Where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self,
        principal: Principal,
        wanted: AuditFilter = EVERYTHING,
        request: PageRequest = FIRST,
        *,
        newest_first: bool = False,
    ) -> Page[AuditEntry]:
        """Entries, oldest first unless asked otherwise.

        Raises:
            ForbiddenError: The principal is no admin.
        """
        principal.require("admin")
        query = principal.within(select(AuditRow), AuditRow.organisation)
        if wanted.since is not None:
            query = query.where(AuditRow.at >= wanted.since)
        if wanted.until is not None:
            query = query.where(AuditRow.at < wanted.until)
        if wanted.who is not None:
            query = query.where(AuditRow.who == wanted.who)
        if wanted.object is not None:
            within = AuditRow.object.startswith(f"{wanted.object}/", autoescape=True)
            query = query.where(or_(AuditRow.object == wanted.object, within))
        with self._database.read() as session:
            return page_of(
                session,
                query,
                AuditRow.number,
                request,
                lambda row: snapshot(AuditEntry, row[0]),
                newest_first=newest_first,
            )

    def export(self, principal: Principal, wanted: AuditFilter = EVERYTHING) -> Iterator[AuditEntry]:
        """All entries, oldest first, a part at a time; refuses before the first.

        Raises:
            ForbiddenError: The principal is no admin.
        """
        principal.require("admin")
        return self._all(principal, wanted)

    def _all(self, principal: Principal, wanted: AuditFilter) -> Iterator[AuditEntry]:
        request: PageRequest | None = PageRequest(_EXPORTED_AT_ONCE)
        while request is not None:
            page = self.list(principal, wanted, request)
            yield from page.items
            request = None if page.following is None else PageRequest(_EXPORTED_AT_ONCE, page.following)
