"""Breaks of a federation at work, one after the other, in one run that goes on through all of them.

The third device is one that can be told to misbehave. Each test leaves the federation as it found it: a round that all
three devices have trained.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from handfed.server.authority import certificates, files
from handfed.server.authority.certificates import Credential
from handfed.server.runs.schemas import RecordedRejection
from handfed.shared.files import write_atomically
from handfed.simulations.real import free_port

if TYPE_CHECKING:
    from tests.e2e.conftest import Federation, NewFederation, Wire

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # of a busy machine, whose imports take minutes

ODD = 2  # the device that can misbehave
CUT_S = 60.0
MEGABYTES = 48  # of the small disks


@dataclass
class AtWork:
    """A federation of three whose run goes on."""

    federation: Federation
    wire: Wire  # of device 0
    run: int
    has_small_disks: bool

    def node(self, number: int) -> int:
        """What the record calls a device."""
        nodes = [each["node_id"] for each in self.federation.devices() if each["name"] == f"room {number}"]
        return int(nodes[-1])

    def goes_on(self, devices: int = 3) -> None:
        """Waits for a round that so many devices have trained, begun after now."""
        before = self.federation.rounds(self.run) + 1

        def found() -> bool:
            rounds = self.federation.record.rounds(self.run)
            return any(each.accepted == devices for each in rounds[before:])

        self.federation.until(found, f"round of {devices} devices")

    def rejected(self, node: int, reason: str) -> RecordedRejection:
        """Waits for a reply of a device that was not used, for this reason."""

        def found() -> list[RecordedRejection]:
            replies = self.federation.record.rejections(self.run)
            return [each for each in replies if (each.device, each.reason) == (node, reason)]

        rejection: RecordedRejection = self.federation.until(found, f"rejection for {reason}")[0]
        return rejection

    def tell_odd(self, **faults: object) -> None:
        """Says how the odd device is to misbehave from its next message on; nothing: not at all."""
        write_atomically(self.federation.device(ODD) / "faults.json", json.dumps(faults).encode())

    def until_odd_hangs(self) -> None:
        self.tell_odd(**{"*": "hangs"})
        warm = self.federation.device(ODD) / "trainer-is-warm"
        self.federation.until(lambda: not warm.exists(), "message to hang at")

    def until_logged(self, name: str, words: str, *, more_than: int = 0) -> None:
        self.federation.until(lambda: self.federation.log(name).count(words) > more_than, f"word of {words!r}")


@pytest.fixture(scope="module")
def at_work(new_federation: NewFederation, new_wire: Any) -> Iterator[AtWork]:
    federation = new_federation()
    disks = [federation.data, federation.device(1)]
    mounted = [disk for disk in disks if mount(disk)]
    federation.serve()
    wire = new_wire(federation.port)
    federation.join(0, port=wire.port)
    federation.run_device(0)
    federation.join(1)
    federation.run_device(1)
    federation.join(ODD)
    federation.run_faulty_device(ODD)
    run = federation.start_run(rounds=99_999, qat_rounds=1, local_steps=1, evaluate_every=99_999, deadline_s=120)
    work = AtWork(federation, wire, run, has_small_disks=mounted == disks)
    federation.until(lambda: federation.rounds(run), "first round")
    work.goes_on()
    yield work
    federation.close()
    for disk in mounted:
        subprocess.run(["umount", "--lazy", disk], check=False)


def mount(folder: Path) -> bool:
    """Makes a folder a disk of its own, which can be filled without harm; whether this user may."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=700", "none", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """A disk that is full while the block runs; what others delete there is filled up as well."""
    filler, over = disk / "filler", threading.Event()

    def fill() -> None:
        with filler.open("wb", buffering=0) as file:
            while not over.wait(0.01):
                for size in (1_000_000, 4096, 1):
                    with suppress(OSError):  # there is no space left
                        while True:
                            file.write(bytes(size))

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        filler.unlink()


