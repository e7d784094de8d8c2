"""When certificates and the registry's metadata end.

Rules:
1. What the server renews by itself it renews long before: a certificate in its last third, metadata at half of life.
   So what has less than a quarter of its life left was not renewed, or waits for a person who signs it.
2. Nothing is said of what is further away than `SOON`. The CA is an exception: where it ends every device joins a new
   federation, which takes a year of planning.
3. To look changes nothing, and is done at most once a minute: files are read and signatures parsed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from handfed.server.attention.values import Expiry
from handfed.server.authority import certificates
from handfed.server.authority.files import CA_CERTIFICATE, SERVER_CERTIFICATE, authority_in
from handfed.server.clock import Clock, now
from handfed.server.registry.files import registry_in
from handfed.server.registry.lifetimes import DEFAULT, Lifetimes
from handfed.server.registry.service import Registry
from handfed.shared.errors import HandfedError

SOON: Final = timedelta(days=30)
AUTHORITY_SOON: Final = timedelta(days=365)
_LOOK: Final = timedelta(minutes=1)
_CERTIFICATES: Final = (("authority", CA_CERTIFICATE, AUTHORITY_SOON), ("server", SERVER_CERTIFICATE, SOON))
_log = logging.getLogger(__name__)


class Expiries:
    """What ends, and when.

    Args:
        directory: The data directory.
        lifetimes: How long what the registry's roles sign is valid.
        clock: Tells the time.
    """

    def __init__(self, directory: Path, lifetimes: Lifetimes = DEFAULT, clock: Clock = now) -> None:
        self._authority, self._clock = authority_in(directory), clock
        self._registry = Registry(registry_in(directory), lifetimes, clock)
        self._lock = threading.Lock()
        self._read: tuple[Expiry, ...] = ()
        self._read_at: datetime | None = None

    def read(self) -> tuple[Expiry, ...]:
        """All there are; what is not there yet, or cannot be read, is left out, and the log says so."""
        with self._lock:
            at = self._clock()
            if self._read_at is None or not timedelta() <= at - self._read_at < _LOOK:
                self._read, self._read_at = (*self._certificates(), *self._roles()), at
            return self._read

    def _certificates(self) -> Iterator[Expiry]:
        for name, file, soon in _CERTIFICATES:
            try:
                start, end = certificates.times_of((self._authority / file).read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, HandfedError) as error:
                _log.warning("the end of the %s certificate is not known just now: %s", name, error)
            else:
                yield Expiry("certificate-ends", name, end, min(soon, (end - start) / 4))

    def _roles(self) -> Iterator[Expiry]:
        if not self._registry.repository.files.exists():
            return
        try:
            found = self._registry.status()
        except HandfedError as error:
            _log.warning("the ends of the registry's metadata are not known just now: %s", error)
            return
        for one in found:
            life = self._registry.lifetimes.of(one.role)
            yield Expiry("registry-ends", one.role, one.expires, min(SOON, life / 4))
