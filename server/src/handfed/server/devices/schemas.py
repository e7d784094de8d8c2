"""What the routes of invitations and devices take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from handfed.server.api.fields import LifeSeconds, Name, NodeId, Reference
from handfed.server.devices.enrolment import MAX_VERSIONS
from handfed.server.devices.invitations import MOST_SAMPLES
from handfed.server.devices.keys import MAX_CHARACTERS
from handfed.server.devices.values import DeviceState, InvitationState

_GIVEN = ConfigDict(from_attributes=True)
_TAKEN = ConfigDict(extra="forbid")
_KEY = "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE...\n-----END PUBLIC KEY-----\n"
_BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
PublicKeyText = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS, examples=[_KEY])]
# One of P-384 has up to 104 bytes. The limits are of bytes, and what the document says is of base64.
Signature = Annotated[
    Base64Bytes,
    Field(min_length=1, max_length=150, json_schema_extra={"pattern": _BASE64, "minLength": 4, "maxLength": 200}),
]
Word = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]


class InvitationGiven(BaseModel):
    """What is known of an invitation."""

    model_config = _GIVEN

    number: int = Field(description="Never given twice.", examples=[3])
    organisation: int = Field(description="The organisation that the device will belong to.", examples=[1])
    invited_by: str = Field(description="Who invited.", examples=["Ada, school board"])
    name: str | None = Field(description="What the device will be called; null for what it calls itself.")
    max_samples: int | None = Field(description="How many samples the device may claim to have.")
    state: InvitationState = Field(description="Whether it can be used, and if not, why.")
    created_at: datetime = Field(description="When it was made.")
    expires_at: datetime = Field(description="From when on it lets no device in.")
    used_by: int | None = Field(description="The device that joined with it.")


class InvitationWanted(BaseModel):
    """An invitation to make."""

    model_config = _TAKEN

    organisation: Reference = Field(description="The organisation that the device will belong to.")
    expires_in_s: LifeSeconds = Field(default=86_400, description="How long it can be used.")
    max_samples: Annotated[int, Field(ge=1, le=MOST_SAMPLES)] | None = Field(
        default=None, description="How many samples the device may claim to have; null for no limit."
    )
    name: Name | None = Field(default=None, description="What the device will be called.")


class NewInvitationGiven(BaseModel):
    """A new invitation; its secret is shown this once."""

    model_config = _GIVEN

    invitation: InvitationGiven
    code: str = Field(
        description="What `handfed join` takes on the device: the server's address, its CA's fingerprint, the secret.",
        examples=["handfed-1-aaaaa-aaaaa"],
    )
    picture: str = Field(description="The code as a QR picture, an SVG document.", examples=["<svg></svg>"])


class DeviceGiven(BaseModel):
    """An enrolled machine."""

    model_config = _GIVEN

    number: int = Field(description="Never given twice.", examples=[7])
    organisation: int = Field(description="The organisation that it belongs to.", examples=[1])
    name: str = Field(description="As people call it.", examples=["Room 12"])
    state: DeviceState = Field(description="Whether it takes part.")
    public_key: str = Field(description="Its P-384 key, PEM.", examples=[_KEY])
    fingerprint: str = Field(description="SHA-256 of the key's SubjectPublicKeyInfo, hex.", examples=["0" * 64])
    node_id: NodeId | None = Field(description="What Flower calls it; null until its key is let in.")
    max_samples: int | None = Field(description="How many samples it may claim to have.", examples=[5000])
    versions: dict[str, str] = Field(description="Its software.", examples=[{"handfed": "0.1.0"}])
    enrolled_at: datetime = Field(description="When it joined.")
    revoked_at: datetime | None = Field(description="When it was revoked.")
    last_seen_at: datetime | None = Field(description="When it was last heard of.")


class ParticipationGiven(BaseModel):
    """What a device did in a run."""

    model_config = _GIVEN

    run: int = Field(description="Number of the run.", examples=[12])
    rounds: int = Field(description="Rounds that asked it and have something on record of it.", examples=[20])
    accepted: int = Field(description="Of them, those in which its update was used.", examples=[18])
    late: int = Field(description="Those in which it did not answer before the deadline.", examples=[1])
    rejected: dict[str, int] = Field(
        description="How many updates were not used for another reason, by its code.", examples=[{"not-finite": 1}]
    )
    samples: int = Field(description="Samples behind the updates that were used, summed.", examples=[7200])
    bytes_up: int = Field(description="Bytes of those updates.", examples=[5_256_000])
    last_round: int = Field(description="The last of the rounds.", examples=[20])
    last_at: datetime = Field(description="When that began.")


class EnrolledGiven(DeviceGiven):
    """An enrolled machine, and where it finds what it belongs to."""

    organisation_name: str = Field(description="The school or clinic that it belongs to.", examples=["Clinic North"])
    registry_root: str | None = Field(
        description="The newest root of the registry of releases (TUF), as its text; null where there is no registry."
    )


class DeviceName(BaseModel):
    """Another name of a device."""

    model_config = _TAKEN

    name: Name = Field(description="What it shall be called.", examples=["Room 12"])


class EnrolmentWanted(BaseModel):
    """A device that joins."""

    model_config = _TAKEN

    secret: str = Field(description="The invitation's 32 bytes, hex.", pattern=r"^[0-9a-f]{64}$", examples=["0" * 64])
    public_key: PublicKeyText = Field(description="Its P-384 public key, PEM or OpenSSH.")
    name: Name | None = Field(default=None, description="What it calls itself; the invitation may say otherwise.")
    versions: Annotated[dict[Word, Word], Field(max_length=MAX_VERSIONS)] = Field(
        default={}, description="Its software by name.", examples=[{"handfed": "0.1.0"}]
    )
    proof: Signature = Field(description="By its key, of the statement that `handfed.shared.enrolment` tells.")


class RotationWanted(BaseModel):
    """A device that replaces its key; what it signs is told in `handfed.shared.key_rotation`."""

    model_config = _TAKEN

    public_key: PublicKeyText = Field(description="The new P-384 public key, PEM or OpenSSH.")
    old_signature: Signature = Field(description="By the key that it has: ECDSA over SHA-384, DER, base64.")
    new_signature: Signature = Field(description="Of the same, by the new key.")
