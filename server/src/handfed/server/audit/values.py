"""Entries of the audit log, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class AuditEntry:
    """One change.

    Attributes:
        number: Counted from 1.
        at: When, in UTC.
        who: Name of the token, of the account at the console, or of the invitation that was used.
        token: Number of the token; None where there was none.
        address: From where: an IP address, or `console`.
        organisation: Number of the organisation that it concerns; None for the federation.
        verb: What was done, such as `revoke`.
        object: What it was done to, such as `device/7`.
        detail: More, as JSON can hold it; never a secret.
    """

    number: int
    at: datetime
    who: str
    token: int | None
    address: str
    organisation: int | None
    verb: str
    object: str
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class AuditFilter:
    """Which entries are asked for; what is None does not count.

    Attributes:
        since: From this time on.
        until: Before this time.
        who: By whom, exactly.
        object: To what: `device/7`, or `device` for all devices.
    """

    since: datetime | None = None
    until: datetime | None = None
    who: str | None = None
    object: str | None = None


EVERYTHING = AuditFilter()