def lives(process: psutil.Process) -> bool:
    """Whether a process is there, and not merely its entry in the table of processes."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


@contextmanager
def reading(database: Path) -> Iterator[None]:
    """A reader of SQLite's write-ahead log, which therefore grows and is not used again from its beginning."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM rounds").fetchall()
    try:
        yield
    finally:
        connection.close()


def test_a_device_that_is_killed_at_work_is_back_for_the_next_round(at_work: AtWork) -> None:
    node = at_work.node(ODD)
    at_work.until_odd_hangs()
    at_work.federation.kill(f"device{ODD}")
    at_work.tell_odd()
    at_work.federation.run_faulty_device(ODD)
    at_work.rejected(node, "device-error")
    assert "was started anew while it worked on this" in at_work.federation.log(f"device{ODD}")
    at_work.goes_on()


def test_a_network_that_is_cut_costs_its_device_the_rounds_of_that_time(at_work: AtWork) -> None:
    node = at_work.node(0)
    at_work.wire.cut()
    ends = time.monotonic() + CUT_S
    at_work.rejected(node, "no-reply")
    at_work.goes_on(2)
    time.sleep(max(0.0, ends - time.monotonic()))
    at_work.federation.until_device(0, "connecting")
    at_work.wire.mend()
    at_work.goes_on()
    at_work.federation.until_device(0, "waiting", "training")


def test_a_short_cut_loses_no_message(at_work: AtWork) -> None:
    before = at_work.federation.rounds(at_work.run)
    at_work.wire.cut(lossy=True)
    at_work.federation.until_device(0, "connecting")
    at_work.wire.mend()
    at_work.goes_on()
    after = at_work.federation.record.rounds(at_work.run)[before:]
    assert {each.accepted for each in after} == {3}


def test_a_clock_that_is_an_hour_off_is_told_and_does_no_harm(at_work: AtWork) -> None:
    for hours, words in ((1, "ahead of the server's; taken into account"), (-1, "behind the server's; taken into")):
        at_work.federation.end(f"device{ODD}")
        at_work.federation.run_faulty_device(ODD, ahead_s=hours * 3600.0)
        at_work.until_logged(f"device{ODD}", words)
        at_work.goes_on()


def test_an_old_device_is_told_from_a_broken_one(at_work: AtWork) -> None:
    node = at_work.node(ODD)
    at_work.federation.end(f"device{ODD}")
    at_work.tell_odd(version=1)
    at_work.federation.run_faulty_device(ODD)
    assert at_work.rejected(node, "wrong-version").detail.endswith("update the device")
    assert at_work.federation.status(ODD)["last_error"]["text"].endswith("update this device")
    at_work.federation.end(f"device{ODD}")
    at_work.tell_odd()
    at_work.federation.run_faulty_device(ODD)
    at_work.goes_on()


def test_a_superlink_that_is_killed_is_back_by_itself(at_work: AtWork) -> None:
    serving, of_run = at_work.federation.children("server")
    serving.kill()
    at_work.federation.until(lambda: not lives(of_run), "end of the run's process, with its parent")
    at_work.until_logged("server", "the server ended with status -9; it is started again")
    at_work.goes_on()


def test_a_locked_database_is_waited_for(at_work: AtWork) -> None:
    waited = at_work.federation.log("server").count("the run waits until it can")
    connection = sqlite3.connect(at_work.federation.data / "handfed.db", isolation_level=None, timeout=30)
    try:
        connection.execute("BEGIN IMMEDIATE")
        at_work.until_logged("server", "the run waits until it can", more_than=waited)
        rounds = at_work.federation.rounds(at_work.run)
    finally:
        connection.close()
    at_work.goes_on()
    numbers = [each.number for each in at_work.federation.record.rounds(at_work.run)]
    assert numbers[rounds - 1 : rounds + 1] == [rounds, rounds + 1]


