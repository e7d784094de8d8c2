"""`handfed invite` and `handfed devices`: who may join, and who has.

They work on the database of the server on this machine, as whoever runs them; the audit log names their account. A
running server sees to it that a revoked device is let in no more.

`handfed invite --json` prints `{"code": ..., "invitation": {number, organisation, invited_by, name, max_samples, state,
created_at, expires_at, used_by}}`.
`handfed devices list --json` prints `{"devices": [device, ...]}`; `rename` and `revoke` print `{"device": device}`, and
`show` prints `{"device": device, "history": [...]}`. A device is an object of number, organisation, name, state
(enrolled, revoked), public_key, fingerprint, node_id, max_samples, versions, enrolled_at, revoked_at, last_seen_at. Its
history has an object for each run, newest first: run, rounds (that asked it), accepted, late, rejected (an object: how
many by reason), samples, bytes_up, last_round, last_at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from handfed.server import terminal, wording
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from handfed.server.api.services import Services
    from handfed.server.database import Database
    from handfed.server.devices.values import Device, Participation

_MOST_RUNS = 10  # that a terminal shows, the newest

devices = typer.Typer(help="Devices that have joined.", no_args_is_help=True)
DeviceNumber = Annotated[int, typer.Argument(help="Number of the device.", show_default=False)]


def invite(
    organisation: Annotated[
        str, typer.Argument(help="Name of the school or clinic, such as 'Clinic North'.", show_default=False)
    ],
    expires: Annotated[str, typer.Option(help="How long the code can be used: 90m, 24h, 7d.")] = "24h",
    max_samples: Annotated[
        int | None,
        typer.Option(help="How many samples the device may claim to have. [no limit]", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What the device will be called. [what it calls itself]", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Invite one device: print a code, which `handfed join` takes on the device."""
    from handfed.server.devices.codes import code_of, read_authority
    from handfed.server.durations import duration
    from handfed.server.people.principals import at_the_console
    from handfed.server.settings import ServerSettings

    lives, settings, who = duration(expires), ServerSettings.load(data_dir, database), at_the_console()
    with Choices(data_dir, database, as_json).open_server() as opened:
        read_authority(settings.authority)  # before anything is written: without it there is no code
        services = _services(opened)
        # Before it has an organisation.
        services.invitations.check(expires_in=lives, max_samples=max_samples, name=name)
        known = services.organisations.named(who, organisation)
        into = known or services.organisations.add(who, organisation)
        new = services.invitations.invite(who, into.number, expires_in=lives, max_samples=max_samples, name=name)
    code = code_of(new.secret, settings)
    if as_json:
        terminal.print_json({"code": code, "invitation": new.invitation})
        return
    console = terminal.console()
    if known is None:
        console.print(f"{into.name} is new: it is organisation {into.number}.")
    until = wording.moment(new.invitation.expires_at)
    console.print(f"A device of {into.name} can join once, until {until}.\nRun on the device:\n")
    typer.echo(f"handfed join {code}")
    if console.is_terminal:
        from handfed.server.devices import qr

        typer.echo(f"\nOr scan it there:\n\n{qr.terminal(code)}")


