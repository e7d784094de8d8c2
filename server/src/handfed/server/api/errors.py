"""Errors of the HTTP frame itself."""

from __future__ import annotations

from handfed.shared.errors import ConflictError, ForbiddenError, UsageError


class BusyKeyError(ConflictError):
    """A request with this idempotency key is under way, or was cut off."""


class ReusedKeyError(UsageError):
    """The idempotency key came with another request before."""


class CrossSiteError(ForbiddenError):
    """A page of another site asks by the session of somebody's browser."""
