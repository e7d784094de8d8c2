"""How a device joins its federation, changes its key, and follows its server to another address.

Joining: the CA is fetched and compared with the code's fingerprint, the key is made and written, the server proves
itself by that CA, the device proves that it holds its key, and then the membership is written. Wherever that breaks
off, the same command takes it up: the same key is sent again, and the server answers a repeat as the first time
(`handfed.shared.enrolment`, rule 4).

Rotation: the new key is made and written, sent with signatures of both, and takes the old one's place when the server
has answered. Until then the old one is the device's key; if the answer was lost, a repeat finds out.

Moving: what answers at the new address proves itself by the CA that the device trusts already; then it is written.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from handfed.clients.device import credentials, keys
from handfed.clients.device.credentials import Enrolment, Purpose
from handfed.clients.device.refusals import RefusedError
from handfed.clients.device.server_link import Clock, ServerLink, utc_now
from handfed.shared.address import Address
from handfed.shared.enrolment import (
    ENROLMENTS,
    LONGEST_NAME,
    ROTATION,
    EnrolmentAnswer,
    EnrolmentRequest,
    RotationRequest,
    enrolment_statement,
)
from handfed.shared.errors import EnrolmentError, SettingError
from handfed.shared.invitation import Invitation
from handfed.shared.key_rotation import rotation_message
from handfed.shared.printable import printable

_REPORTED: Final = {"handfed": "handfed-clients", "flwr": "flwr", "tensorflow": "tensorflow"}


class AlreadyJoinedError(EnrolmentError):
    """The device is in a federation already."""

    def __init__(self, enrolment: Enrolment) -> None:
        super().__init__(
            f"this device is device {enrolment.device} of {enrolment.organisation} at {enrolment.server} already; "
            "to leave that and join anew, add --again"
        )


def join(
    folder: Path, invitation: Invitation, *, name: str | None = None, again: bool = False, clock: Clock = utc_now
) -> Enrolment:
    """Joins a federation.

    Args:
        folder: The device's folder; made if need be.
        invitation: What the operator's code says.
        name: What the device wants to be called; None leaves it to the invitation.
        again: Whether a membership that is there may be replaced.
        clock: Tells the time.

    Returns:
        The membership, which is on the disk.

    Raises:
        AlreadyJoinedError: There is one, and `again` was not said.
        EnrolmentError: One of `server_link`'s; whatever the device had before holds.
        SettingError: The name cannot be one, or another process is joining.
        StorageError: The folder cannot be written.
    """
    chosen = _checked(name)
    with credentials.changing(folder):
        if credentials.is_joined(folder) and not again:
            raise AlreadyJoinedError(credentials.load(folder))
        link = ServerLink(Address.parse(invitation.address), clock=clock)
        ca = link.greet(invitation.fingerprint)
        key = credentials.pending_key(folder, "joining", invitation.secret)
        request = _enrolment_request(invitation, key, chosen)
        with _refused_keys_forgotten(folder, "joining"):
            answer = EnrolmentAnswer.from_json(link.post(ENROLMENTS, request.as_json(), ca))
        now = clock().isoformat(timespec="seconds")
        enrolment = Enrolment(
            server=link.address.authority,
            fingerprint=invitation.fingerprint.hex(),
            device=answer.number,
            name=answer.name,
            organisation=answer.organisation_name,
            max_samples=answer.max_samples,
            enrolled_at=now,
            key_since=now,
        )
        credentials.commit(folder, enrolment, key, ca, _root_of(answer))
    return enrolment


def rotate(folder: Path, *, clock: Clock = utc_now) -> Enrolment:
    """Changes the device's key, or finishes a change whose answer was lost.

    Args:
        folder: The device's folder.
        clock: Tells the time.

    Returns:
        The membership, with the new key on the disk.

    Raises:
        NotJoinedError: The device is in no federation.
        EnrolmentError: One of `server_link`'s; the old key is still the device's.
        CertificateError: The old key is damaged.
        SettingError: Another process is changing the membership.
        StorageError: The folder cannot be read or written.
    """
    if not credentials.is_joined(folder):
        raise credentials.NotJoinedError(folder)
    with credentials.changing(folder):
        enrolment = credentials.load(folder)
        old = credentials.read(folder, credentials.KEY)
        link = ServerLink(enrolment.address, clock=clock)
        ca = link.greet(bytes.fromhex(enrolment.fingerprint))
        key = credentials.pending_key(folder, "rotating", keys.public_key_of(old).encode("ascii"))
        request = _rotation_request(enrolment.device, old, key)
        path = ROTATION.format(device=enrolment.device)
        with _refused_keys_forgotten(folder, "rotating"):
            answer = EnrolmentAnswer.from_json(link.post(path, request.as_json(), ca))
        changed = replace(
            enrolment,
            name=answer.name,
            organisation=answer.organisation_name,
            max_samples=answer.max_samples,
            key_since=clock().isoformat(timespec="seconds"),
        )
        root = credentials.registry_root(folder) or _root_of(answer)  # what it trusts already, it goes on to trust
        credentials.commit(folder, changed, key, ca, root)
    return changed


def move(folder: Path, address: Address, *, clock: Clock = utc_now) -> Enrolment:
    """Goes on with the same server at another address.

    Args:
        folder: The device's folder.
        address: Where the server is now.
        clock: Tells the time.

    Returns:
        The membership, with the new address on the disk.

    Raises:
        NotJoinedError: The device is in no federation.
        EnrolmentError: One of `server_link`'s, as when it is another server; the old address still holds.
        SettingError: Another process is changing the membership.
        StorageError: The folder cannot be read or written.
    """
    if not credentials.is_joined(folder):
        raise credentials.NotJoinedError(folder)
    with credentials.changing(folder):
        enrolment = credentials.load(folder)
        link = ServerLink(address, clock=clock)
        ca = link.greet(bytes.fromhex(enrolment.fingerprint))
        link.certificate_end(ca)  # it has the CA's key, and does not merely show the CA
        moved = replace(enrolment, server=address.authority)
        credentials.commit(folder, moved, credentials.read(folder, credentials.KEY), ca)
    return moved


def versions() -> dict[str, str]:
    """Versions of what runs here, by name; what is not installed is left out. Nothing is imported."""
    found = {"python": platform.python_version(), "system": f"{sys.platform}-{platform.machine()}"}
    for name, distribution in _REPORTED.items():
        try:
            found[name] = version(distribution)
        except PackageNotFoundError:
            continue
    return found


@contextmanager
def _refused_keys_forgotten(folder: Path, purpose: Purpose) -> Iterator[None]:
    """After a refusal that stays one, the key that was sent is of no use."""
    try:
        yield
    except RefusedError as error:
        if error.is_final:
            credentials.drop_pending(folder, purpose)
        raise


def _root_of(answer: EnrolmentAnswer) -> bytes | None:
    return None if answer.registry_root is None else answer.registry_root.encode()


def _enrolment_request(invitation: Invitation, key: bytes, name: str | None) -> EnrolmentRequest:
    public_key = keys.public_key_of(key)
    statement = enrolment_statement(invitation.fingerprint, invitation.secret, public_key)
    return EnrolmentRequest(
        secret=invitation.secret.hex(),
        public_key=public_key,
        name=name,
        versions=versions(),
        proof=keys.sign(key, statement),
    )


def _rotation_request(device: int, old: bytes, new: bytes) -> RotationRequest:
    message = rotation_message(device, keys.key_fingerprint(old), keys.key_fingerprint(new))
    return RotationRequest(keys.public_key_of(new), keys.sign(old, message), keys.sign(new, message))


def _checked(name: str | None) -> str | None:
    if name is None:
        return None
    chosen = " ".join(name.split())
    if not 0 < len(chosen) <= LONGEST_NAME or printable(chosen) != chosen:
        raise SettingError(f"a device's name has 1 to {LONGEST_NAME} characters, all of which can be shown")
    return chosen