@devices.command("list")
def list_devices(
    organisation: Annotated[
        str | None, typer.Option(help="Only those of the organisation with this name.", show_default=False)
    ] = None,
    state: Annotated[
        Literal["enrolled", "revoked"] | None, typer.Option(help="Only those in this state.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the devices."""
    from handfed.server.paging import ALL
    from handfed.server.people.principals import at_the_console
    from handfed.shared.errors import NotFoundError

    who = at_the_console()
    with Choices(data_dir, database, as_json).open_server() as opened:
        services = _services(opened)
        only = None if organisation is None else services.organisations.named(who, organisation)
        if organisation is not None and only is None:
            raise NotFoundError(f"there is no organisation {organisation}; handfed organisations list names all")
        number = None if only is None else only.number
        found = services.devices.list(who, ALL, organisation=number, state=state).items
        names = {one.number: one.name for one in services.organisations.list(who, ALL).items}
    if as_json:
        terminal.print_json({"devices": found})
    elif not found:
        terminal.console().print("There is no such device: `handfed invite ORGANISATION` invites one.")
    else:
        columns = ("Number", "Device", "Organisation", "State", "Seen")
        table = terminal.table(*columns, right=("Number",), whole=("State", "Seen"))
        for one in found:
            seen = wording.moment(one.last_seen_at)
            table.add_row(str(one.number), one.name, names[one.organisation], one.state, seen)
        terminal.console().print(table)


@devices.command()
def show(number: DeviceNumber, data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Show a device, and what it did in each run."""
    from handfed.server.paging import ALL
    from handfed.server.people.principals import at_the_console

    who = at_the_console()
    with Choices(data_dir, database, as_json).open_server() as opened:
        services = _services(opened)
        found = services.devices.get(who, number)
        organisation = services.organisations.get(who, found.organisation).name
        history = services.history.list(who, number, ALL).items
    if as_json:
        terminal.print_json({"device": found, "history": history})
    else:
        console, heading = terminal.console(), f"Device {number}: {found.name}"
        terminal.print_section(console, heading, _facts(found, organisation))
        if history:
            terminal.print_section(console, "\nRuns", _run_table(history[:_MOST_RUNS]))


@devices.command()
def rename(
    number: DeviceNumber,
    name: Annotated[str, typer.Argument(help="What it shall be called.", show_default=False)],
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Give a device another name."""
    from handfed.server.people.principals import at_the_console

    with Choices(data_dir, database, as_json).open_server() as opened:
        renamed = _services(opened).devices.rename(at_the_console(), number, name)
    if as_json:
        terminal.print_json({"device": renamed})
    else:
        terminal.console().print(f"Device {number} is called {renamed.name}.")


@devices.command()
def revoke(
    number: DeviceNumber, data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False
) -> None:
    """Let a device in no more, for good; it can only join anew."""
    from handfed.server.people.principals import at_the_console

    with Choices(data_dir, database, as_json).open_server() as opened:
        revoked = _services(opened).devices.revoke(at_the_console(), number)
    if as_json:
        terminal.print_json({"device": revoked})
    else:
        terminal.console().print(f"Device {number}, {revoked.name}, is revoked. A running server lets it in no more.")


@devices.command()
def pin(
    number: DeviceNumber,
    release: Annotated[int, typer.Option(help="Number of the release that it is to use.", show_default=False)],
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Have one device use a release, whatever other devices use."""
    from handfed.server.people.principals import at_the_console

    with Choices(data_dir, database, as_json).open_server() as opened:
        services, who = _services(opened), at_the_console()
        services.pins.pin(who, number, release)
        pins = services.pins.of(who, number)
    if as_json:
        terminal.print_json({"pins": pins})
    else:
        terminal.console().print(f"Device {number} is to use release {release}, from its next look on.")


@devices.command()
def unpin(
    number: DeviceNumber, data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False
) -> None:
    """Have one device use what other devices use."""
    from handfed.server.people.principals import at_the_console

    with Choices(data_dir, database, as_json).open_server() as opened:
        _services(opened).pins.unpin(at_the_console(), number)
    if as_json:
        terminal.print_json({"pins": {}})
    else:
        terminal.console().print(f"Device {number} is to use what other devices use, from its next look on.")


def _services(opened: Database) -> Services:
    from handfed.server.api.services import Services

    return Services.over(opened)


def _run_table(history: Sequence[Participation]) -> Table:
    figures = ("Run", "Asked", "Used", "Late", "Samples", "Sent")
    table = terminal.table("Run", "Last", "Asked", "Used", "Late", "Not used", "Samples", "Sent", right=figures)
    for one in history:
        table.add_row(
            str(one.run),
            f"round {one.last_round}, {wording.moment(one.last_at)}",
            str(one.rounds),
            str(one.accepted),
            str(one.late),
            ", ".join(f"{count} {reason}" for reason, count in one.rejected.items()) or "0",
            f"{one.samples:,}",
            wording.megabytes(one.bytes_up),
        )
    return table


def _facts(device: Device, organisation: str) -> list[tuple[str, str]]:
    limit = "no limit" if device.max_samples is None else f"up to {device.max_samples:,} samples"
    return [
        ("organisation", organisation),
        ("state", device.state),
        ("enrolled", wording.moment(device.enrolled_at)),
        ("revoked", wording.moment(device.revoked_at)),
        ("seen", wording.moment(device.last_seen_at)),
        ("limit", limit),
        ("key", f"SHA-256 {device.fingerprint}"),
        ("node id", "not let in yet" if device.node_id is None else str(device.node_id)),
        *sorted(device.versions.items()),
    ]
