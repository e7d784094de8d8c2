"""The certificate that a server shows, renewed while it runs: who connects after that is shown the new one."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Final

from handfed.server.authority.files import Authority, ensure
from handfed.server.clock import Clock, now
from handfed.shared.errors import HandfedError

_LOOK: Final = timedelta(hours=1)
_log = logging.getLogger(__name__)


class LiveCertificate:
    """A server's certificate and the TLS context that shows it.

    Attributes:
        context: What a server listens with.

    Args:
        directory: `authority/` of the data directory.
        names: Host names and IP addresses by which devices reach the server.
        clock: Tells the time.

    Raises:
        SettingError: A name cannot stand in a certificate.
        StorageError: The files cannot be read or written, or a part of the CA is missing.
        CertificateError: The CA is damaged or expired, or the server's certificate is somebody else's.
    """

    def __init__(self, directory: Path, names: Iterable[str], clock: Clock = now) -> None:
        self._directory, self._names, self._clock = directory, tuple(names), clock
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._looked_at = clock()
        self._shown = b""
        self._show(ensure(directory, self._names, now=self._looked_at))

    def look(self) -> None:
        """Renews the certificate where it is time; what fails is in the log, and tried again an hour later."""
        at = self._clock()
        if timedelta() <= at - self._looked_at < _LOOK:
            return
        self._looked_at = at
        try:
            self._show(ensure(self._directory, self._names, now=at))
        except HandfedError as error:
            _log.warning("the server's certificate is not looked after just now: %s", error)

    def _show(self, authority: Authority) -> None:
        shown = authority.certificate_path.read_bytes()
        if shown != self._shown:
            self.context.load_cert_chain(authority.certificate_path, authority.key_path)
            self._shown = shown
