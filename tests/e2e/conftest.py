"""A federation of real processes, by the commands that people type, in one folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import pytest

from handfed.server.database import open_database
from handfed.server.runs.service import RunRecord
from handfed.shared.datasets import Dataset
from handfed.simulations.real import answers, free_port, write_handwriting

HERE = Path(__file__).parent
HANDFED = (sys.executable, "-c", "from handfed.shared.cli import main; main()")
START_S = 300.0  # of a busy machine, whose imports take minutes
RUN_S = 400.0
END_S = 120.0


@dataclass
class Federation:
    """A server and its devices: their folders, processes and logs."""

    folder: Path
    digits: Dataset
    data: Path  # the server's
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _opened: ExitStack = field(init=False, default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.port = free_port()

    def device(self, number: int) -> Path:
        return self.folder / f"device{number}"

    def handfed(self, *arguments: object, status: int = 0) -> str:
        """What a command prints, which must end with this status."""
        done = subprocess.run([*HANDFED, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        return done.stdout

    @staticmethod
    def refused(*arguments: object) -> str:
        """What a command says that fails."""
        done = subprocess.run(
            [*HANDFED, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=START_S
        )
        assert done.returncode != 0, (arguments, done.stdout)
        return done.stderr

    def answer(self, *arguments: object, status: int = 0) -> Any:
        return json.loads(self.handfed(*arguments, "--json", status=status))

    def start(self, name: str, *arguments: object) -> None:
        self._start(name, HANDFED, arguments)

    def serve(self, address: str = "", *options: object) -> None:
        """Starts the server, with more options if need be, and waits until it answers."""
        served = self.times_served()
        address = address or f"127.0.0.1:{self.port}"
        self.start("server", "serve", "--data-dir", self.data, "--address", address, "--port", self.port, *options)
        self.until(lambda: self.times_served() > served, "server", START_S)
        authority = self.data / "authority" / "ca.pem"
        self.until(lambda: answers(self.port, authority), "answer of the server", START_S)

    def times_served(self) -> int:
        """How often a server has begun to serve."""
        return self.log("server").count("serving at port")

    def join(self, number: int, *, port: int | None = None) -> None:
        """Has a device join, by way of another port if need be, and gives it 300 real digits."""
        invited = self.answer("invite", f"School {number}", "--data-dir", self.data)["code"]
        if port is not None:
            invited = self.through(invited, port)
        self.handfed("join", invited, "--name", f"room {number}", "--data", self.device(number))
        file = self.handwriting(number)
        self.handfed("device", "import", file, "--task", "digits", "--consent", "given", "--data", self.device(number))

    @staticmethod
    def through(code: str, port: int) -> str:
        """An invitation to the same server at another port of this machine."""
        from handfed.shared.invitation import Invitation

        invitation = Invitation.decode(code)
        return Invitation(f"127.0.0.1:{port}", invitation.fingerprint, invitation.secret).encode()

    def run_device(self, number: int, *options: object) -> None:
        """Starts a device as its operator does."""
        options = ("--threads", 1, "--nice", 0, *options)
        self.start(f"device{number}", "device", "run", "--data", self.device(number), *options)
        self.until_device(number, "waiting")

    def run_faulty_device(self, number: int, **options: Any) -> None:
        """Starts a device that goes wrong: see `faulty_device`."""
        given = json.dumps({"folder": str(self.device(number)), **options})
        self._start(f"device{number}", (sys.executable, str(HERE / "faulty_device.py")), (given,))
        self.until_device(number, "waiting")

    def start_run(self, **settings: object) -> int:
        """Starts a run of digits; its number."""
        given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        return int(self.answer("runs", "start", "--task", "digits", *given, "--data-dir", self.data)["run"]["id"])

    def run(self, number: int) -> Any:
        return self.answer("runs", "show", number, "--data-dir", self.data)

    def rounds(self, number: int) -> int:
        """How many rounds of a run are on record."""
        return self.record.get(number).rounds

    def ended(self, number: int) -> Any:
        """What is on record of a run when it is over."""
        self.until(lambda: self.record.get(number).status not in {"queued", "running"}, f"end of run {number}")
        return self.run(number)

    @cached_property
    def record(self) -> RunRecord:
        """The record, read without a command: who looks five times a second does not start as many processes."""
        return RunRecord(self._opened.enter_context(open_database(f"sqlite:///{self.data / 'handfed.db'}")))

    def status(self, number: int) -> Any:
        """What a device says of itself, without a command."""
        path = self.device(number) / "status.json"
        return json.loads(path.read_bytes()) if path.exists() else {"state": None}

    def until_device(self, number: int, *states: str) -> None:
        self.until(lambda: self.status(number)["state"] in states, f"{'/'.join(states)} of device {number}")

    def devices(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.answer("devices", "list", "--data-dir", self.data)["devices"]
        return found

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def until(self, happened: Callable[[], Any], what: str, seconds: float = RUN_S) -> Any:
        """Waits for something true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := happened():
                return found
            time.sleep(0.2)
        tails = [f"{path.name}:\n{path.read_text(errors='replace')[-1500:]}" for path in self.folder.glob("*.log")]
        pytest.fail("\n".join([f"no {what} within {seconds:g} s", *sorted(tails)]))

    def children(self, name: str) -> list[psutil.Process]:
        """The processes below a started one, the outermost first."""
        found: list[psutil.Process] = psutil.Process(self.processes[name].pid).children(recursive=True)
        return found

    def kill(self, name: str) -> None:
        """Kills a process and all below it, as a power cut would."""
        everything = [psutil.Process(self.processes[name].pid), *self.children(name)]
        for process in everything:
            process.kill()
        self.processes.pop(name).wait()
        psutil.wait_procs(everything)

    def end(self, name: str) -> int:
        """Has a process end; its exit status."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(END_S)

    def close(self) -> None:
        """Ends all processes, and closes the record."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._opened.close()

    def _start(self, name: str, command: tuple[str, ...], arguments: tuple[object, ...]) -> None:
        (self.folder / name / "status.json").unlink(missing_ok=True)  # of a device that was killed
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*command, *map(str, arguments)], stdout=log, stderr=log, env=environment
            )

    def handwriting(self, number: int) -> Path:
        """A file of 300 real digits of made-up writers."""
        path = self.folder / f"pages-of-{number}.npz"
        write_handwriting(path, self.digits, range(400 * number, 400 * number + 300))
        return path


