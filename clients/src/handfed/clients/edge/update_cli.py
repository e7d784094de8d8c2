"""`handfed edge pull`, `status`, `list` and `rollback`: which release a device uses.

`pull --json` prints an object of outcome (switched, kept, quarantined, returned or nothing), release (which the
registry says), current (which is used now) and message. `status --json`: task, follows, current, proved (it has read a
picture), path, previous, quarantined (reasons by release), pulled_at, and facts (what, release, reason, at, times),
oldest first. `list --json`: a list of release, use (current, previous, quarantined or left over), reason, size_bytes
and created_at. `rollback --json`: left and current. Releases are numbers or null.

Exit status of `pull`: 0 done, 1 refused, unreachable or in quarantine, 2 wrong use. Of `status`: 0 there is a release
to use, 1 there is none.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from handfed.clients.device import folder as device_folder
from handfed.shared.parent import child
from handfed.shared.printable import printable

if TYPE_CHECKING:
    from handfed.clients.edge.conditions import Conditions
    from handfed.clients.edge.source import Source
    from handfed.clients.edge.store import Store
    from handfed.clients.edge.updater import Pulled, PullSettings

commands = typer.Typer(
    help="Pull releases from the federation, and see which one this device uses.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--data", help="The device's folder. [HANDFED_DEVICE_DIR, or ~/.local/share/handfed-device]", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

_SHOWN_FACTS: Final = 5
_LONGEST_REST_S: Final = 3600.0


class Channels(StrEnum):
    """Which releases a device takes."""

    STABLE = "stable"
    CANARY = "canary"


@commands.command()
def pull(  # noqa: PLR0917 - options, which a person names
    channel: Annotated[
        Channels | None,
        typer.Option(help="Follow this channel from now on: canary gets releases first.", show_default=False),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="What is to be read, where the registry has several tasks.", show_default=False)
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try what is in quarantine once more.")] = False,
    latency_ms: Annotated[
        float, typer.Option(min=0.0, help="What reading a picture may take at most; 0 for the usual.")
    ] = 0.0,
    watch: Annotated[bool, typer.Option("--watch", help="Go on pulling, until stopped by Ctrl+C or SIGTERM.")] = False,
    every: Annotated[float, typer.Option(min=1.0, help="With --watch: minutes between two pulls, on average.")] = 60.0,
    hours: Annotated[
        str | None,
        typer.Option(help="With --watch: only then, by this machine's clock: 22:00-06:00.", show_default=False),
    ] = None,
    on_battery: Annotated[bool, typer.Option("--on-battery", help="With --watch: on a battery, too.")] = False,
    metered: Annotated[bool, typer.Option("--metered", help="With --watch: over a metered network, too.")] = False,
    server: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="The server, for a device that has not joined.", show_default=False),
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="Likewise the federation's CA.", show_default=False)] = None,
    root: Annotated[Path | None, typer.Option(help="Likewise the root of its registry.", show_default=False)] = None,
    data: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Pull the release that this device is to use, try it, and switch to it."""
    from handfed.clients.edge.fetcher import Limits
    from handfed.clients.edge.health import LATENCY_MS
    from handfed.clients.edge.source import locate
    from handfed.clients.edge.store import Store
    from handfed.clients.edge.updater import PullSettings

    folder = device_folder.locate(data)
    settings = PullSettings(task, channel.value if channel else None, retry, latency_ms or LATENCY_MS, Limits())
    store = Store(folder)
    if watch:
        from handfed.clients.device.hours import Hours
        from handfed.clients.edge.conditions import Conditions

        conditions = Conditions(not on_battery, not metered, Hours.parse(hours) if hours else None)
        locate(folder, server, ca, root)  # what is missing is said at once
        # Asked anew each time: the device may join another federation, or change its key.

        def pull_once() -> str:
            try:
                return _pull(store, locate(folder, server, ca, root), settings).message
            finally:
                _report(folder)

        _watch(pull_once, conditions, every * 60)
        return
    try:
        pulled = _pull(store, locate(folder, server, ca, root), settings, shown=not as_json)
    finally:
        _report(folder)
    if as_json:
        typer.echo(json.dumps({name: getattr(pulled, name) for name in pulled.__dataclass_fields__}))
    else:
        typer.echo(printable(_sentence(pulled.message)))
    raise typer.Exit(1 if pulled.outcome == "quarantined" else 0)


def _pull(store: Store, source: Source, settings: PullSettings, *, shown: bool = False) -> Pulled:
    from handfed.clients.edge import tables
    from handfed.clients.edge.updater import pull as pull_once

    errors = tables.error_console()
    with tables.download(errors, shown=shown and errors.is_terminal) as progress:
        return pull_once(store, source, settings, progress)


def _report(folder: Path) -> None:
    """Has the server told how this device stands with releases, where it has joined and has what that takes."""
    from importlib.util import find_spec

    from handfed.clients.device import credentials

    if credentials.is_joined(folder) and find_spec("httpx") is not None:  # of the extra `device`
        command = child("handfed.clients.device.release_upkeep", folder, "report")
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # noqa: S603 - our own


