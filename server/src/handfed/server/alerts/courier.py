"""What the serving process does for alerts: it looks once a minute, and a thread a channel sends.

Rules:
1. To look is a few reads of the record. To send may take as long as another machine likes, so no thread that does
   anything else sends, and one channel waits for no other.
2. What fails is on record and in the log, without an address, and tried again later.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from handfed.server.alerts import mail, webhook
from handfed.server.alerts.service import AlertRecord
from handfed.server.alerts.settings import AlertFiles, AlertSettings
from handfed.server.alerts.values import CHANNELS, Channel, Message
from handfed.server.clock import Clock, now
from handfed.shared.errors import HandfedError

_LOOK: Final = timedelta(minutes=1)
_PAUSE_S: Final = 2.0  # between two looks at what waits
_AGAIN_S: Final = 60.0  # where the settings or the record cannot be used
_LEAVE_S: Final = 2.0  # that a thread has that is about to end
_log = logging.getLogger(__name__)


class Courier:
    """Begins alerts, and sends what channels are to be told.

    Args:
        record: Of alerts.
        directory: The data directory.
        server: What devices call the server.
        clock: Tells the time.
    """

    def __init__(self, record: AlertRecord, directory: Path, server: str, clock: Clock = now) -> None:
        self._record, self._files, self._server, self._clock = record, AlertFiles(directory), server, clock
        self._looked_at: datetime | None = None
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(channel,), name=f"alerts by {channel}", daemon=True)
            for channel in CHANNELS
        ]

    def start(self) -> None:
        """Begins to send."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends; a thread that waits for another machine is left behind, and what it sends is sent again."""
        self._over.set()
        for thread in self._threads:
            thread.join(_LEAVE_S)

    def look(self) -> None:
        """Begins and ends alerts, once a minute; what fails is in the log, and tried again."""
        at = self._clock()
        if self._looked_at is not None and timedelta() <= at - self._looked_at < _LOOK:
            return
        self._looked_at = at
        try:
            settings = self._files.load()
            self._record.look(settings.channels, settings.away)
        except HandfedError as error:
            _log.warning("nobody looks for alerts just now: %s", error)

    def send(self, channel: Channel) -> bool:
        """Sends what a channel is to be told now; whether it took something.

        Raises:
            SettingError: The settings cannot be used.
            StorageError: The database or a file cannot be read or written.
        """
        settings = self._files.load()
        if channel not in settings.channels:
            return False
        messages = self._record.due(channel)
        if not messages:
            return False
        try:
            deliver(channel, settings, self._files, messages, server=self._server, at=self._clock())
        except HandfedError as error:  # also where a secret cannot be read
            _log.warning("an alert was not taken, and is sent again later: %s", error)
            self._record.failed(channel, str(error))
            return False
        except Exception as error:  # a fault of ours: it is tried again later, as any other
            self._record.failed(channel, f"it failed within ({type(error).__name__}); the log says where")
            raise
        self._record.delivered(channel, messages)
        return True

    def _work(self, channel: Channel) -> None:
        while not self._over.wait(_PAUSE_S):
            try:
                self.send(channel)
            except HandfedError as error:
                _log.warning("no alert is sent by %s just now: %s", channel, error)
                self._over.wait(_AGAIN_S)
            except Exception:  # noqa: BLE001 - this thread is the only one that sends
                _log.exception("no alert is sent by %s just now", channel)
                self._over.wait(_AGAIN_S)


def deliver(
    channel: Channel,
    settings: AlertSettings,
    files: AlertFiles,
    messages: tuple[Message, ...],
    *,
    server: str,
    at: datetime,
) -> None:
    """Sends messages by a channel, once.

    Args:
        channel: Which.
        settings: Whom to.
        files: Where secrets are.
        messages: What is told.
        server: What devices call the server.
        at: The time.

    Raises:
        DeliveryError: They were not taken.
        StorageError: A secret cannot be read.
    """
    if channel == "webhook" and settings.webhook is not None:
        webhook.post(settings.webhook, files.secret(), messages, server=server, at=at)
    elif channel == "mail" and settings.mail is not None:
        mail.send(settings.mail, files.password(), messages, server=server, at=at)
