"""Invitations and devices, as values, and why one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from handfed.shared.errors import AccessError

DeviceState = Literal["enrolled", "revoked"]
InvitationState = Literal["open", "used", "expired", "withdrawn"]


class EnrolmentRefusedError(AccessError):
    """A device may not join with this invitation."""


class UnknownInvitationError(EnrolmentRefusedError):
    """No invitation has this secret."""


class UsedInvitationError(EnrolmentRefusedError):
    """Another device has joined with this invitation."""


class ExpiredInvitationError(EnrolmentRefusedError):
    """The invitation's time is over."""


class WithdrawnInvitationError(EnrolmentRefusedError):
    """Somebody took the invitation back."""


class ProofError(EnrolmentRefusedError):
    """A device has not shown that it holds its key, for this federation and this invitation."""


class RotationRefusedError(AccessError):
    """A device's key is not replaced: who asks has not shown that they are the device."""


@dataclass(frozen=True)
class Participation:
    """What a device did in a run.

    Attributes:
        run: Number of the run.
        rounds: Rounds that asked it and have something on record of it.
        accepted: Of them, those in which its update was used.
        late: Those in which it did not answer before the deadline.
        rejected: How many updates were not used for another reason, by the code of the reason.
        samples: Samples behind the updates that were used, summed over rounds.
        bytes_up: Bytes of those updates.
        last_round: The last of the rounds.
        last_at: When that began, in UTC.
    """

    run: int
    rounds: int
    accepted: int
    late: int
    rejected: Mapping[str, int]
    samples: int
    bytes_up: int
    last_round: int
    last_at: datetime


@dataclass(frozen=True)
class Invitation:
    """What is known of an invitation; its secret is not among it.

    Attributes:
        number: Counted from 1; never given twice.
        organisation: Number of the organisation that the device will belong to.
        invited_by: Who invited, as the audit log names them.
        name: What the device will be called; None for what it calls itself.
        max_samples: How many samples the device may claim to have; None for no limit.
        state: `open`, `used`, `expired` or `withdrawn`.
        created_at: When it was made, in UTC.
        expires_at: From when on it lets no device in.
        used_by: Number of the device that joined with it.
    """

    number: int
    organisation: int
    invited_by: str
    name: str | None
    max_samples: int | None
    state: InvitationState
    created_at: datetime
    expires_at: datetime
    used_by: int | None


@dataclass(frozen=True)
class NewInvitation:
    """An invitation, and its secret, which is shown this once.

    Attributes:
        invitation: What is kept of it.
        secret: 32 bytes; who has it is let in, once.
    """

    invitation: Invitation
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class Device:
    """An enrolled machine.

    Attributes:
        number: Counted from 1; never given twice.
        organisation: Number of the organisation that it belongs to.
        name: As people call it.
        state: `enrolled`, or `revoked` for good.
        public_key: Its P-384 key, PEM.
        fingerprint: SHA-256 of the key's SubjectPublicKeyInfo in DER, 64 lower-case hex digits.
        node_id: What Flower calls it, 0 to 2**64 - 1; None until the key registry has taken its key.
        max_samples: How many samples it may claim to have; None for no limit.
        versions: Its software by name, as it told when it joined.
        enrolled_at: When it joined, in UTC.
        revoked_at: When it was revoked.
        last_seen_at: When it was last heard of.
    """

    number: int
    organisation: int
    name: str
    state: DeviceState
    public_key: str
    fingerprint: str
    node_id: int | None
    max_samples: int | None
    versions: Mapping[str, str]
    enrolled_at: datetime
    revoked_at: datetime | None
    last_seen_at: datetime | None


@dataclass(frozen=True)
class Enrolled:
    """What a device is told when it has joined, or has replaced its key.

    Attributes:
        device: The device.
        organisation_name: The school or clinic that it belongs to.
    """

    device: Device
    organisation_name: str
