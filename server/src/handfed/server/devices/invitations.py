"""Invitations: each lets one device in, once, within a time.

Rules:
1. Operators invite into the organisations that they reach.
2. An invitation that was used cannot be withdrawn: the device is revoked instead.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from handfed.server.audit import service as audit
from handfed.server.base import is_possible
from handfed.server.clock import Clock, now
from handfed.server.credentials import SECRET_BYTES, RandomBytes, digest, expiry
from handfed.server.database import Database, snapshot
from handfed.server.devices.models import InvitationRow
from handfed.server.devices.values import Invitation, InvitationState, NewInvitation
from handfed.server.naming import checked_name
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.organisations import known_organisation
from handfed.server.people.principals import Principal
from handfed.shared.errors import ConflictError, NotFoundError, SettingError

EXPIRES_IN: Final = timedelta(days=1)
MOST_SAMPLES: Final = 10**12  # that a limit can be set to


class Invitations:
    """The invitations of a federation.

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

    def invite(
        self,
        principal: Principal,
        organisation: int,
        *,
        expires_in: timedelta = EXPIRES_IN,
        max_samples: int | None = None,
        name: str | None = None,
    ) -> NewInvitation:
        """Makes an invitation.

        Args:
            principal: Who invites.
            organisation: Number of the organisation that the device will belong to.
            expires_in: How long it can be used.
            max_samples: How many samples the device may claim to have; None for no limit.
            name: What the device will be called; None for what it calls itself.

        Raises:
            ForbiddenError: The principal is no operator.
            NotFoundError: There is no such organisation within the principal's scope.
            SettingError: A value is out of its range.
        """
        principal.require("operator")
        self.check(expires_in=expires_in, max_samples=max_samples, name=name)
        with self._database.write() as session:
            known_organisation(session, principal, organisation)
            secret, moment = self._random_bytes(SECRET_BYTES), self._clock()
            row = InvitationRow(
                organisation=organisation,
                invited_by=principal.name,
                name=None if name is None else checked_name(name, "a device"),
                max_samples=max_samples,
                secret_sha256=digest(secret),
                created_at=moment,
                expires_at=expiry(moment, expires_in),
            )
            session.add(row)
            session.flush()
            detail = {"name": row.name, "max_samples": max_samples, "expires_at": row.expires_at.isoformat()}
            what = f"invitation/{row.number}"
            audit.record(session, moment, principal, "add", what, organisation=organisation, detail=detail)
            return NewInvitation(_value(row, moment), secret)

    def check(self, *, expires_in: timedelta, max_samples: int | None, name: str | None) -> None:
        """Makes sure that an invitation can be like this, for who has to write something else before it is made.

        Args:
            expires_in: How long it can be used.
            max_samples: How many samples the device may claim to have; None for no limit.
            name: What the device will be called; None for what it calls itself.

        Raises:
            SettingError: A value is out of its range.
        """
        if max_samples is not None and not 1 <= max_samples <= MOST_SAMPLES:
            raise SettingError(f"a device's limit is from 1 to {MOST_SAMPLES} samples, not {max_samples}")
        if name is not None:
            checked_name(name, "a device")
        expiry(self._clock(), expires_in)

    def list(self, principal: Principal, request: PageRequest = FIRST) -> Page[Invitation]:
        """Invitations within the principal's scope, in order of number."""
        moment = self._clock()
        query = principal.within(select(InvitationRow), InvitationRow.organisation)
        with self._database.read() as session:
            return page_of(session, query, InvitationRow.number, request, lambda row: _value(row[0], moment))

    def get(self, principal: Principal, number: int) -> Invitation:
        """One invitation.

        Raises:
            NotFoundError: There is none with this number within the principal's scope.
        """
        with self._database.read() as session:
            return _value(_known(session, principal, number), self._clock())

    def withdraw(self, principal: Principal, number: int) -> Invitation:
        """Takes an invitation back; one that was taken back already stays as it is.

        Raises:
            ForbiddenError: The principal is no operator.
            NotFoundError: There is none with this number within the principal's scope.
            ConflictError: A device has joined with it.
        """
        principal.require("operator")
        with self._database.write() as session:
            row, moment = _known(session, principal, number, locked=True), self._clock()
            if row.used_by is not None:
                raise ConflictError(f"device {row.used_by} has joined with invitation {number}: revoke the device")
            if row.withdrawn_at is None:
                row.withdrawn_at = moment
                what = f"invitation/{number}"
                audit.record(session, moment, principal, "withdraw", what, organisation=row.organisation)
            return _value(row, moment)


def _known(session: Session, principal: Principal, number: int, *, locked: bool = False) -> InvitationRow:
    row = session.get(InvitationRow, number, with_for_update=locked) if is_possible(number) else None
    if row is None or not principal.reaches(row.organisation):
        raise NotFoundError(f"there is no invitation {number}")
    return row


def _value(row: InvitationRow, moment: datetime) -> Invitation:
    return snapshot(Invitation, row, state=state_of(row, moment))


def state_of(row: InvitationRow, moment: datetime) -> InvitationState:
    """Whether an invitation can be used, and if not, why."""
    if row.used_by is not None:
        return "used"
    if row.withdrawn_at is not None:
        return "withdrawn"
    return "open" if row.expires_at > moment else "expired"
