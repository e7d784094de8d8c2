"""`handfed device run` and `handfed device status`.

`status --json` prints one object: running, well, state, since, written_at, started_at, last_contact, trained, answered,
failed, last_error (at, text; or null), and handwriting: a list of kind, height, training, held_out and unusable, or
null where it cannot be read. Where the device never ran, state is null and what follows it is missing.

Exit status of `run`: 0 stopped by a signal, 2 wrong use (it runs already, Windows), 3 the server took its key back, 1
anything else. Of `status`: 0 all is well, 1 it is not.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from handfed.clients.device import folder as device_folder
from handfed.clients.device.store.cli import AsJson, DataDir
from handfed.shared.errors import HandfedError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

_PATIENCE_S: Final = 1.0


def run(
    *,
    data: DataDir = None,
    hours: Annotated[
        str | None, typer.Option(help="Take part only then, by this machine's clock: 22:00-06:00.", show_default=False)
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Threads that train; 0 for all cores.")] = 0,
    niceness: Annotated[
        int, typer.Option("--nice", min=0, max=19, help="How far training stands back behind other programs.")
    ] = 10,
    memory_mb: Annotated[
        int, typer.Option(min=0, help="Memory at which training is ended, in MB (Linux); 0 for no limit.")
    ] = 0,
    step_minutes: Annotated[float, typer.Option(min=0.1, help="Longest that one request may take.")] = 60.0,
    idle_minutes: Annotated[
        float, typer.Option(min=0.0, help="How long TensorFlow stays in memory when there is nothing to do.")
    ] = 15.0,
    releases_minutes: Annotated[
        float, typer.Option(min=0.0, help="How often to ask which release to use; 0 for never.")
    ] = 5.0,
) -> None:
    """Take part in the federation, until stopped by Ctrl+C or SIGTERM."""
    check_platform(platform.system())
    from handfed.clients.device.hours import Hours
    from handfed.clients.device.run import run as run_device
    from handfed.clients.device.supervisor import DeviceSettings
    from handfed.clients.device.trainer_process import Limits

    limits = Limits(threads, niceness, memory_mb * 1_000_000, step_minutes * 60, idle_minutes * 60)
    settings = DeviceSettings(limits, Hours.parse(hours) if hours else None, releases_s=releases_minutes * 60)
    run_device(device_folder.locate(data), settings)


def status(*, data: DataDir = None, as_json: AsJson = False) -> None:
    """Tell whether the device runs, what it does, and what it trains with."""
    from datetime import UTC, datetime

    check_platform(platform.system())
    found = examine(device_folder.locate(data), datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _tell(found)
    raise typer.Exit(0 if found["well"] else 1)


def check_platform(system: str) -> None:
    """Refuses a system on which devices do not work.

    Args:
        system: As `platform.system()` names it.

    Raises:
        UsageError: It is Windows.
    """
    if system == "Windows":
        raise UsageError("a device does not run on Windows: use Linux (x86-64 or aarch64), macOS, or Linux under WSL 2")


def examine(folder: Path, now: datetime) -> dict[str, Any]:
    """What `--json` prints.

    Args:
        folder: The device's folder.
        now: Aware.
    """
    from handfed.clients.device import status as device_status

    said = device_status.read(folder)
    running = _is_running(folder)
    stale = said is not None and device_status.is_stale(said, now)
    found: dict[str, Any] = {"running": running, "well": False, "state": None}
    if said is not None:
        found |= {name: value for name, value in said.items() if name != "format"}
        found["well"] = running and not stale and said.get("state") in device_status.WELL
    found["stale"] = stale
    found["handwriting"] = _handwriting(folder)
    return found


def _is_running(folder: Path) -> bool:
    """Whether a process has the device's lock."""
    from handfed.clients.device.status import LOCK
    from handfed.shared.errors import SettingError
    from handfed.shared.files import held

    if not (folder / LOCK).exists():
        return False
    try:
        with held(folder / LOCK, what="the device"):
            return False
    except SettingError:
        return True


def _handwriting(folder: Path) -> list[dict[str, Any]] | None:
    from handfed.clients.device.store.store import Store

    try:
        with Store.open(device_folder.store_in(folder), make=False, patience_s=_PATIENCE_S) as store:
            kinds = store.contents().kinds
    except HandfedError:
        return None
    names = ("kind", "height", "training", "held_out", "unusable")
    return [{name: getattr(kind, name) for name in names} for kind in kinds]


def _tell(found: dict[str, Any]) -> None:
    lines = [("device", _state_words(found))]
    if found["state"] is not None:
        error = found["last_error"]
        counts = f"{found['trained']} times trained, {found['answered']} answers, {found['failed']} failures"
        lines += [
            ("last contact", found["last_contact"] or "none yet"),
            ("since it started", f"{found['started_at']}: {counts}"),
            ("last trouble", f"{error['at']}: {error['text']}" if error else "none"),
        ]
    held = found["handwriting"]
    if held is None:
        lines.append(("handwriting", "none yet, or locked; see handfed device samples"))
    for kind in held or ():
        counts = f"{kind['training']:,} to train, {kind['held_out']:,} held out, {kind['unusable']:,} without consent"
        lines.append(("handwriting", f"{kind['kind']}, {kind['height']} pixels high: {counts}"))
    for title, value in lines:
        typer.echo(f"{title:18}{value}")


def _state_words(found: dict[str, Any]) -> str:
    state, since = found["state"], found.get("since")
    if state is None:
        return "has not run yet"
    if not found["running"]:
        ended = {"stopped": "it was stopped", "revoked": "its key was revoked", "error": "it failed"}
        return f"does not run: {ended.get(state, 'it was killed, or never started')}"
    if found["stale"]:
        return "runs, and has not said anything for minutes: see whether its disk is full"
    return f"{state} since {since}"
