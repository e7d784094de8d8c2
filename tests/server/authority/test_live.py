"""A certificate is renewed while a server shows it."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handfed.server.authority.live import LiveCertificate

START = datetime.now(UTC) - timedelta(days=382)  # so that each certificate holds for whoever connects


class Moving:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


def shown(live: LiveCertificate, directory: Path) -> str:
    """The serial number that whoever connects now is shown, who trusts the CA alone."""
    trusting = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with live.context.wrap_socket(connection, server_side=True) as spoken:
                spoken.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        with (
            socket.create_connection(listener.getsockname()) as connection,
            trusting.wrap_socket(connection, server_hostname="server.example") as spoken,
        ):
            found = spoken.getpeercert()
            spoken.sendall(b".")
        thread.join()
    assert found is not None
    return str(found["serialNumber"])


def test_who_connects_after_a_renewal_is_shown_the_new_certificate(tmp_path: Path) -> None:
    clock, directory = Moving(), tmp_path / "authority"
    live = LiveCertificate(directory, ["server.example"], clock)
    first = shown(live, directory)
    clock.at += timedelta(days=1)
    live.look()
    assert shown(live, directory) == first
    clock.at += timedelta(days=380)
    live.look()
    assert shown(live, directory) != first


def test_what_fails_is_in_the_log_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock, directory = Moving(), tmp_path / "authority"
    live = LiveCertificate(directory, ["server.example"], clock)
    shutil.move(directory / "ca.key", tmp_path / "ca.key")
    clock.at += timedelta(days=380)
    with caplog.at_level(logging.WARNING):
        live.look()
    assert "not looked after just now" in caplog.text
    shutil.move(tmp_path / "ca.key", directory / "ca.key")
    first = shown(live, directory)
    live.look()
    assert shown(live, directory) == first
    clock.at += timedelta(hours=1)
    live.look()
    assert shown(live, directory) != first
