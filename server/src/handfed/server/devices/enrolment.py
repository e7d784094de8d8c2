"""How a device joins, and how it replaces its key: the two things that it does without a token.

Rules:
1. A secret lets one key in. The same key may ask again, as an answer may be lost on its way; another is refused.
2. A secret that is unknown, used, withdrawn or expired is refused, each in its own words: who has the secret may know.
3. The device shows that it holds its key, for this federation and this invitation (`handfed.shared.enrolment`).
4. A key belongs to one device, and never comes back once it was replaced or revoked.
5. A device replaces its key by showing that it holds both (`handfed.shared.key_rotation`). A refusal does not say
   whether there is such a device.
6. Attempts are counted by address (`attempts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from handfed.server.audit import service as audit
from handfed.server.base import is_possible
from handfed.server.clock import Clock, now
from handfed.server.credentials import digest, is_same
from handfed.server.database import Database, unique
from handfed.server.devices.attempts import Attempts
from handfed.server.devices.invitations import state_of
from handfed.server.devices.keys import PublicKey
from handfed.server.devices.models import DeviceKeyRow, DeviceRow, InvitationRow
from handfed.server.devices.registry import Registrar
from handfed.server.devices.service import device_of, keys_of
from handfed.server.devices.values import (
    Enrolled,
    ExpiredInvitationError,
    ProofError,
    RotationRefusedError,
    UnknownInvitationError,
    UsedInvitationError,
    WithdrawnInvitationError,
)
from handfed.server.naming import MAX_NAME, checked_name
from handfed.server.people.models import OrganisationRow
from handfed.server.people.principals import Principal
from handfed.shared.enrolment import enrolment_statement
from handfed.shared.errors import SettingError
from handfed.shared.key_rotation import rotation_message

MAX_VERSIONS: Final = 20
_TAKEN: Final = "this key is or was another device's: make a new one, as handfed join does"


@dataclass(frozen=True)
class _Asking:
    """A device that wants to join."""

    key: PublicKey
    name: str | None
    versions: Mapping[str, str]
    address: str


class Enrolment:
    """Lets devices in.

    Every method raises a `StorageError` when the database cannot be read or written, and a `TooManyAttemptsError`.

    Args:
        database: Where invitations and devices are.
        registrar: Makes the key registry as the database wants it.
        attempts: How often an address may try.
        ca_fingerprint: Tells the SHA-256 of the DER of the federation's CA certificate.
        clock: Tells the time.
    """

    def __init__(
        self,
        database: Database,
        registrar: Registrar,
        attempts: Attempts,
        ca_fingerprint: Callable[[], bytes],
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._ca_fingerprint = ca_fingerprint
        self._registrar = registrar
        self._attempts = attempts
        self._clock = clock

    def enrol(
        self,
        secret: bytes,
        public_key: str,
        name: str | None,
        versions: Mapping[str, str],
        address: str,
        *,
        proof: bytes,
    ) -> Enrolled:
        """Lets a device in.

        Args:
            secret: The invitation's 32 bytes.
            public_key: The device's P-384 key, PEM or OpenSSH.
            name: What the device calls itself; what the invitation calls it goes before.
            versions: Its software by name.
            address: Where it asks from.
            proof: The key's signature of `enrolment_statement`.

        Returns:
            The device; without a node id where the key registry cannot be reached, which takes its key later.

        Raises:
            EnrolmentRefusedError: The invitation lets this key in no more, or never did, or the proof is none.
            SettingError: The key, the name or the versions cannot be used.
            ConflictError: The key belongs to another device.
        """
        self._attempts.count(address)
        wished = None if name is None else checked_name(name, "a device")
        asking = _Asking(PublicKey.parse(public_key), wished, _checked_versions(versions), address)
        if not asking.key.has_signed(enrolment_statement(self._ca_fingerprint(), secret, asking.key.pem), proof):
            raise ProofError("the proof is not of this key for this invitation and this federation: join once more")
        with self._database.write() as session:
            invitation = _invitation(session, secret)
            number = self._joined_before(session, invitation, asking.key)
            if number is None:
                self._refuse_closed(invitation)
                number = self._join(session, invitation, asking)
            fresh = keys_of(session, number)[0].number
        self._registrar.try_to_settle(fresh)
        return self._enrolled(number)

    def rotate(
        self, number: int, public_key: str, old_signature: bytes, new_signature: bytes, address: str
    ) -> Enrolled:
        """Replaces a device's key.

        Args:
            number: The device.
            public_key: Its new P-384 key, PEM or OpenSSH.
            old_signature: Of `rotation_message`, by the key that it has.
            new_signature: Of the same, by the new key.
            address: Where it asks from.

        Raises:
            RotationRefusedError: There is no such device, it is revoked, or a signature is not what it should be.
            SettingError: The new key cannot be used.
            ConflictError: The new key is or was another device's, or this one's.
        """
        self._attempts.count(address)
        key = PublicKey.parse(public_key)
        with self._database.write() as session:
            device = session.get(DeviceRow, number, with_for_update=True) if is_possible(number) else None
            keys = keys_of(session, number) if device is not None and device.state == "enrolled" else []
            is_done = len(keys) > 1 and keys[0].fingerprint == key.fingerprint  # asked again: the answer was lost
            keys = keys[1:] if is_done else keys
            if device is None or not keys or not _is_shown(number, keys[0], key, old_signature, new_signature):
                raise RotationRefusedError(
                    "the key is not replaced: this takes an enrolled device, and signatures of its old key and its new"
                )
            if not is_done:
                self._replace(session, device, keys[0], key, address)
            fresh = keys_of(session, number)[0].number
            old = keys[0].number
        self._registrar.try_to_settle(fresh, old)
        return self._enrolled(number)

    def _enrolled(self, number: int) -> Enrolled:
        with self._database.read() as session:
            device = device_of(session.get_one(DeviceRow, number), keys_of(session, number)[0])
            return Enrolled(device, session.get_one(OrganisationRow, device.organisation).name)

    def _joined_before(self, session: Session, invitation: InvitationRow, key: PublicKey) -> int | None:
        """The device that joined with this invitation and this key already, if it did."""
        if invitation.used_by is None:
            return None
        device = session.get_one(DeviceRow, invitation.used_by)
        first = keys_of(session, device.number)[-1]
        return device.number if device.state == "enrolled" and first.fingerprint == key.fingerprint else None

    def _refuse_closed(self, invitation: InvitationRow) -> None:
        match state_of(invitation, self._clock()):
            case "used":
                raise UsedInvitationError("another device has joined with this invitation: ask for a new one")
            case "withdrawn":
                raise WithdrawnInvitationError("this invitation was withdrawn: ask whoever sent it")
            case "expired":
                raise ExpiredInvitationError(
                    f"this invitation expired on {invitation.expires_at:%Y-%m-%d at %H:%M} UTC: ask for a new one"
                )

    def _join(self, session: Session, invitation: InvitationRow, asking: _Asking) -> int:
        moment = self._clock()
        device = DeviceRow(
            organisation=invitation.organisation,
            name=invitation.name or asking.name or "",
            state="enrolled",
            max_samples=invitation.max_samples,
            versions=asking.versions,
            enrolled_at=moment,
        )
        session.add(device)
        session.flush()
        device.name = device.name or f"device {device.number}"
        invitation.used_by = device.number
        self._add_key(session, device.number, asking.key)
        who = Principal(name=f"invitation {invitation.number}", role="viewer", address=asking.address)
        detail = {"name": device.name, "fingerprint": asking.key.fingerprint, "invitation": invitation.number}
        what = f"device/{device.number}"
        audit.record(session, moment, who, "enrol", what, organisation=device.organisation, detail=detail)
        return device.number

    def _replace(self, session: Session, device: DeviceRow, old: DeviceKeyRow, new: PublicKey, address: str) -> None:
        old.wanted = old.settled = False
        self._add_key(session, device.number, new)
        who = Principal(name=f"device {device.number}", role="viewer", address=address)
        detail = {"from": old.fingerprint, "to": new.fingerprint}
        what = f"device/{device.number}"
        audit.record(session, self._clock(), who, "rotate", what, organisation=device.organisation, detail=detail)

    def _add_key(self, session: Session, device: int, key: PublicKey) -> None:
        row = DeviceKeyRow(
            device=device,
            fingerprint=key.fingerprint,
            public_key=key.pem,
            wanted=True,
            settled=False,
            created_at=self._clock(),
        )
        session.add(row)
        with unique(_TAKEN):
            session.flush()


def _invitation(session: Session, secret: bytes) -> InvitationRow:
    """The invitation with this secret, locked until the transaction ends: of two devices one waits."""
    hashed = digest(secret)
    query = select(InvitationRow).where(InvitationRow.secret_sha256 == hashed).with_for_update()
    row = session.scalar(query)
    if row is None or not is_same(row.secret_sha256, hashed):
        raise UnknownInvitationError("the server knows no such invitation: ask for a new one")
    return row


def _is_shown(number: int, old: DeviceKeyRow, new: PublicKey, old_signature: bytes, new_signature: bytes) -> bool:
    message = rotation_message(number, old.fingerprint, new.fingerprint)
    by_old = PublicKey(old.public_key, old.fingerprint).has_signed(message, old_signature)
    return new.has_signed(message, new_signature) and by_old


def _checked_versions(versions: Mapping[str, str]) -> dict[str, str]:
    parts = [part for entry in versions.items() for part in entry]
    if len(versions) > MAX_VERSIONS or any(not part or len(part) > MAX_NAME for part in parts):
        raise SettingError(f"a device names up to {MAX_VERSIONS} versions, of 1 to {MAX_NAME} characters each")
    return dict(sorted(versions.items()))
