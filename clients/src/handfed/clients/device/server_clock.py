"""The server's time, as far as its answers tell.

SuperLink takes a request that is signed up to five seconds ahead of its own clock, or five minutes behind. The clock
of a device may be wrong by hours, and its user may not be allowed to set it.

Source: RFC 9110 section 6.6.1 (Date).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from handfed.clients.device.server_link import clock_difference, clock_words

_TOLERANCE_S: Final = 30.0
_log = logging.getLogger(__name__)


class ServerClock:
    """The server's time, as far as its answers tell.

    Args:
        local: This machine's clock, seconds since 1970.
    """

    def __init__(self, local: Callable[[], float] = time.time) -> None:
        self.local = local
        self.ahead_s = 0.0  # this clock, of the local one

    def now(self) -> datetime:
        """The server's time, up to a second or two behind."""
        return datetime.fromtimestamp(self.local(), UTC) + timedelta(seconds=self.ahead_s)

    def observe(self, sent: datetime, received: datetime, date: str | None, *, refused: bool) -> bool:
        """Learns from an answer.

        Args:
            sent: When the request went, by this clock.
            received: When the answer was there, by this clock.
            date: The answer's `Date`.
            refused: Whether the server did not take the signature. Otherwise small differences are let be: a busy
                server writes its `Date` late.

        Returns:
            Whether this clock was certainly wrong, and is set now.
        """
        try:
            told = parsedate_to_datetime(date or "")
        except ValueError:
            return False
        if abs(clock_difference(sent, received, told)) <= (0 if refused else _TOLERANCE_S):
            return False
        self.ahead_s += (told - received).total_seconds()
        if round(self.ahead_s):
            words = clock_words(-self.ahead_s)
            _log.warning("this device's clock is %s the server's; taken into account, but better set it", words)
        return True
