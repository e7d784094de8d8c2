"""`handfed demo federation`: a server and three devices on this machine, as real as they come, to a published release.

Every step is a command that a person would type, run as a process of its own: TLS, a key and handwriting of its own for
each device, and a run over the network of this machine. Nothing of it is left over but the folder, which it names.

Exit status: 0 a release was published; 1 a step failed, and its output is shown.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from handfed.shared.errors import HandfedError

commands = typer.Typer(help="Demonstrations.", no_args_is_help=True)

DEVICES: Final = 3
IMAGES: Final = 600  # a device
ROUNDS: Final = 3
_HANDFED: Final = (sys.executable, "-c", "from handfed.shared.cli import main; main()")
_PATIENCE_S: Final = 300.0
_END_S: Final = 30.0
_NAMES: Final = ("Clinic North", "School South", "School West")


class DemoError(HandfedError):
    """A step of the demonstration failed."""


@commands.callback()
def _group() -> None:
    """A group, though it has one command."""


@commands.command()
def federation(
    folder: Annotated[
        Path | None, typer.Option(help="Where it is kept; it must be empty. [a new folder]", show_default=False)
    ] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of the run.", min=2, max=1000)] = ROUNDS,
) -> None:
    """Start a server and three devices here, train three rounds, and publish."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    place = folder or Path(tempfile.mkdtemp(prefix="handfed-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    def tell(text: str) -> None:
        console.print(f"{time.monotonic() - started:6.1f} s  {text}")

    with _processes() as start:
        server = place / "server"
        port = _free_port()
        address = f"127.0.0.1:{port}"
        options = ("--host", "127.0.0.1", "--address", address, "--port", port)
        start(place / "server.log", "serve", "--data-dir", server, *options)
        _until(lambda: _listens(port), "the server's answer", place / "server.log")
        tell(f"the server is at {address}, with a certificate authority of its own")
        for number in range(DEVICES):
            device = place / f"device{number + 1}"
            _handwriting(device.with_suffix(".npz"), number)
            code = json.loads(_handfed("invite", _NAMES[number], "--data-dir", server, "--json"))["code"]
            _handfed("join", code, "--data", device)
            tell(f"{_NAMES[number]} has joined with a key that it made")
            given = ("--task", "digits", "--consent", "given", "--data", device)
            _handfed("device", "import", device.with_suffix(".npz"), *given)
            start(place / f"device{number + 1}.log", "device", "run", "--data", device, "--threads", 1, "--nice", 0)
        settings = (f"rounds={rounds}", "qat_rounds=1", "evaluate_every=1", "float_margin=1.0")
        asked = [part for each in settings for part in ("--set", each)]
        _until(lambda: _all_seen(server), "contact with every device", place / "device1.log")
        tell("all devices are there; TensorFlow is loaded when the first message comes")
        run = json.loads(_handfed("runs", "start", *asked, "--data-dir", server, "--json"))["run"]["id"]
        found = _followed(server, run, tell)
    summary = found["run"]["summary"]
    if summary is None:
        raise DemoError(f"the run is {found['run']['status']}: {found['run']['error']}; see {place / 'server.log'}")
    tell(
        f"release {summary['release']} is published: {summary['size_bytes'] / 1000:.0f} KB, which read"
        f" {summary['accuracy_int8']:.1%} of {summary['samples']} digits that no device trained on"
    )
    console.print(f"\nAll of it is in {place}; no page left the devices there.")


def _followed(server: Path, run: int, tell: Callable[[str], None]) -> Any:  # noqa: ANN401 - what the command prints
    """What is on record of a run when it has ended, told round by round."""
    shown, quiet_since = 0, time.monotonic()
    while True:
        found = json.loads(_handfed("runs", "show", run, "--data-dir", server, "--json"))
        for each in found["rounds"][shown:]:
            shown, quiet_since = shown + 1, time.monotonic()
            accuracy = "" if each["accuracy"] is None else f", {each['accuracy']:.1%} right"
            tell(f"round {each['number']}: {each['accepted']} devices in {each['seconds']:.1f} s{accuracy}")
        if found["run"]["status"] not in {"queued", "running"}:
            return found
        if time.monotonic() - quiet_since > 2 * _PATIENCE_S:
            raise DemoError(f"run {run} does not go on: see the logs beside {server}")
        time.sleep(0.5)


def _handwriting(path: Path, number: int) -> None:
    """Some of the digits that are always there, as a device's own."""
    import numpy as np

    from handfed.clients.datasets import read

    dataset = read("mnist5k", "digits")
    rows = np.random.default_rng(0).permutation(len(dataset))[number * IMAGES : (number + 1) * IMAGES]
    writers = np.array([f"writer {row % 10}" for row in range(IMAGES)])
    names = list(dataset.alphabet.names)
    np.savez(
        path, x=dataset.images[rows], y=dataset.labels[rows], class_names=names, writer=writers, allow_pickle=False
    )


def _handfed(*arguments: object) -> str:
    """What a command prints.

    Raises:
        DemoError: It failed.
    """
    done = subprocess.run([*_HANDFED, *map(str, arguments)], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise DemoError(f"handfed {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def _processes() -> Iterator[Callable[..., None]]:
    """Starts commands that go on until the block ends, each with its log."""
    going: list[subprocess.Popen[bytes]] = []

    def start(log: Path, *arguments: object) -> None:
        with log.open("ab") as file:
            going.append(subprocess.Popen([*_HANDFED, *map(str, arguments)], stdout=file, stderr=file))  # noqa: S603

    try:
        yield start
    finally:
        for process in reversed(going):
            process.send_signal(signal.SIGTERM)
        for process in going:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until(happened: Callable[[], bool], what: str, log: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not happened():
        if time.monotonic() > end:
            raise DemoError(f"{what} did not come within {_PATIENCE_S:g} s: see {log}")
        time.sleep(0.2)


def _all_seen(server: Path) -> bool:
    devices = json.loads(_handfed("devices", "list", "--data-dir", server, "--json"))["devices"]
    return len(devices) == DEVICES and all(device["last_seen_at"] for device in devices)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