class Wire:
    """A TCP connection to the server that can be cut: nothing comes through until it is mended."""

    def __init__(self, onward: int) -> None:
        self._onward = onward
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._flows = threading.Event()
        self._flows.set()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self, *, lossy: bool = False) -> None:
        """Holds what is sent until it is mended, as TCP does; lossy: what is under way is lost, as behind a NAT."""
        self._flows.clear()
        while lossy and self._sockets:
            with suppress(OSError):
                self._sockets.pop().shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._flows.set()

    def close(self) -> None:
        self._listener.close()
        self.cut(lossy=True)
        self.mend()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._flows.wait()
                try:
                    far = socket.create_connection(("127.0.0.1", self._onward))
                except OSError:  # the server is down
                    near.close()
                    continue
                self._sockets += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError), source, sink:
            while content := source.recv(65_536):
                self._flows.wait()
                sink.sendall(content)


@pytest.fixture(scope="module")
def new_wire() -> Iterator[Callable[[int], Wire]]:
    """Makes wires that end with the module."""
    made: list[Wire] = []

    def make(onward: int) -> Wire:
        made.append(Wire(onward))
        return made[-1]

    yield make
    for wire in made:
        wire.close()


NewFederation = Callable[[], Federation]


@pytest.fixture(scope="module")
def new_federation(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Iterator[NewFederation]:
    """Makes federations that end with the module."""
    made: list[Federation] = []

    def make() -> Federation:
        folder = tmp_path_factory.mktemp("federation")
        made.append(Federation(folder, digits, folder / "server"))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def federation(new_federation: NewFederation) -> Federation:
    return new_federation()
