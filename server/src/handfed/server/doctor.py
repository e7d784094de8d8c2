"""`handfed doctor`: whether this machine can serve a federation, and how to mend what is not as it should be.

Rules:
1. To look changes nothing: no file is made that stays, no database is migrated, no port is kept.
2. A port in use is well where it is our own server's that answers there, which its certificate shows.
3. What is not there yet and made by the first start is well.
"""

from __future__ import annotations

import errno
import json
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from handfed.server.terminal import AsJson, DatabaseUrl, DataDir

if TYPE_CHECKING:
    from handfed.server.registry.service import RoleStatus
    from handfed.shared.checkup import Check

_LARGEST_PORT: Final = 65_535
_ANSWER_TIMEOUT_S: Final = 10.0
_NEEDED_DISK: Final = 500_000_000  # bytes: a backup, a checkpoint, a release
_WANTED_DISK: Final = 5_000_000_000
_WANTED_MEMORY: Final = 1_000_000_000  # bytes: idle processes, and a conversion to INT8
# Of the clock of a database's server and ours: tokens and invitations end by the one, and were made by the other.
_CLOCK_WARNING_S: Final = 5.0
_CLOCK_FAILURE_S: Final = 300.0
_REGISTRY_WARNING: Final = timedelta(days=60)  # of what is signed elsewhere, which takes a person's time


