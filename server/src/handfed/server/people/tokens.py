"""Tokens: what people and programs show to be let in.

Rules:
1. The first start makes one admin token, and only where there is none yet.
2. Who has a role over one organisation gives tokens over that organisation only.
3. The last admin token of the federation cannot be revoked: nobody would be left to give another.
4. A token that is unknown, expired or revoked lets nobody in; the refusal does not say which, as it is to strangers.
"""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select, text
from sqlalchemy.orm import Session

from handfed.server.audit import service as audit
from handfed.server.base import is_possible
from handfed.server.clock import Clock, now
from handfed.server.credentials import SECRET_BYTES, RandomBytes, digest, expiry, is_same, token_secret, token_text
from handfed.server.database import Database, snapshot
from handfed.server.naming import checked_name
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.models import TokenRow
from handfed.server.people.organisations import known_organisation
from handfed.server.people.principals import ROLES, Principal, Role
from handfed.server.people.values import NewToken, Token
from handfed.shared.errors import (
    AuthenticationError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    SettingError,
    StorageError,
)

USE_NOTED_EVERY: Final = timedelta(minutes=1)  # each note is a write, and a page may ask every second
SERVER: Final = Principal(name="handfed serve", role="admin")
_log = logging.getLogger(__name__)


class Tokens:
    """The tokens of a federation.

    Every method raises a `StorageError` when the database cannot be read or written.

    Args:
        database: Where they are.
        clock: Tells the time.
        random_bytes: Makes secrets.
    """

    def __init__(self, database: Database, clock: Clock = now, random_bytes: RandomBytes = secrets.token_bytes) -> None:
        self._database = database
        self._clock = clock
        self._random_bytes = random_bytes

    def ensure_first_admin(self) -> str | None:
        """Makes an admin token where there is no token at all.

        Returns:
            Its text, which cannot be had again; None where there are tokens.
        """
        with self._database.write() as session:
            if session.get_bind().dialect.name != "sqlite":  # SQLite has one writer at a time in any case
                session.execute(text("LOCK TABLE tokens IN EXCLUSIVE MODE"))
            if session.scalar(select(TokenRow.number).limit(1)) is not None:
                return None
            return self._new(session, SERVER, "first admin", "admin").secret

    def authenticate(self, secret: str, address: str) -> Principal:
        """Tells whose token this is.

        Args:
            secret: The token's text.
            address: Where it was shown from.

        Raises:
            AuthenticationError: It lets nobody in.
        """
        bits = token_secret(secret)
        hashed = digest(bits) if bits is not None else ""
        moment = self._clock()
        with self._database.read() as session:
            row = session.scalar(select(TokenRow).where(TokenRow.secret_sha256 == hashed))
            if row is None or not is_same(row.secret_sha256, hashed) or not is_live(row, moment):
                raise AuthenticationError("this token is unknown, expired or revoked: ask an admin for another")
            found = snapshot(Token, row)
        if found.last_used_at is None or moment - found.last_used_at >= USE_NOTED_EVERY:
            self._note_use(found.number, moment)
        return Principal(found.name, found.role, found.organisation, found.number, address)

    def list(self, principal: Principal, request: PageRequest = FIRST) -> Page[Token]:
        """Tokens within the principal's scope, in order of number, also those that are revoked or expired.

        Raises:
            ForbiddenError: The principal is no admin.
        """
        principal.require("admin")
        query = principal.within(select(TokenRow), TokenRow.organisation)
        with self._database.read() as session:
            return page_of(session, query, TokenRow.number, request, lambda row: snapshot(Token, row[0]))

    def get(self, principal: Principal, number: int) -> Token:
        """One token.

        Raises:
            ForbiddenError: The principal is no admin.
            NotFoundError: There is none with this number within the principal's scope.
        """
        principal.require("admin")
        with self._database.read() as session:
            return snapshot(Token, _known(session, principal, number))

    def add(
        self,
        principal: Principal,
        name: str,
        role: Role,
        *,
        organisation: int | None = None,
        expires_in: timedelta | None = None,
    ) -> NewToken:
        """Makes a token.

        Args:
            principal: Who gives it.
            name: Whose it is.
            role: What they may do.
            organisation: Number of the organisation that it reaches over; None for the federation.
            expires_in: How long it lets them in; None for ever.

        Raises:
            ForbiddenError: The principal is no admin, or reaches over less than the token would.
            NotFoundError: There is no such organisation within the principal's scope.
            SettingError: This can be no name or role, or time to live.
        """
        principal.require("admin")
        if organisation is None and principal.organisation is not None:
            raise ForbiddenError("a token for the whole federation is given by an admin of the federation")
        if role not in ROLES:
            raise SettingError(f"there is no role {role!r}: there are {', '.join(ROLES)}")
        written = checked_name(name, "a token")
        expires_at = None if expires_in is None else expiry(self._clock(), expires_in)
        with self._database.write() as session:
            if organisation is not None:
                known_organisation(session, principal, organisation)
            return self._new(session, principal, written, role, organisation=organisation, expires_at=expires_at)

    def revoke(self, principal: Principal, number: int) -> Token:
        """Revokes a token, from its next use on; one that is revoked already stays as it is.

        Raises:
            ForbiddenError: The principal is no admin.
            NotFoundError: There is none with this number within the principal's scope.
            ConflictError: It is the last admin token of the federation.
        """
        principal.require("admin")
        with self._database.write() as session:
            moment = self._clock()
            admins = _lock_admins(session, moment)
            row = _known(session, principal, number, locked=True)
            if row.revoked_at is None:
                if admins == [row.number]:
                    raise ConflictError(
                        f"token {number} is the last admin token of the federation: make another before you revoke it"
                    )
                row.revoked_at = moment
                audit.record(session, moment, principal, "revoke", f"token/{number}", organisation=row.organisation)
            return snapshot(Token, row)

    def _new(
        self,
        session: Session,
        principal: Principal,
        name: str,
        role: Role,
        *,
        organisation: int | None = None,
        expires_at: datetime | None = None,
    ) -> NewToken:
        secret, moment = self._random_bytes(SECRET_BYTES), self._clock()
        row = TokenRow(
            name=name,
            role=role,
            organisation=organisation,
            secret_sha256=digest(secret),
            created_at=moment,
            expires_at=expires_at,
        )
        session.add(row)
        session.flush()
        detail = {"name": name, "role": role, "expires_at": row.expires_at and row.expires_at.isoformat()}
        audit.record(session, moment, principal, "add", f"token/{row.number}", organisation=organisation, detail=detail)
        return NewToken(snapshot(Token, row), token_text(secret))

    def _note_use(self, number: int, moment: datetime) -> None:
        """Notes when a token was used; who is let in is let in also where that cannot be written."""
        try:
            with self._database.write() as session:
                row = session.get(TokenRow, number)
                if row is not None:
                    row.last_used_at = moment
        except StorageError as error:
            _log.warning("the use of token %d could not be noted: %s", number, error)


def _known(session: Session, principal: Principal, number: int, *, locked: bool = False) -> TokenRow:
    row = session.get(TokenRow, number, with_for_update=locked) if is_possible(number) else None
    if row is None or not principal.reaches(row.organisation):
        raise NotFoundError(f"there is no token {number}; handfed tokens list names those there are")
    return row


def is_live(row: TokenRow, moment: datetime) -> bool:
    """Whether a token lets somebody in."""
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > moment)


def _lock_admins(session: Session, moment: datetime) -> list[int]:
    """The live admin tokens of the federation, locked until the transaction ends: two cannot revoke each other."""
    live: ColumnElement[bool] = or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > moment)
    admin = and_(TokenRow.role == "admin", TokenRow.organisation.is_(None), TokenRow.revoked_at.is_(None), live)
    query = select(TokenRow.number).where(admin).order_by(TokenRow.number).with_for_update()
    return list(session.scalars(query))
