"""Breaks of every kind, and that a device comes back from them by itself."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from handfed.clients.device import credentials, keys

if TYPE_CHECKING:
    from tests.clients.device.conftest import Servers
    from tests.clients.device.running.conftest import MakeDevice, SuperLink

pytestmark = pytest.mark.slow


class Wire:
    """A TCP connection to the server that can be cut: what is open is closed, what is new is refused."""

    def __init__(self, onward: int) -> None:
        self._onward = onward
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_cut = False
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        self._is_cut = True
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def mend(self) -> None:
        self._is_cut = False

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._is_cut:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._onward))
                self._sockets += [near, far]
                threading.Thread(target=self._pump, args=(near, far), daemon=True).start()

    def _pump(self, near: socket.socket, far: socket.socket) -> None:
        sides = {near: far, far: near}
        with suppress(OSError), near, far:
            while True:
                for side in select.select(sides, [], [])[0]:
                    content = side.recv(65_536)
                    if not content:
                        return
                    sides[side].sendall(content)


@pytest.fixture
def wire(superlink: SuperLink) -> Iterator[Wire]:
    wire = Wire(superlink.port)
    yield wire
    wire.close()


def test_a_killed_device_is_back_within_seconds(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    trainer = superlink.pid(superlink.ask(device.node_id))
    device.kill()
    device.until_gone(trainer)
    (device.folder / "status.json").unlink()
    device.begin()
    superlink.pid(superlink.ask(device.node_id))
    assert "still connected" not in device.text()


def test_a_device_that_was_killed_at_work_says_so_when_it_is_back(
    superlink: SuperLink, make_device: MakeDevice
) -> None:
    device = make_device()
    device.begin()
    trainer = superlink.pid(superlink.ask(device.node_id))
    message = superlink.ask(device.node_id, "hang")
    device.wait_for("training")
    device.kill()
    device.until_gone(trainer)  # in the midst of a step, too
    device.start()
    assert "was started anew while it worked on this" in superlink.failure(message)
    superlink.pid(superlink.ask(device.node_id))


def test_a_server_that_is_killed_is_waited_for(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    superlink.pid(superlink.ask(device.node_id))
    message = superlink.ask(device.node_id, "sleep", seconds=4.0)
    device.wait_for("training")
    superlink.kill()
    try:
        device.wait_for("connecting")
        device.until(lambda: "refuses connections" in device.said()["last_error"]["text"])  # once it is gone wholly
        time.sleep(3)
    finally:
        superlink.start()
    device.wait_for("waiting")
    superlink.pid(message)  # what was worked out meanwhile is not lost
    superlink.pid(superlink.ask(device.node_id))


def test_an_answer_survives_a_network_that_is_cut(superlink: SuperLink, make_device: MakeDevice, wire: Wire) -> None:
    device = make_device(port=wire.port)
    device.begin()
    message = superlink.ask(device.node_id, "sleep", seconds=2.0)
    device.wait_for("training")
    wire.cut()
    device.wait_for("connecting")
    time.sleep(3)
    wire.mend()
    superlink.pid(message)
    device.until(lambda: "the server answers again" in device.text())


def test_a_device_begins_where_there_is_no_network_yet(
    superlink: SuperLink, make_device: MakeDevice, wire: Wire
) -> None:
    wire.cut()
    device = make_device(port=wire.port)
    device.start()
    device.wait_for("connecting")
    device.until(lambda: device.said()["last_error"])
    wire.mend()
    device.wait_for("waiting")
    superlink.pid(superlink.ask(device.node_id))


def test_a_device_trains_through_a_proxy(superlink: SuperLink, make_device: MakeDevice, servers: Servers) -> None:
    proxy = servers.proxy()
    device = make_device()
    device.begin({"HTTPS_PROXY": proxy.url})
    superlink.pid(superlink.ask(device.node_id))
    assert set(proxy.asked) == {f"CONNECT {superlink.address}"}


def test_a_revoked_device_ends_and_says_why(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    superlink.revoke(device.node_id)
    assert device.ended() == 3
    assert device.said()["state"] == "revoked"
    assert "ask the operator" in device.said()["last_error"]["text"].lower()
    device.start()
    assert device.ended() == 3  # and again, at once


def test_a_device_that_is_revoked_at_work_stops_working(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    trainer = superlink.pid(superlink.ask(device.node_id))
    superlink.ask(device.node_id, "hang")
    device.wait_for("training")
    superlink.revoke(device.node_id)
    assert device.ended() == 3  # a heartbeat comes every 20 s
    device.until_gone(trainer)


def test_what_a_run_asked_for_is_dropped_when_it_is_over(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    superlink.ask(device.node_id, "hang")
    device.wait_for("training")
    superlink.stop_run()
    device.wait_for("waiting")  # a heartbeat comes every 20 s
    assert "the run is over" in device.text()
    superlink.serve_run()
    superlink.pid(superlink.ask(device.node_id))


def test_a_key_that_was_changed_is_taken_up_without_a_restart(superlink: SuperLink, make_device: MakeDevice) -> None:

    device = make_device()
    device.begin()
    key = keys.make_key()
    new = superlink.register(keys.public_key_of(key).encode())
    enrolment = credentials.load(device.folder)
    with credentials.changing(device.folder):
        credentials.commit(device.folder, enrolment, key, superlink.ca.certificate)
    superlink.revoke(device.node_id)
    device.until(lambda: superlink.state_of(new) == "online")
    superlink.pid(superlink.ask(new))


def test_a_full_disk_does_not_keep_a_device_from_its_work(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.start(file_bytes=0)
    device.until(lambda: superlink.state_of(device.node_id) == "online")
    superlink.pid(superlink.ask(device.node_id))
    assert device.end() == 0
    assert device.process is not None
    assert device.process.stderr is not None
    words = device.process.stderr.read().decode()
    assert "cannot write" in words
    assert "the device goes on" in words
    assert not (device.folder / "status.json").exists()