def doctor(
    *,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    address: Annotated[
        list[str] | None,
        typer.Option(
            help="By which devices reach this server; may be repeated. [what it was started with]", show_default=False
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            help="Where it listens. [what it was started with, or 8443]", min=1, max=_LARGEST_PORT, show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check everything that a server needs, and say how to mend what is amiss."""
    from handfed.server.settings import ServerSettings
    from handfed.shared import checkup

    settings = ServerSettings.load(data_dir, database, port=port)
    addresses = tuple(address or (settings.address,))
    checks = examine(settings.data_dir, settings.database, addresses, settings.port, now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(checkup.as_json(checks), indent=2))
    else:
        from handfed.server.terminal import console

        checkup.print_checks(console(), checks)
    raise typer.Exit(checkup.exit_status(checks))


def examine(directory: Path, database: str, addresses: tuple[str, ...], port: int, *, now: datetime) -> list[Check]:
    """All checks of a server, in the order in which a person mends them.

    Args:
        directory: The data directory.
        database: The database's URL.
        addresses: By which devices reach the server.
        port: Where the server listens.
        now: The time, aware.
    """
    from handfed.server.authority.files import authority_in
    from handfed.shared import machine_checks as machine
    from handfed.shared.checkup import look

    authority = authority_in(directory)
    return [
        machine.python(),
        machine.flower("handfed-server"),
        machine.tensorflow(),
        machine.memory(wanted_bytes=_WANTED_MEMORY),
        machine.disk(directory, needed_bytes=_NEEDED_DISK, wanted_bytes=_WANTED_DISK),
        machine.private("secrets", _secrets(directory, authority)),
        machine.ntp(),
        machine.file_clock(directory, now=time.time()),
        look("database", lambda: check_database(database, now=now)),
        look("certificates", lambda: check_certificates(authority, addresses, now=now)),
        look("registry", lambda: check_registry(directory, now=now)),
        check_port("port", port, authority),
    ]


def check_database(url: str, *, now: datetime) -> Check:
    """Whether the database is reachable, of which schema, and of the same time.

    Raises:
        SettingError: The URL is of another kind.
        StorageError: The database cannot be reached or read.
    """
    from handfed.server import schema_version
    from handfed.server.database import look_at
    from handfed.shared.checkup import Check

    name, condition, known = "database", look_at(url), schema_version.known()
    if condition is None or condition.revision is None:
        return Check.ok(name, "none yet: the first start makes it" if condition is None else "reachable, and empty")
    if condition.revision not in known:
        found = f"written by a newer Handfed (its schema is {condition.revision}, known are up to {known[-1]})"
        return Check.failure(name, found, "update this software")
    difference_s = 0.0 if condition.clock is None else (condition.clock - now).total_seconds()
    if abs(difference_s) > _CLOCK_WARNING_S:
        kind = Check.failure if abs(difference_s) > _CLOCK_FAILURE_S else Check.warning
        return kind(name, f"its clock is {abs(difference_s):.0f} s from this machine's", "let NTP set both clocks")
    if condition.revision != known[-1]:
        found = f"reachable, of schema {condition.revision}; this software has {known[-1]}"
        return Check.warning(name, found, "make a backup, then start the server, which migrates it")
    return Check.ok(name, f"reachable, of schema {condition.revision}")


def check_certificates(authority: Path, addresses: tuple[str, ...], *, now: datetime) -> Check:
    """Whether the CA and the server's certificate hold, for these names, and for how long.

    Raises:
        SettingError: An address is none.
        StorageError: A file is missing or cannot be read.
        CertificateError: A certificate or key is not what it should be.
    """
    from handfed.server.authority import certificates, files
    from handfed.shared.address import Address
    from handfed.shared.checkup import Check

    name = "certificates"
    if not authority.exists():
        return Check.ok(name, "none yet: the first start makes them")
    loaded = files.load(authority, now=now)
    names = [Address.parse(address).host for address in addresses]
    certificates.check_server(loaded.server, loaded.ca.certificate, [*names, *files.LOCAL_NAMES], now=now)
    known = ", ".join(certificates.names_of(loaded.server.certificate))
    found = f"valid for {_days_left(loaded.server.certificate, now)} days, for {known}"
    if certificates.renewal_is_due(loaded.server.certificate, now=now):
        return Check.warning(name, f"{found}; renewal is due", "start the server anew, which renews it")
    if certificates.renewal_is_due(loaded.ca.certificate, now=now):
        left = _days_left(loaded.ca.certificate, now)
        return Check.warning(name, f"the CA ends in {left} days", "plan a new federation, which devices join anew")
    return Check.ok(name, found)


def check_registry(directory: Path, *, now: datetime) -> Check:
    """Whether what the registry's roles have signed holds, and their keys are where they have to be.

    Args:
        directory: The data directory.
        now: The time, aware.

    Raises:
        StorageError: A file is missing, damaged or cannot be read.
        SettingError: `server.json` cannot be read.
    """
    from handfed.server.registry.draft import ONLINE
    from handfed.server.registry.files import registry_in
    from handfed.server.registry.service import Registry
    from handfed.server.settings import ServerSettings
    from handfed.shared.checkup import Check

    name = "registry"
    if not registry_in(directory).exists():
        return Check.ok(name, "none yet: the first start makes one")
    roles = Registry(registry_in(directory), ServerSettings.load(directory).lifetimes).status()
    gone = [one.role for one in roles if one.role in ONLINE and not one.signs_here]
    if gone:
        mend = "restore registry/keys from a backup, or handfed keys revoke KEY, which makes another one"
        return Check.failure(name, f"the key of {' and '.join(gone)} is not here, and has to be", mend)
    first = min(roles, key=lambda one: one.expires)
    soon = [one for one in roles if one.expires - now < _REGISTRY_WARNING and not one.signs_here]
    if first.expires <= now:
        kind = Check.warning if first.signs_here else Check.failure
        return kind(name, f"{first.role} expired {first.expires:%Y-%m-%d}", _renewal_of(first))
    if soon:
        return Check.warning(
            name, f"{soon[0].role} expires in {(soon[0].expires - now).days} days", _renewal_of(soon[0])
        )
    waiting = [one.role for one in roles if one.missing]
    if waiting:
        found = f"{' and '.join(waiting)} waits for a signature from elsewhere"
        return Check.warning(name, found, "handfed keys list tells which file is to be signed; see docs/keys.md")
    return Check.ok(name, f"signed until {first.expires:%Y-%m-%d} at least, and renewed before")


def _renewal_of(one: RoleStatus) -> str:
    if one.signs_here:
        return "start the server, which renews it, or run handfed keys renew"
    return f"run handfed keys renew {one.role}, and sign it where its key is: see docs/keys.md"


def check_port(name: str, port: int, authority: Path) -> Check:
    """Whether a port is free, or our own server's."""
    from handfed.shared.checkup import Check

    reason = _why_not_free(port)
    if reason is None:
        return Check.ok(name, f"{port} is free")
    if reason == errno.EADDRINUSE and _is_ours(port, authority):
        return Check.ok(name, f"{port} is held by this server, which runs")
    if reason == errno.EADDRINUSE:
        mend = f"find the program with ss -ltnp 'sport = :{port}' and stop it, or choose another port"
        return Check.failure(name, f"{port} is held by another program", mend)
    return Check.failure(
        name, f"{port} cannot be used ({errno.errorcode.get(reason, reason)})", "choose a port over 1023"
    )


def _why_not_free(port: int) -> int | None:
    """The errno of an attempt to listen on all addresses, or None where it works."""
    try:
        with socket.create_server(("", port)):
            return None
    except OSError as error:
        return error.errno or errno.EIO


def _is_ours(port: int, authority: Path) -> bool:
    """Whether what answers on a port of this machine shows a certificate of this federation's CA."""
    from handfed.server.authority.files import CA_CERTIFICATE

    try:
        context = ssl.create_default_context(cafile=authority / CA_CERTIFICATE)
        with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_TIMEOUT_S) as connection:
            context.wrap_socket(connection, server_hostname="localhost").close()
    except OSError:  # ssl.SSLError is one
        return False
    return True


def _secrets(directory: Path, authority: Path) -> list[Path]:
    """What nobody but the server's user may open; the public certificates are there for their folder's sake."""
    names = ("superlink", "registry", "registry/keys", "alerts")
    folders = [folder for folder in (authority, *(directory / name for name in names)) if folder.is_dir()]
    files = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
    return [*folders, *files]


def _days_left(certificate: bytes, now: datetime) -> int:
    from handfed.server.authority.certificates import times_of

    return (times_of(certificate)[1] - now).days
