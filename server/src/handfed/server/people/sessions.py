"""Sessions: browsers that people logged in with their tokens.

Rules:
1. A session may do what its token may, and ends with it: one that is revoked or expired lets no session in.
2. A session lasts `LIFE` at most, whatever is done in it; who works longer shows the token again.
3. Its secret has 256 random bits and goes into a cookie that no script reads; at rest there is its SHA-256 only.
4. An address has so many attempts to log in a minute, and each success is in the audit log.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, cast

from sqlalchemy import delete, select

from handfed.server.audit import service as audit
from handfed.server.clock import Clock, now
from handfed.server.credentials import SECRET_BYTES, RandomBytes, digest, is_same
from handfed.server.database import Database
from handfed.server.devices.attempts import Attempts
from handfed.server.people.models import SessionRow, TokenRow
from handfed.server.people.principals import Principal, Role
from handfed.server.people.tokens import Tokens, is_live
from handfed.shared.errors import AuthenticationError

LIFE: Final = timedelta(hours=12)  # a working day


@dataclass(frozen=True)
class NewSession:
    """A session that has just begun.

    Attributes:
        principal: Who logged in.
        expires_at: When it ends, in UTC.
        secret: What the cookie holds; hex.
    """

    principal: Principal
    expires_at: datetime
    secret: str = field(repr=False)


class Sessions:
    """The sessions of a server.

    Every method raises a `StorageError` when the database cannot be read or written.

    Args:
        database: Where they are.
        tokens: Tells whose token is shown.
        attempts: How often an address may try to log in.
        clock: Tells the time.
        random_bytes: Makes secrets.
    """

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        attempts: Attempts,
        clock: Clock = now,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> None:
        self._database, self._tokens, self._attempts = database, tokens, attempts
        self._clock, self._random_bytes = clock, random_bytes

    def begin(self, token: str, address: str) -> NewSession:
        """Logs a browser in.

        Args:
            token: The token's text.
            address: Where it was shown from.

        Raises:
            AuthenticationError: The token lets nobody in.
            TooManyAttemptsError: There were too many from this address within the minute.
        """
        self._attempts.count(address)
        principal = self._tokens.authenticate(token, address)
        secret, moment = self._random_bytes(SECRET_BYTES), self._clock()
        with self._database.write() as session:
            session.execute(delete(SessionRow).where(SessionRow.expires_at <= moment))
            row = SessionRow(
                secret_sha256=digest(secret), token=principal.token, created_at=moment, expires_at=moment + LIFE
            )
            session.add(row)
            what = f"token/{principal.token}"
            audit.record(session, moment, principal, "log-in", what, organisation=principal.organisation)
        return NewSession(principal, moment + LIFE, secret.hex())

    def authenticate(self, secret: str, address: str) -> Principal:
        """Tells whose session this is.

        Args:
            secret: What the cookie holds.
            address: Where it was shown from.

        Raises:
            AuthenticationError: It is unknown or over, or its token lets nobody in any more.
        """
        hashed, moment = _hashed(secret), self._clock()
        query = select(SessionRow, TokenRow).join(TokenRow, TokenRow.number == SessionRow.token)
        with self._database.read() as session:
            found = session.execute(query.where(SessionRow.secret_sha256 == hashed)).one_or_none()
            if found is None or not is_same(found[0].secret_sha256, hashed) or found[0].expires_at <= moment:
                raise AuthenticationError("this session is over: log in again")
            row = found[1]
            if not is_live(row, moment):
                raise AuthenticationError("the token of this session was revoked or has expired: log in with another")
            return Principal(row.name, cast("Role", row.role), row.organisation, row.number, address)

    def end(self, secret: str) -> None:
        """Logs a browser out; one that is out already stays so."""
        with self._database.write() as session:
            session.execute(delete(SessionRow).where(SessionRow.secret_sha256 == _hashed(secret)))


def _hashed(secret: str) -> str:
    try:
        return digest(bytes.fromhex(secret))
    except ValueError:
        return ""
