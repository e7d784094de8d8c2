"""Organisations and tokens, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from handfed.server.people.principals import Role


@dataclass(frozen=True)
class Organisation:
    """A school or a clinic.

    Attributes:
        number: Counted from 1; never given twice.
        name: As people call it; one of its kind in the federation.
        created_at: When it was added, in UTC.
    """

    number: int
    name: str
    created_at: datetime


@dataclass(frozen=True)
class Token:
    """What is known of a token; its secret is not among it.

    Attributes:
        number: Counted from 1; never given twice.
        name: Whose it is.
        role: `viewer`, `operator` or `admin`.
        organisation: Number of the organisation that it reaches over; None for the federation.
        created_at: When it was made, in UTC.
        expires_at: From when on it lets nobody in; None for never.
        last_used_at: When it was last used, to the minute; None for never.
        revoked_at: When it was revoked; None where it was not.
    """

    number: int
    name: str
    role: Role
    organisation: int | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class NewToken:
    """A token, and its text, which is shown this once.

    Attributes:
        token: What is kept of it.
        secret: `hf_...`; who has it is let in.
    """

    token: Token
    secret: str = field(repr=False)