def _watch(pull_once: Callable[[], str], conditions: Conditions, every_s: float) -> None:
    import secrets
    import signal
    import sys
    import time
    from datetime import datetime

    from handfed.clients.edge.watch import Surroundings, watch

    def wait(seconds: float) -> bool:
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            time.sleep(min(rest, _LONGEST_REST_S))
        return False

    # A pull may be ended anywhere; what is on the disk is right at each moment.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    world = Surroundings(
        clock=lambda: datetime.now().astimezone(),
        draw=secrets.SystemRandom().random,
        wait=wait,
        say=lambda text: typer.echo(printable(text)),  # which flushes
    )
    try:
        watch(pull_once, conditions, every_s, world)
    except KeyboardInterrupt:
        return


@commands.command()
def status(data: Folder = None, as_json: AsJson = False) -> None:
    """Tell which release this device uses, and what happened lately."""
    from handfed.clients.edge.store import Store, number_of

    store = Store(device_folder.locate(data))
    state = store.state()
    current = state.current
    document: dict[str, Any] = {
        "task": state.task,
        "follows": state.follows,
        "current": number_of(current) if current else None,
        "proved": state.proved,
        "path": str(store.path(current)) if current else None,
        "previous": [number_of(name) for name in state.previous],
        "quarantined": {str(number_of(name)): str(each.reason) for name, each in state.quarantined.items()},
        "pulled_at": state.pulled_at,
        "facts": [
            {
                "what": fact.what,
                "release": number_of(fact.release) if fact.release else None,
                "reason": fact.reason,
                "at": fact.at,
                "times": fact.times,
            }
            for fact in state.facts
        ],
    }
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        _tell(document)
    raise typer.Exit(0 if current else 1)


@commands.command(name="list")
def list_releases(data: Folder = None, as_json: AsJson = False) -> None:
    """Show the releases on this device, newest first, and those in quarantine."""
    from handfed.clients.edge.store import Store, number_of
    from handfed.shared.errors import HandfedError
    from handfed.shared.manifest import read_manifest

    store = Store(device_folder.locate(data))
    state = store.state()
    rows: list[dict[str, Any]] = []
    for name in sorted({*store.on_disk(), *state.quarantined}, key=lambda name: (number_of(name), name), reverse=True):
        reason = state.quarantined.get(name)
        use = "current" if name == state.current else "previous" if name in state.previous else "left over"
        row: dict[str, Any] = {
            "release": number_of(name),
            "use": "quarantined" if reason else use,
            "reason": str(reason.reason) if reason else None,
            "size_bytes": None,
            "created_at": None,
        }
        try:
            manifest = read_manifest(store.path(name))
            row |= {"size_bytes": manifest.model.size_bytes, "created_at": manifest.created_at}
        except HandfedError:  # not here any more, or damaged
            pass
        rows.append(row)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        typer.echo("This device holds no release; run handfed edge pull.")
    for row in rows:
        size = f"{row['size_bytes'] / 1e6:.2f} MB" if row["size_bytes"] else ""
        use = f"{row['use']} ({row['reason']})" if row["reason"] else row["use"]
        typer.echo(f"{row['release']:>6}  {use:26}{size:>10}  {printable(row['created_at'] or '')}".rstrip())


@commands.command()
def rollback(data: Folder = None, as_json: AsJson = False) -> None:
    """Go back to the release before; the one that is left stays in quarantine until `pull --retry`."""
    from handfed.clients.edge.state import Reason
    from handfed.clients.edge.store import Store, number_of
    from handfed.shared.errors import UpdateError

    store = Store(device_folder.locate(data))
    state = store.state()
    if state.current is None or not state.previous:
        raise UpdateError("this device holds no release to go back to; see handfed edge list")
    current = store.give_up(state.current, Reason.BY_HAND)
    left, used = number_of(state.current), number_of(current) if current else None
    if as_json:
        typer.echo(json.dumps({"left": left, "current": used}))
    else:
        typer.echo(f"Release {used} is in use now; release {left} stays away until handfed edge pull --retry.")


def _tell(document: dict[str, Any]) -> None:
    used = document["current"]
    state = "none: run handfed edge pull" if used is None else f"release {used} of {document['task']}"
    if used is not None and not document["proved"]:
        state += ", which has not read anything yet"
    quarantined = ", ".join(f"{name} ({reason})" for name, reason in document["quarantined"].items())
    for title, value in (
        ("in use", state),
        ("where", document["path"] or "nowhere"),
        ("before it", ", ".join(map(str, document["previous"])) or "none"),
        ("in quarantine", quarantined or "none"),
        ("follows", document["follows"]),
        ("registry asked", document["pulled_at"] or "never"),
    ):
        typer.echo(f"{title:18}{value}")
    for fact in document["facts"][-_SHOWN_FACTS:]:
        release = "" if fact["release"] is None else f" release {fact['release']}"
        reason = f" ({fact['reason']})" if fact["reason"] else ""
        times = f", {fact['times']} times" if fact["times"] > 1 else ""
        typer.echo(f"{fact['at']:27}{fact['what']}{release}{reason}{times}")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
