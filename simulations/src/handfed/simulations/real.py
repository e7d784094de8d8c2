"""A real federation on this machine: a server and devices, as processes of the commands that people type.

Everything is in one folder: `server/` is the server's data directory, a device has a folder by its name, and beside
each is its log. Nothing is left running when the block is over.

    with real_federation(folder) as made:
        made.serve()
        made.join("north", "Clinic North", digits)
        made.take_part("north")
        made.answer("runs", "start")
"""

from __future__ import annotations

import json
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from handfed.shared.data_directory import database_url
from handfed.shared.errors import HandfedError

if TYPE_CHECKING:
    from handfed.shared.datasets import Dataset

HANDFED: Final = (sys.executable, "-c", "from handfed.shared.cli import main; main()")
PATIENCE_S: Final = 300.0
WRITERS: Final = 50  # each is held out with a chance of a fifth, and somebody has to be
PORTS: Final = range(20_000, 30_000)  # a system gives none of them to who asks for any port, or calls another
_LOOK_S: Final = 0.1
_END_S: Final = 60.0
_Found = TypeVar("_Found")


class RealFederationError(HandfedError):
    """A command failed, or what was waited for did not come."""


class RealFederation:
    """Commands and processes in one folder; `real_federation` makes one, and ends its processes.

    Attributes:
        server: The server's data directory.
        authority: The certificate of its CA, PEM.
        database: URL of its database.
        port: Where the server listens.
        processes: What was started to go on, by name; `server` is the server.

    Args:
        folder: Where everything is.
        database: URL of the server's database; None for the one in its data directory.
    """

    def __init__(self, folder: Path, database: str | None = None) -> None:
        self._folder = folder
        self.server = folder / "server"
        self.authority = self.server / "authority" / "ca.pem"
        self.database = database_url(self.server, database)
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._at_server = ("--data-dir", self.server, "--database", self.database)

    def serve(self) -> None:
        """Starts the server, and waits until it answers."""
        address = f"127.0.0.1:{self.port}"
        options = ("--host", "127.0.0.1", "--address", address, "--port", self.port)
        self.start("server", "serve", *options, *self._at_server)
        self.until(lambda: answers(self.port, self.authority), "the server's answer", "server")

    def join(self, name: str, organisation: str, file: Path, task: str = "digits") -> None:
        """Invites a device and has it join, and imports its handwriting.

        Args:
            name: The device; its folder is called so.
            organisation: Where it belongs.
            file: The handwriting.
            task: What that is of.
        """
        code = self.answer("invite", organisation)["code"]
        self.run("join", code, "--data", self._folder / name)
        given = ("--task", task, "--consent", "given", "--data", self._folder / name)
        self.run("device", "import", file, *given)

    def take_part(self, name: str, *options: object) -> None:
        """Starts a device that has joined.

        Args:
            name: The device.
            options: Of `handfed device run`.
        """
        self.start(name, "device", "run", "--data", self._folder / name, *options)

    def answer(self, *arguments: object) -> Any:  # noqa: ANN401 - what the command prints
        """What a command at the server prints as JSON; raises as `run`."""
        return json.loads(self.run(*arguments, *self._at_server, "--json"))

    def run(self, *arguments: object) -> str:
        """What a command prints.

        Raises:
            RealFederationError: It failed.
        """
        done = subprocess.run([*HANDFED, *map(str, arguments)], capture_output=True, text=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise RealFederationError(f"handfed {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def start(self, name: str, *arguments: object) -> None:
        """Starts a command that goes on until the block ends, with its log beside its folder."""
        with self._log(name).open("ab") as file:
            command = [*HANDFED, *map(str, arguments)]
            self.processes[name] = subprocess.Popen(command, stdout=file, stderr=file)  # noqa: S603 - our own

    def until(self, happened: Callable[[], _Found], what: str, name: str, *, limit_s: float = PATIENCE_S) -> _Found:
        """Waits for something, and gives what is true then.

        Args:
            happened: Looks whether it has.
            what: In words.
            name: The process on which it depends.
            limit_s: Seconds that it may take.

        Raises:
            RealFederationError: It has not by then, or the process has ended.
        """
        end = time.monotonic() + limit_s
        while not (found := happened()):
            if self.processes[name].poll() is not None:
                raise RealFederationError(f"{name} has ended without {what}: see {self._log(name)}")
            if time.monotonic() > end:
                raise RealFederationError(f"{what} did not come within {limit_s:g} s: see {self._log(name)}")
            time.sleep(_LOOK_S)
        return found

    def close(self) -> None:
        """Ends all processes, the last that was started first."""
        for process in reversed(self.processes.values()):
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


@contextmanager
def real_federation(folder: Path, database: str | None = None) -> Iterator[RealFederation]:
    """A federation whose processes end with the block; takes what `RealFederation` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    made = RealFederation(folder, database)
    try:
        yield made
    finally:
        made.close()


def write_handwriting(path: Path, dataset: Dataset, rows: Sequence[int], writers: int = WRITERS) -> None:
    """Writes some of a data set as a file that a device imports.

    Args:
        path: The `.npz` file.
        dataset: The data set.
        rows: Which of its samples.
        writers: How many people they are said to be of.
    """
    import numpy as np

    names = [f"pupil-{place % writers}" for place in range(len(rows))]
    taken = {"x": dataset.images[rows], "y": dataset.labels[rows], "class_names": list(dataset.alphabet.names)}
    np.savez(path, **taken, writer=names, allow_pickle=False)  # type: ignore[arg-type] # its stubs know arrays only


def answers(port: int, authority: Path) -> bool:
    """Whether a server with a certificate of a CA answers at a port of this machine; it listens before it does.

    Args:
        port: Which.
        authority: The CA's certificate, PEM; while that is not there, nothing answers.
    """
    import httpx

    try:
        context = ssl.create_default_context(cafile=authority)
        return httpx.get(f"https://127.0.0.1:{port}/health", verify=context, trust_env=False, timeout=20).is_success
    except (OSError, httpx.TransportError):
        return False


def listens(port: int) -> bool:
    """Whether something listens at a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port of this machine at which nothing listens, and which is hardly anybody else's when it is used."""
    while True:
        port = secrets.choice(PORTS)
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port
