"""Schools and clinics.

Rules:
1. A name is one of its kind. Only who has a role over the federation adds or renames an organisation: a name that is
   taken would tell one organisation of another.
2. An organisation is never removed: devices, tokens and the audit log refer to it.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from handfed.server.audit import service as audit
from handfed.server.base import is_possible
from handfed.server.clock import Clock, now
from handfed.server.database import Database, snapshot, unique
from handfed.server.naming import checked_name
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.models import OrganisationRow
from handfed.server.people.principals import Principal
from handfed.server.people.values import Organisation
from handfed.shared.errors import NotFoundError


class Organisations:
    """The organisations of a federation.

    Every method raises a `StorageError` when the database cannot be read or written.

    Args:
        database: Where they are.
        clock: Tells the time at which one is added.
    """

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def list(self, principal: Principal, request: PageRequest = FIRST) -> Page[Organisation]:
        """Organisations within the principal's scope, in order of number."""
        query = principal.within(select(OrganisationRow), OrganisationRow.number)
        with self._database.read() as session:
            return page_of(session, query, OrganisationRow.number, request, lambda row: snapshot(Organisation, row[0]))

    def get(self, principal: Principal, number: int) -> Organisation:
        """One organisation.

        Raises:
            NotFoundError: There is none with this number within the principal's scope.
        """
        with self._database.read() as session:
            return snapshot(Organisation, known_organisation(session, principal, number))

    def named(self, principal: Principal, name: str) -> Organisation | None:
        """The organisation with this name, where it is within the principal's scope.

        Raises:
            SettingError: This can be no name.
        """
        query = select(OrganisationRow).where(OrganisationRow.name == checked_name(name, "an organisation"))
        with self._database.read() as session:
            row = session.scalar(principal.within(query, OrganisationRow.number))
            return None if row is None else snapshot(Organisation, row)

    def add(self, principal: Principal, name: str) -> Organisation:
        """Adds an organisation.

        Raises:
            ForbiddenError: The principal is no admin of the federation.
            SettingError: This can be no name.
            ConflictError: Another has this name.
        """
        principal.require_federation("admin")
        written = checked_name(name, "an organisation")
        with self._database.write() as session:
            row = OrganisationRow(name=written, created_at=self._clock())
            session.add(row)
            with unique(_taken(written)):
                session.flush()
            audit.record(
                session,
                row.created_at,
                principal,
                "add",
                f"organisation/{row.number}",
                organisation=row.number,
                detail={"name": written},
            )
            return snapshot(Organisation, row)

    def rename(self, principal: Principal, number: int, name: str) -> Organisation:
        """Gives an organisation another name.

        Raises:
            ForbiddenError: The principal is no admin of the federation.
            NotFoundError: There is none with this number.
            SettingError: This can be no name.
            ConflictError: Another has this name.
        """
        principal.require_federation("admin")
        written = checked_name(name, "an organisation")
        with self._database.write() as session:
            row = known_organisation(session, principal, number, locked=True)
            if row.name != written:
                detail = {"from": row.name, "to": written}
                row.name = written
                with unique(_taken(written)):
                    session.flush()
                audit.record(
                    session,
                    self._clock(),
                    principal,
                    "rename",
                    f"organisation/{number}",
                    organisation=number,
                    detail=detail,
                )
            return snapshot(Organisation, row)


def known_organisation(session: Session, principal: Principal, number: int, *, locked: bool = False) -> OrganisationRow:
    """An organisation within the principal's scope; `locked` until the transaction ends, where asked for.

    Raises:
        NotFoundError: There is none with this number within the principal's scope.
    """
    possible = is_possible(number) and principal.reaches(number)
    row = session.get(OrganisationRow, number, with_for_update=locked) if possible else None
    if row is None:
        raise NotFoundError(f"there is no organisation {number}; handfed organisations list names those there are")
    return row


def _taken(name: str) -> str:
    return f"there is an organisation {name} already"
