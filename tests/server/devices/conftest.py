"""What tests of devices share: an organisation, and a device that has joined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from handfed.server.api.services import Services
from handfed.server.devices.values import Device
from handfed.server.people.principals import Principal

NewKey = Callable[[], tuple[ec.EllipticCurvePrivateKey, str]]


@pytest.fixture
def clinic(services: Services, admin: Principal) -> int:
    """The number of an organisation."""
    return services.organisations.add(admin, "Clinic North").number


@pytest.fixture
def enrol(
    services: Services, admin: Principal, new_key: NewKey, join: Callable[..., Device]
) -> Callable[[int], Device]:
    """Lets a new device of an organisation join."""

    def invited(organisation: int) -> Device:
        secret = services.invitations.invite(admin, organisation).secret
        return join(services, secret, new_key())

    return invited


@dataclass
class Machine:
    """A device that has joined, and its key."""

    number: int
    private: ec.EllipticCurvePrivateKey
    fingerprint: str

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message, ec.ECDSA(hashes.SHA384()))


@pytest.fixture
def machine(services: Services, admin: Principal, clinic: int, new_key: NewKey, join: Callable[..., Device]) -> Machine:
    """A device that has joined, and can sign."""
    secret = services.invitations.invite(admin, clinic).secret
    key = new_key()
    device = join(services, secret, key)
    return Machine(device.number, key[0], device.fingerprint)
