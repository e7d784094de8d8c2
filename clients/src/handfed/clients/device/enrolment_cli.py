"""`handfed join`, and `handfed device show`, `handfed device rotate` and `handfed device move`.

With `--json` each prints the membership as one object: server, fingerprint (of the CA), key_fingerprint, device, name,
organisation, max_samples, enrolled_at, key_since, folder. None of it is secret.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handfed.clients.device import folder as device_folder
from handfed.shared.errors import MissingExtraError

if TYPE_CHECKING:
    from handfed.clients.device.credentials import Enrolment

Folder = Annotated[
    Path | None,
    typer.Option(
        "--data", help="The device's folder. [HANDFED_DEVICE_DIR, or ~/.local/share/handfed-device]", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def join(
    code: Annotated[
        list[str],
        typer.Argument(metavar="CODE", help="What handfed invite printed; - reads it from standard input."),
    ],
    name: Annotated[str | None, typer.Option(help="What this device is to be called.", show_default=False)] = None,
    data: Folder = None,
    again: Annotated[bool, typer.Option("--again", help="Leave the federation that this device is in.")] = False,
    as_json: AsJson = False,
) -> None:
    """Join a federation with an invitation's code."""
    need_libraries()
    from handfed.clients.device.enrolment import join as join_federation
    from handfed.shared.invitation import Invitation

    text = sys.stdin.read() if code == ["-"] else " ".join(code)
    invitation = Invitation.decode(text)
    folder = device_folder.locate(data)
    enrolment = join_federation(folder, invitation, name=name, again=again)
    if not as_json:
        typer.echo(f"This is now device {enrolment.device} of {enrolment.organisation}, {enrolment.name}.")
    _print(folder, enrolment, as_json=as_json)


def show(data: Folder = None, as_json: AsJson = False) -> None:
    """Show which federation this device is in, and by which key."""
    need_libraries()
    from handfed.clients.device import credentials

    folder = device_folder.locate(data)
    _print(folder, credentials.load(folder), as_json=as_json)


def rotate(data: Folder = None, as_json: AsJson = False) -> None:
    """Change this device's key; no other device notices."""
    need_libraries()
    from handfed.clients.device.enrolment import rotate as rotate_key

    folder = device_folder.locate(data)
    enrolment = rotate_key(folder)
    if not as_json:
        typer.echo("The server knows the new key. Start handfed device run anew if it runs.")
    _print(folder, enrolment, as_json=as_json)


def move(
    address: Annotated[str, typer.Argument(help="Where the server is now: HOST, or HOST:PORT.", show_default=False)],
    data: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Follow the server to another address; it shows that it is the same one."""
    need_libraries()
    from handfed.clients.device.enrolment import move as move_to
    from handfed.shared.address import Address

    folder = device_folder.locate(data)
    enrolment = move_to(folder, Address.parse(address))
    if not as_json:
        typer.echo("The federation's server answers there. A device that runs finds it by itself.")
    _print(folder, enrolment, as_json=as_json)


def need_libraries() -> None:
    """Says what to install where the edge alone is installed, which can be in no federation.

    Raises:
        MissingExtraError: A library is missing.
    """
    for library in ("cryptography", "httpx"):
        if find_spec(library) is None:
            raise MissingExtraError(library, "handfed-clients[train]")


def _print(folder: Path, enrolment: Enrolment, *, as_json: bool) -> None:
    from handfed.clients.device import credentials, keys
    from handfed.shared.printable import printable

    key_fingerprint = keys.key_fingerprint(credentials.read(folder, credentials.KEY))
    if as_json:
        document = {**asdict(enrolment), "key_fingerprint": key_fingerprint, "folder": str(folder)}
        typer.echo(json.dumps(document, indent=2))
        return
    cap = "none" if enrolment.max_samples is None else f"{enrolment.max_samples:,}"
    for title, value in (
        ("server", enrolment.server),
        ("organisation", enrolment.organisation),
        ("device", f"{enrolment.device}, {enrolment.name}"),
        ("most samples a round", cap),
        ("joined", enrolment.enrolled_at),
        ("key since", enrolment.key_since),
        ("key", key_fingerprint),
        ("CA", enrolment.fingerprint),
        ("folder", str(folder)),
    ):
        typer.echo(f"{title:22}{printable(value)}")
