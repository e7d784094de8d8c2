"""What may come of a request to the server's Fleet API.

LinkError               no way to the server, or it does not work, now: try again
UnwelcomeError          it does not take the signature: the key or the time
NotActivatedError       it does not let this node begin
RunOverError            the run is over, or the time for the answer: drop it
UnreadableError         a message cannot be fetched or read: say so
"""

from __future__ import annotations

from handfed.shared.errors import HandfedError


class LinkError(HandfedError):
    """The server cannot be reached, or does not work, now; it may later."""


class UnwelcomeError(HandfedError):
    """The server does not take this device's signature: its key was revoked, or the time is wrong."""


class NotActivatedError(HandfedError):
    """The server does not let this node begin: it does not know its key, or has it as online."""


class RunOverError(HandfedError):
    """The run that a message is of is over; nobody waits for an answer."""


class UnreadableError(HandfedError):
    """A message cannot be fetched or read."""
