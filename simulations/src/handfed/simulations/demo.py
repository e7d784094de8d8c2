"""Demonstrations of a whole federation on this machine.

    handfed demo federation     a server and three devices, as real as they come, to a published release
    handfed demo dashboard      the same, to look at in a browser, run after run, until it is ended

Every step is a command that a person would type, run as a process of its own: TLS, a key and handwriting of its own for
each device, and a run over the network of this machine. Nothing of it is left over but the folder, which it names.

Exit status: 0 a release was published; 1 a step failed, and its output is shown.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from handfed.simulations.real import RealFederation

commands = typer.Typer(help="Demonstrations.", no_args_is_help=True)

IMAGES: Final = 600  # a device
ROUNDS: Final = 3
DASHBOARD_ROUNDS: Final = 12
WRITERS: Final = 100  # of a device: a fifth is held out, and from ten on it tells of them
_LEFT: Final = Path("first-admin-token")  # in the server's data directory, by itself
_DEVICES: Final = {"device1": "Clinic North", "device2": "School South", "device3": "School West"}
_QUIET_S: Final = 600.0  # without a round, after which something is wrong
_LOOK_S: Final = 0.5


@commands.command()
def federation(
    folder: Annotated[
        Path | None, typer.Option(help="Where it is kept; it must be empty. [a new folder]", show_default=False)
    ] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of the run.", min=2, max=1000)] = ROUNDS,
) -> None:
    """Start a server and three devices here, train three rounds, and publish."""
    from rich.console import Console

    from handfed.simulations.real import RealFederationError, real_federation

    console = Console(highlight=False, markup=False, soft_wrap=True)
    place = folder or Path(tempfile.mkdtemp(prefix="handfed-demo-"))
    started = time.monotonic()

    def tell(text: str) -> None:
        console.print(f"{time.monotonic() - started:6.1f} s  {text}")

    with real_federation(place) as made:
        made.serve()
        tell(f"the server is at 127.0.0.1:{made.port}, with a certificate authority of its own")
        for number, (name, organisation) in enumerate(_DEVICES.items()):
            made.join(name, organisation, _handwriting(place / f"{name}.npz", number))
            tell(f"{organisation} has joined with a key that it made")
            made.take_part(name, "--threads", 1, "--nice", 0)
        made.until(lambda: _all_seen(made), "contact with every device", "server")
        tell("all devices are there; TensorFlow is loaded when the first message comes")
        settings = (f"rounds={rounds}", "qat_rounds=1", "evaluate_every=1", "float_margin=1.0")
        asked = [part for each in settings for part in ("--set", each)]
        found = _followed(made, made.answer("runs", "start", *asked)["run"]["id"], tell)
    summary = found["run"]["summary"]
    if summary is None:
        raise RealFederationError(
            f"the run is {found['run']['status']}: {found['run']['error']}; see {place}/server.log"
        )
    tell(
        f"release {summary['release']} is published: {summary['size_bytes'] / 1000:.0f} KB, which read"
        f" {summary['accuracy_int8']:.1%} of {summary['samples']} digits that no device trained on"
    )
    console.print(f"\nAll of it is in {place}; no page left the devices there.")


@commands.command()
def dashboard(
    folder: Annotated[
        Path | None, typer.Option(help="Where it is kept; it must be empty. [a new folder]", show_default=False)
    ] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of each run.", min=2, max=1000)] = DASHBOARD_ROUNDS,
    runs: Annotated[int, typer.Option(help="End after so many runs. [Ctrl+C]", min=0, show_default=False)] = 0,
) -> None:
    """Start a federation here that trains, and tell where to look at it in a browser."""
    from rich.console import Console

    from handfed.simulations.real import real_federation

    console = Console(highlight=False, markup=False, soft_wrap=True)
    place = folder or Path(tempfile.mkdtemp(prefix="handfed-demo-"))
    started = time.monotonic()

    def tell(text: str) -> None:
        console.print(f"{time.monotonic() - started:6.1f} s  {text}")

    with real_federation(place) as made:
        made.serve()
        token = made.server / _LEFT
        made.until(token.exists, "a token", "server")
        secret = token.read_text("ascii").strip()
        console.print(f"Look at  https://127.0.0.1:{made.port}/dashboard/", style="bold")
        console.print(f"Log in with  {secret}")
        console.print(
            "The browser warns, since the certificate is of the federation's own authority; go on. End with Ctrl+C.\n"
        )
        try:
            _shown(made, place, rounds, runs, tell)
        except KeyboardInterrupt:
            tell("it ends")
    console.print(f"\nAll of it is in {place}.")


def _shown(made: RealFederation, place: Path, rounds: int, runs: int, tell: Callable[[str], None]) -> None:
    """Has devices join while the first run begins, and one run follow another."""
    settings = (f"rounds={rounds}", f"qat_rounds={max(rounds // 5, 1)}", "evaluate_every=1", "float_margin=1.0")
    asked = [part for each in settings for part in ("--set", each)]
    first: int | None = None
    for number, (name, organisation) in enumerate(_DEVICES.items()):
        made.join(name, organisation, _handwriting(place / f"{name}.npz", number, WRITERS))
        made.take_part(name, "--threads", 1, "--nice", 5)
        tell(f"{organisation} has joined")
        if first is None:  # the others take part from the round on in which they are there
            first = made.answer("runs", "start", *asked)["run"]["id"]
            tell(f"run {first} begins")
    done = 0
    run = first
    while run is not None:
        summary = _followed(made, run, tell)["run"]["summary"]
        tell(f"run {run} is over" + (f": release {summary['release']} is published" if summary else ""))
        done += 1
        run = None if done == runs else made.answer("runs", "start", *asked)["run"]["id"]


def _followed(made: RealFederation, run: int, tell: Callable[[str], None]) -> Any:  # noqa: ANN401 - what the command prints
    """What is on record of a run when it has ended, told round by round."""
    from handfed.simulations.real import RealFederationError

    shown, quiet_since = 0, time.monotonic()
    while True:
        found = made.answer("runs", "show", run)
        for each in found["rounds"][shown:]:
            shown, quiet_since = shown + 1, time.monotonic()
            accuracy = "" if each["accuracy"] is None else f", {each['accuracy']:.1%} right"
            tell(f"round {each['number']}: {each['accepted']} devices in {each['seconds']:.1f} s{accuracy}")
        if found["run"]["status"] not in {"queued", "running"}:
            return found
        if time.monotonic() - quiet_since > _QUIET_S:
            raise RealFederationError(f"run {run} does not go on: see the logs beside {made.server}")
        time.sleep(_LOOK_S)


def _handwriting(path: Path, number: int, writers: int | None = None) -> Path:
    """Some of the digits that are always there, as a device's own."""
    import numpy as np

    from handfed.clients.datasets import read
    from handfed.simulations.real import write_handwriting

    dataset = read("mnist5k", "digits")
    rows = np.random.default_rng(0).permutation(len(dataset))[number * IMAGES : (number + 1) * IMAGES]
    write_handwriting(path, dataset, rows.tolist(), *(() if writers is None else (writers,)))
    return path


def _all_seen(made: RealFederation) -> bool:
    devices = made.answer("devices", "list")["devices"]
    return len(devices) == len(_DEVICES) and all(device["last_seen_at"] for device in devices)
