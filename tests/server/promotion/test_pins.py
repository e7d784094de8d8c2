"""One device uses what it is pinned to, under a name that only it knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from handfed.server.people.principals import Principal
from handfed.server.promotion.pins import Pins
from handfed.shared.errors import ForbiddenError, NotFoundError
from handfed.shared.files import sha256_of
from handfed.shared.registry import Pin, pin_path

ADA = Principal("Ada", "operator")


class Board:
    """Pins in memory, and how often they changed."""

    def __init__(self) -> None:
        self.told: dict[str, Pin] = {}
        self.changes = 0
        self.in_force = frozenset({1, 2})

    def releases(self) -> frozenset[int]:
        return self.in_force

    def pins(self) -> Mapping[str, str]:
        return {path: sha256_of(pin.encode()) for path, pin in self.told.items()}

    def set_pins(self, pins: Mapping[str, Pin]) -> None:
        self.told, self.changes = dict(pins), self.changes + 1


@pytest.fixture
def pins(world: Any) -> Pins:
    world.publish(1)
    world.publish(2)
    return Pins(world.database, world.clock)


def fingerprint(services: Any, device: int) -> str:
    return str(services.devices.get(ADA, device).fingerprint)


def test_a_pin_is_told_once_and_goes_when_it_is_taken_back(pins: Pins, services: Any) -> None:
    board = Board()
    pins.pin(ADA, 3, 1)
    for _ in range(2):
        pins.publish(board)
    assert board.told == {pin_path(fingerprint(services, 3), "digits"): Pin("digits", 1)}
    assert board.changes == 1
    pins.pin(ADA, 3, 2)
    pins.publish(board)
    assert (list(board.told.values()), pins.of(ADA, 3)) == ([Pin("digits", 2)], {"digits": 2})
    pins.unpin(ADA, 3)
    pins.publish(board)
    assert board.told == {}


def test_a_release_that_devices_cannot_get_is_not_told(pins: Pins) -> None:
    board = Board()
    board.in_force = frozenset({1})
    pins.pin(ADA, 3, 2)
    pins.publish(board)
    assert board.told == {}


def test_a_device_that_was_revoked_has_no_pin(pins: Pins, services: Any) -> None:
    board = Board()
    pins.pin(ADA, 3, 1)
    pins.publish(board)
    services.devices.revoke(Principal("Ada", "admin"), 3)
    pins.publish(board)
    assert board.told == {}


def test_a_school_pins_its_own_devices_and_a_viewer_none(pins: Pins) -> None:
    pins.pin(Principal("Bob", "operator", organisation=1), 1, 1)
    with pytest.raises(NotFoundError, match="no device 1"):
        pins.pin(Principal("Cy", "operator", organisation=2), 1, 1)
    with pytest.raises(NotFoundError, match="no release 9"):
        pins.pin(ADA, 1, 9)
    with pytest.raises(ForbiddenError):
        pins.unpin(Principal("Dee", "viewer"), 1)
