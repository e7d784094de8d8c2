"""Alerts, and what is sent of them, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from handfed.shared.errors import HandfedError

Channel = Literal["webhook", "mail"]
State = Literal["began", "over", "test"]
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)


class DeliveryError(HandfedError):
    """A message was not taken; the error names no address, no account and no secret."""


@dataclass(frozen=True)
class Message:
    """That an alert began, or is over.

    Attributes:
        alert: Number of the alert; 0 for a test.
        state: Which of them.
        kind: What needs a person, as `handfed.server.attention.values`.
        subject: What it is about, such as `device/7`.
        about: Names that an operator gave, by what they are.
        since: Since when, or when something ends; in UTC.
        began_at: When the alert began.
        ended_at: When it was over; None while it is not.
    """

    alert: int
    state: State
    kind: str
    subject: str
    about: Mapping[str, str]
    since: datetime
    began_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True)
class ChannelState:
    """How it goes with a channel.

    Attributes:
        channel: Which.
        waiting: Messages that are to be sent.
        failures: Attempts in a row that failed.
        tried_at: When it was tried last; None for never.
        delivered_at: When something was last taken.
        error: Why the last attempt failed; None where it did not.
    """

    channel: Channel
    waiting: int
    failures: int = 0
    tried_at: datetime | None = None
    delivered_at: datetime | None = None
    error: str | None = None
