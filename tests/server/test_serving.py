"""What `handfed serve` leaves on disk, as a process of its own."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from handfed.simulations.real import HANDFED, free_port

START_S = 300.0
DEVICES_KEEP_S = httpx.Limits().keepalive_expiry or 0.0


def refused(data: Path, *arguments: object) -> str:
    """What a server says that cannot be started as it was asked to."""
    command = [*HANDFED, "serve", "--data-dir", str(data), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_S)
    assert done.returncode == 2, (done.stdout, done.stderr)
    return done.stderr


@contextmanager
def serving(data: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server that runs, and is told to end."""
    log = data.with_name("log")
    command = [*HANDFED, "serve", "--data-dir", str(data), "--address", "server.example", "--port", str(port)]
    with log.open("wb") as written, subprocess.Popen(command, stdout=written, stderr=written) as process:
        try:
            end = time.monotonic() + START_S
            while "serving at port" not in log.read_text() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.1)
            assert "serving at port" in log.read_text(), log.read_text()
            yield process
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Path]:
    """The data directory of a server that runs."""
    data = tmp_path_factory.mktemp("served") / "data"
    with serving(data, port):
        yield data


def test_a_start_that_is_refused_leaves_what_other_commands_know_of_the_server(
    served: Path, port: int, tmp_path: Path
) -> None:
    before = (served / "server.json").read_bytes()
    assert b"server.example" in before
    assert "cannot listen" in refused(tmp_path / "other", "--address", "wrong.example", "--port", port)
    assert not (tmp_path / "other" / "server.json").exists()
    refused(served, "--address", "wrong.example")
    assert "is no address of a server" in refused(served, "--address", "bad host!")
    assert (served / "server.json").read_bytes() == before


def test_a_connection_that_is_idle_for_longer_than_devices_keep_one_still_answers(served: Path, port: int) -> None:
    """Or else a device's next request goes out on it just as the server ends it, and is lost."""
    trusted = ssl.create_default_context(cafile=str(served / "authority" / "ca.pem"))
    connection = http.client.HTTPSConnection("localhost", port, context=trusted)
    statuses, sockets = [], []
    for pause in (0, DEVICES_KEEP_S + 1):
        time.sleep(pause)
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
        sockets.append(connection.sock)
    connection.close()
    assert statuses == [200, 200]
    assert sockets[0] is sockets[1] is not None


def test_a_data_directory_has_one_server(served: Path) -> None:
    before = (served / "server.json").read_bytes()
    assert f"another process is at the data directory {served}" in refused(served, "--port", free_port())
    assert (served / "server.json").read_bytes() == before


def test_a_server_that_was_killed_leaves_no_lock_and_nobody_serving(tmp_path: Path) -> None:
    port = free_port()
    for _ in range(2):
        with serving(tmp_path / "data", port) as process:
            process.kill()
