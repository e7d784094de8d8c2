"""`handfed device doctor`: whether this device can take part, and how to mend what is not as it should be.

To look changes nothing, and the server learns nothing but that somebody asked.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from handfed.clients.device import folder as device_folder
from handfed.clients.device.enrolment_cli import AsJson, Folder, need_libraries

if TYPE_CHECKING:
    from handfed.clients.device.credentials import Enrolment
    from handfed.clients.device.server_link import Clock, ServerLink
    from handfed.shared.checkup import Check

_NEEDED_DISK: Final = 200_000_000  # bytes: a model, its checkpoint, and room for the store to grow
_WANTED_DISK: Final = 2_000_000_000
_WANTED_MEMORY: Final = 1_200_000_000  # bytes: TensorFlow and a batch
_RENEWAL_MISSED_DAYS: Final = 60  # a server renews its certificate long before
_CLOCK_WARNING_S: Final = 2.0  # Flower takes 5 s ahead


def doctor(data: Folder = None, as_json: AsJson = False) -> None:
    """Check everything that this device needs to take part, and say how to mend what is amiss."""
    need_libraries()
    from handfed.clients.device.server_link import utc_now
    from handfed.shared import checkup

    checks = examine(device_folder.locate(data), clock=utc_now)
    if as_json:
        typer.echo(json.dumps(checkup.as_json(checks), indent=2))
    else:
        from rich.console import Console

        checkup.print_checks(Console(highlight=False), checks)
    raise typer.Exit(checkup.exit_status(checks))


def examine(folder: Path, *, clock: Clock) -> list[Check]:
    """All checks of a device, in the order in which a person mends them.

    Args:
        folder: The device's folder.
        clock: Tells the time.
    """
    from handfed.clients.device import credentials
    from handfed.shared import machine_checks as machine
    from handfed.shared.checkup import Check
    from handfed.shared.errors import HandfedError

    checks = [
        machine.python(),
        machine.flower("handfed-clients"),
        machine.tensorflow(),
        machine.memory(wanted_bytes=_WANTED_MEMORY),
        machine.disk(folder, needed_bytes=_NEEDED_DISK, wanted_bytes=_WANTED_DISK),
        machine.private("secrets", _secrets(folder)),
        machine.ntp(),
        machine.file_clock(folder, now=time.time()),
    ]
    try:
        enrolment = credentials.load(folder)
    except HandfedError as error:
        return [*checks, Check.of_error("membership", error)]
    return [*checks, *_of_membership(folder, enrolment, clock)]


def _of_membership(folder: Path, enrolment: Enrolment, clock: Clock) -> list[Check]:
    from handfed.clients.device.server_link import ServerLink
    from handfed.shared.checkup import look

    link = ServerLink(enrolment.address, clock=clock)
    return [
        look("membership", lambda: check_key(folder, enrolment)),
        *check_server(link, enrolment),
        look("certificate", lambda: check_certificate("certificate", link, folder, clock)),
    ]


def check_key(folder: Path, enrolment: Enrolment) -> Check:
    """Whether the membership is whole.

    Raises:
        StorageError: The key or the CA cannot be read.
        CertificateError: The key is damaged.
    """
    from handfed.clients.device import credentials, keys
    from handfed.shared.checkup import Check

    name = "membership"
    ca = credentials.read(folder, credentials.CA)
    if credentials.fingerprint_of(ca) != enrolment.fingerprint:
        mend = "restore ca.pem, or ask for an invitation and run handfed join CODE --again"
        return Check.failure(name, "ca.pem is not the CA that this device joined", mend)
    key = keys.key_fingerprint(credentials.read(folder, credentials.KEY))
    if credentials.has_pending_rotation(folder):
        found = "a change of the key was begun, and the server never answered"
        return Check.warning(name, found, "run handfed device rotate, which finishes it")
    return Check.ok(name, f"device {enrolment.device} of {enrolment.organisation}, key {key[:16]}")


def check_server(link: ServerLink, enrolment: Enrolment) -> list[Check]:
    """Whether the server answers, through whatever proxy there is, and at the same time of day."""
    from handfed.clients.device.server_link import check_clock, clock_words, proxy_for
    from handfed.shared.checkup import Check
    from handfed.shared.errors import HandfedError

    try:
        _, difference_s = link.fetch_authority(bytes.fromhex(enrolment.fingerprint))
    except HandfedError as error:
        return [Check.of_error("server", error)]
    proxy = proxy_for(link.address)
    answers = Check.ok("server", f"{link.address} answers" + (f" through the proxy {proxy}" if proxy else ""))
    try:
        check_clock(difference_s)
    except HandfedError as error:
        return [answers, Check.of_error("clock", error)]
    if abs(difference_s) > _CLOCK_WARNING_S:
        found = f"{clock_words(difference_s)} the server's"
        return [answers, Check.warning("clock", found, "let NTP set it: timedatectl set-ntp true")]
    return [answers, Check.ok("clock", "as the server's")]


def check_certificate(name: str, link: ServerLink, folder: Path, clock: Clock) -> Check:
    """Whether a server proves itself by the CA that this device trusts, and for how long it will.

    Raises:
        EnrolmentError: It does not answer, or is not the federation's.
        StorageError: The CA cannot be read.
    """
    from handfed.clients.device import credentials
    from handfed.shared.checkup import Check

    end = link.certificate_end(credentials.read(folder, credentials.CA))
    left = (end - clock()).days
    found = f"{link.address} is the federation's, its certificate holds for {left} days"
    if left < _RENEWAL_MISSED_DAYS:
        return Check.warning(name, found, "tell the operator to start the server anew, which renews it")
    return Check.ok(name, found)


def _secrets(folder: Path) -> list[Path]:
    """What nobody but the device's user may open."""
    files = [path for path in sorted(folder.glob("*")) if path.is_file()] if folder.is_dir() else []
    store = device_folder.store_in(folder)
    return [folder, *files, store, *(path for path in sorted(store.glob("*.db*")) if path.is_file())]