def test_a_full_disk_of_the_server_is_waited_for(at_work: AtWork) -> None:
    if not at_work.has_small_disks:
        pytest.skip("this user may not mount a small disk to fill")
    with full(at_work.federation.data), reading(at_work.federation.data / "handfed.db"):
        at_work.until_logged("server", "database or disk is full")
        checks = at_work.federation.answer("doctor", "--data-dir", at_work.federation.data, status=1)["checks"]
        assert [each["name"] for each in checks if (each["name"], each["outcome"]) == ("disk", "failure")]
    at_work.goes_on()
    numbers = [each.number for each in at_work.federation.record.rounds(at_work.run)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_full_disk_of_a_device_keeps_it_from_no_round(at_work: AtWork) -> None:
    if not at_work.has_small_disks:
        pytest.skip("this user may not mount a small disk to fill")
    federation, folder = at_work.federation, at_work.federation.device(1)
    more = federation.handwriting(7)
    given = ("device", "import", more, "--task", "digits", "--consent", "given", "--data", folder)
    held = federation.answer("device", "samples", "--data", folder)
    with full(folder):
        at_work.until_logged("device1", "the device goes on")
        at_work.goes_on()
        refused = federation.refused(*given)
        assert "full" in refused or "No space left" in refused
    assert federation.answer("device", "samples", "--data", folder) == held
    federation.handfed(*given)
    at_work.goes_on()


def test_a_device_that_is_revoked_at_work_costs_the_round_nothing_else(at_work: AtWork) -> None:
    federation, node = at_work.federation, at_work.node(ODD)
    (number,) = (each["number"] for each in federation.devices() if int(each["node_id"] or 0) == node)
    at_work.until_odd_hangs()
    federation.handfed("devices", "revoke", number, "--data-dir", federation.data)
    assert federation.processes.pop(f"device{ODD}").wait(120) == 3
    assert federation.status(ODD)["state"] == "revoked"
    at_work.goes_on(2)
    at_work.tell_odd()
    code = federation.answer("invite", "School again", "--data-dir", federation.data)["code"]
    federation.handfed("join", code, "--again", "--name", f"room {ODD}", "--data", federation.device(ODD))
    federation.run_faulty_device(ODD)


def test_a_certificate_that_ended_while_the_server_was_off_is_renewed(at_work: AtWork) -> None:
    federation = at_work.federation
    federation.end("server")
    authority = files.authority_in(federation.data)
    ca = Credential((authority / files.CA_CERTIFICATE).read_bytes(), (authority / files.CA_KEY).read_bytes())
    ended = expired(ca)
    write_atomically(authority / files.SERVER_KEY, ended.key)
    write_atomically(authority / files.SERVER_CERTIFICATE, ended.certificate)
    checks = federation.answer("doctor", "--data-dir", federation.data, "--port", federation.port, status=1)["checks"]
    (said,) = (each for each in checks if each["name"] == "certificates")
    assert "start the server, which renews it" in said["found"] + said["mend"]
    federation.serve()
    at_work.goes_on()


def test_a_server_that_moves_is_followed_without_a_new_invitation(at_work: AtWork) -> None:
    federation = at_work.federation
    federation.end("server")
    federation.port = free_port()
    address = f"localhost:{federation.port}"
    federation.serve(address)
    for number in range(3):
        federation.handfed("device", "move", address, "--data", federation.device(number))
    at_work.goes_on()


def expired(ca: Credential) -> Credential:
    """A certificate of the federation's server that ended an hour ago: it holds from a day before it is made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificates, "SERVER_LIFE", timedelta(hours=23))
        return certificates.make_server_certificate(ca, files.LOCAL_NAMES, now=datetime.now(UTC))


def test_a_federation_whose_ca_has_ended_says_so(new_federation: NewFederation) -> None:
    federation = new_federation()
    files.ensure(files.authority_in(federation.data), ["localhost"], now=datetime.now(UTC) - timedelta(days=21 * 365))
    words = federation.refused("serve", "--data-dir", federation.data, "--port", federation.port)
    assert "the CA's certificate expired" in words
    checks = federation.handfed("doctor", "--data-dir", federation.data, "--port", federation.port, status=1)
    assert "devices have to join a new federation" in " ".join(checks.split())
