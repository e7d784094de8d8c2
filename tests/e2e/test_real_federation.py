"""A federation of real processes, by the commands that people type: a server, its devices, a run, a release."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from handfed.clients.edge import Recogniser
from handfed.shared.datasets import Dataset

pytestmark = pytest.mark.slow

DEVICES = 2
HANDFED = (sys.executable, "-c", "from handfed.shared.cli import main; main()")
_START_S = 90.0
_RUN_S = 400.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(happened: Callable[[], Any], seconds: float, what: str) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = happened()
        if found:
            return found
        time.sleep(0.2)
    pytest.fail(f"{what} did not happen within {seconds:g} s")


@dataclass
class Federation:
    """Commands and processes in one folder."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.folder / "server"

    def device(self, number: int) -> Path:
        return self.folder / f"device{number}"

    def handfed(self, *arguments: object) -> str:
        command = [*HANDFED, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def answer(self, *arguments: object) -> Any:
        return json.loads(self.handfed(*arguments, "--json"))

    def start(self, name: str, *arguments: object) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{name}.log").open("ab")
        command = [*HANDFED, *map(str, arguments)]
        with log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment())
        self.processes.append(process)
        return process

    def serve(self, port: int) -> subprocess.Popen[bytes]:
        address = f"127.0.0.1:{port}"
        return self.start("server", "serve", "--data-dir", self.data, "--address", address, "--port", port)

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def run(self, number: int) -> Any:
        return self.answer("runs", "show", number, "--data-dir", self.data)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def environment() -> dict[str, str]:
    return dict(os.environ)


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    made = Federation(tmp_path)
    yield made
    made.close()


def handwriting(path: Path, digits: Dataset, first: int) -> Path:
    """300 real digits of six made-up writers."""
    rows = np.arange(first, first + 300)
    writer = np.array([f"pupil-{first + row % 6}" for row in range(300)])
    names = list("0123456789")
    np.savez(path, allow_pickle=False, x=digits.images[rows], y=digits.labels[rows], class_names=names, writer=writer)
    return path


def joined(federation: Federation, digits: Dataset, port: int) -> None:
    until(lambda: "token" in federation.log("server"), _START_S, "the first token")
    until(lambda: answers(port), _START_S, "an open port")
    for number in range(DEVICES):
        file = handwriting(federation.folder / f"{number}.npz", digits, 400 * number)
        code = federation.answer("invite", f"School {number}", "--data-dir", federation.data)["code"]
        federation.handfed("join", code, "--name", f"room {number}", "--data", federation.device(number))
        imported = ("--task", "digits", "--consent", "given", "--data", federation.device(number))
        federation.handfed("device", "import", file, *imported)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_federation_trains_through_the_death_of_its_server_and_publishes(
    federation: Federation, digits: Dataset
) -> None:
    port = free_port()
    server = federation.serve(port)
    joined(federation, digits, port)
    for number in range(DEVICES):
        federation.start(f"device{number}", "device", "run", "--data", federation.device(number), "--threads", 1)
    settings = ("rounds=4", "qat_rounds=1", "local_epochs=1", "float_margin=1.0", "evaluate_every=2")
    given = [part for each in settings for part in ("--set", each)]
    until(lambda: seen(federation), _START_S, "contact with every device")
    run = federation.answer("runs", "start", "--task", "digits", *given, "--data-dir", federation.data)["run"]["id"]
    until(lambda: len(federation.run(run)["rounds"]) >= 1, _RUN_S, "the first round")
    killed(server)
    federation.serve(port)
    ended = until(lambda: over(federation, run), _RUN_S, "the end of the run")
    assert ended["run"]["status"] == "done", ended["run"]["error"]
    assert [each["number"] for each in ended["rounds"]] == [1, 2, 3, 4]
    assert {each["accepted"] for each in ended["rounds"]} == {DEVICES}
    release = Recogniser.open(federation.data / "releases" / "0001")
    release.self_test()
    assert ended["run"]["summary"]["release"] == 1
    private = ("pupil-", "0.npz", "1.npz")
    assert not [word for word in private if word in federation.log("server")]
    stored = b"".join(path.read_bytes() for path in federation.data.rglob("*") if path.is_file())
    assert not [word for word in private if word.encode() in stored]


def seen(federation: Federation) -> bool:
    devices = federation.answer("devices", "list", "--data-dir", federation.data)["devices"]
    return len(devices) == DEVICES and all(device["last_seen_at"] for device in devices)


def over(federation: Federation, run: int) -> Any:
    found = federation.run(run)
    return found if found["run"]["status"] not in {"queued", "running"} else None


def killed(server: subprocess.Popen[bytes]) -> None:
    """Kills the supervisor, its server and the run's process, as a power cut would."""
    everything = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    for process in everything:
        process.kill()
    psutil.wait_procs(everything)
