"""Errors of the HTTP frame itself."""

from __future__ import annotations

from handfed.shared.errors import AccessError, ConflictError, ForbiddenError, UsageError


class BusyKeyError(ConflictError):
    """A request with this idempotency key is under way, or was cut off."""


class ReusedKeyError(UsageError):
    """The idempotency key came with another request before."""


class CrossSiteError(ForbiddenError):
    """A page of another site asks by the session of somebody's browser."""


class TooManyStreamsError(AccessError):
    """A token has too many streams open; `retry_after_s` is when to ask again, in seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
