"""The control API on loopback, for a browser to look at."""

from __future__ import annotations

import gc
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from handfed.simulations.pages.hosting import hosted


def test_it_hangs_up_on_who_still_listens_when_it_is_over(tmp_path: Path) -> None:
    """Python complains of what stays open, in whichever test it notices."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with hosted(tmp_path) as host:
        place = urlsplit(host.url)
        assert place.hostname is not None
        assert place.port is not None
        plain = socket.create_connection((place.hostname, place.port), timeout=60)
        listener = context.wrap_socket(plain)
        listener.sendall(b"GET /dashboard/ HTTP/1.1\r\nHost: here\r\n")  # and nothing that would end it
    with listener:
        assert listener.recv(1) == b""
    gc.collect()
