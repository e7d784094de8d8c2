"""How a device enrols and changes its key: the paths, the JSON, and the exact bytes that are signed.

All of it is over TLS. Only `GET AUTHORITY` is asked before the server is known, so nothing is believed of its answer
but what has the fingerprint that came with the invitation; everything else goes to a server whose certificate that CA
signed.

`GET /api/v1/authority` -> 200, `application/pem-certificate-chain`: the CA certificate, PEM, alone. Needs no token.

`POST /api/v1/enrolments` with `EnrolmentRequest` -> 201 and an `EnrolmentAnswer`; needs no token:

    {"secret": "<32 bytes, lower-case hex>",
     "public_key": "-----BEGIN PUBLIC KEY-----...",
     "name": "reception" or null,
     "versions": {"handfed": "0.1.0", "python": "3.12.1", "flwr": "1.41.0"},
     "proof": "<base64 of a signature over enrolment_statement(...)>"}

    {"number": 7, "name": "reception", "organisation_name": "Clinic North", "max_samples": 5000 or null,
     "registry_root": "<root.json of `handfed.shared.registry`, whole>" or null,
     and whatever else the API tells of a device}

`POST /api/v1/devices/7/rotate` with `RotationRequest` -> 200 and an `EnrolmentAnswer`; needs no token:

    {"public_key": "-----BEGIN PUBLIC KEY-----...",
     "old_signature": "<base64 of the old key's signature of handfed.shared.key_rotation.rotation_message(...)>",
     "new_signature": "<base64 of the new key's, of the same>"}

Rules:
1. A key is P-384; `public_key` is its SubjectPublicKeyInfo in PEM as `cryptography` writes it (RFC 7468, lines of 64,
   one newline at the end), and its text is what is signed and compared.
2. A signature is ECDSA with SHA-384, DER (RFC 3279 section 2.2.3), in base64 with padding (RFC 4648 section 4).
3. The proof shows that the device holds the private key, and binds it to this federation and this invitation: it is of
   no use with another CA, another secret or another key.
4. A repeat is answered as the first time: of an enrolment, the same secret with the same key (the answer was lost on
   its way); of a rotation, where `public_key` is the device's key already. So each can be sent until it is answered.
   The same secret with another key is `invitation-used`.
5. A refusal is a problem detail (RFC 9457) whose `type` ends in one of `Refusal`, after the last `/`, `#` or `:`.
6. A device that joins trusts `registry_root` from then on, as it came over TLS from the server of its invitation; one
   that changes its key keeps the root that it has. A server without a registry leaves it out.
7. A reader ignores fields that it does not know, so that either side may be the newer one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from handfed.shared.errors import EnrolmentError

AUTHORITY: Final = "/api/v1/authority"
ENROLMENTS: Final = "/api/v1/enrolments"
ROTATION: Final = "/api/v1/devices/{device}/rotate"
AUTHORITY_MEDIA_TYPE: Final = "application/pem-certificate-chain"  # RFC 8555 section 9.1
LONGEST_NAME: Final = 100  # characters, of a device's name
# What Flower's SuperLink takes of a device's clock: signed times from 300 s ago to 5 s ahead.
CLOCK_BEHIND_S: Final = 300
CLOCK_AHEAD_S: Final = 5

_ENROLMENT: Final = b"handfed enrolment 1\n"


class Refusal(StrEnum):
    """Why a server refuses; the end of the `type` of its problem detail."""

    INVITATION_UNKNOWN = "invitation-unknown"  # never made, or of another federation
    INVITATION_USED = "invitation-used"  # with another key
    INVITATION_EXPIRED = "invitation-expired"
    INVITATION_WITHDRAWN = "invitation-withdrawn"
    TOO_MANY_ATTEMPTS = "too-many-attempts"  # with Retry-After
    PROOF_INVALID = "proof-invalid"  # the signature is not of this key over this statement
    CONFLICT = "conflict"  # the key is or was another device's
    ROTATION_REFUSED = "rotation-refused"  # no such device, a revoked one, or one with another key


@dataclass(frozen=True)
class EnrolmentRequest:
    """What a device sends to join.

    Attributes:
        secret: The invitation's 32 bytes, lower-case hex.
        public_key: The device's, PEM.
        name: What the device wants to be called, 1 to 100 characters; None leaves it to the invitation.
        versions: Of what runs on the device, by name.
        proof: Signature over `enrolment_statement`, base64.
    """

    secret: str = field(repr=False)
    public_key: str
    name: str | None
    versions: Mapping[str, str]
    proof: str

    def as_json(self) -> dict[str, Any]:
        """The JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class RotationRequest:
    """What an enrolled device sends to change its key.

    Attributes:
        public_key: The key that takes the old one's place, PEM.
        old_signature: Of the old key over `key_rotation.rotation_message`, base64.
        new_signature: Of the new key over the same, base64.
    """

    public_key: str
    old_signature: str
    new_signature: str

    def as_json(self) -> dict[str, Any]:
        """The JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class EnrolmentAnswer:
    """What the server says of the device from then on.

    Attributes:
        number: Its number, from 1.
        name: What it is called.
        organisation_name: The school or clinic that it belongs to.
        max_samples: How many samples a round may count for at most; None where there is no cap.
        registry_root: The newest root of the registry of releases, as ASCII text; None where the server has none.
    """

    number: int
    name: str
    organisation_name: str
    max_samples: int | None
    registry_root: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: object) -> Self:
        """Reads an answer, whatever it is.

        Raises:
            EnrolmentError: A field is missing or is not what it should be.
        """
        if not isinstance(document, Mapping):
            raise EnrolmentError("the server's answer is no JSON object: is it a Handfed server, and up to date?")
        values: dict[str, Any] = {name: document.get(name) for name in cls.__dataclass_fields__}
        most = values["max_samples"]
        numbers = (values["number"], 1 if most is None else most)
        root = values["registry_root"]
        texts = (values["name"], values["organisation_name"])
        is_root = root is None or (isinstance(root, str) and root.isascii() and root != "")
        if not (
            is_root and all(type(n) is int and n > 0 for n in numbers) and all(isinstance(text, str) for text in texts)
        ):
            raise EnrolmentError("the server's answer lacks a field that this software needs: update the older of both")
        return cls(**values)


def enrolment_statement(fingerprint: bytes, secret: bytes, public_key: str) -> bytes:
    r"""The bytes that a device signs to join: `handfed enrolment 1\n`, then three times 32 bytes.

    Args:
        fingerprint: SHA-256 of the DER of the federation's CA certificate.
        secret: The invitation's secret.
        public_key: The device's public key, PEM; its SHA-256 is the last of the three.
    """
    return _ENROLMENT + fingerprint + secret + _digest(public_key)


def refusal_of(problem_type: object) -> Refusal | None:
    """The refusal that the `type` of a problem detail names, or None where it is another."""
    if not isinstance(problem_type, str):
        return None
    name = problem_type.replace("#", "/").replace(":", "/").rpartition("/")[2]
    return Refusal(name) if name in set(Refusal) else None


def _digest(public_key: str) -> bytes:
    return hashlib.sha256(public_key.encode("utf-8")).digest()
