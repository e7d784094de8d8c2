"""What single devices are to use, whatever their channel says.

Rules:
1. The database says what is wanted, the registry is then made to say the same (`publish`), as of `promotion.service`.
2. In a comparison of two releases (`handfed.server.comparisons`) each device has a pin for its group's, unless an
   operator pinned it.
3. A pin is under a name that only its device knows, which follows from the device's key: where the key was changed, or
   the device was revoked, the old name goes, and a new one comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from handfed.server.audit import service as audit
from handfed.server.base import is_possible
from handfed.server.clock import Clock, now
from handfed.server.comparisons.groups import release_for
from handfed.server.comparisons.models import ComparisonRow
from handfed.server.database import Database
from handfed.server.devices.models import DeviceKeyRow, DeviceRow
from handfed.server.people.principals import Principal
from handfed.server.promotion.evidence import reported
from handfed.server.promotion.models import PinRow
from handfed.server.releases.models import Release
from handfed.shared.errors import NotFoundError
from handfed.shared.files import sha256_of
from handfed.shared.registry import Pin, pin_path


class PinBoard(Protocol):
    """What tells devices of their pins; see `handfed.server.registry.service`."""

    def releases(self) -> frozenset[int]:
        """The releases that devices can get."""

    def pins(self) -> Mapping[str, str]:
        """SHA-256 of each pin, hex, by its path."""

    def set_pins(self, pins: Mapping[str, Pin]) -> None:
        """Has these pins, by path, and no others."""


class Pins:
    """The pins of devices.

    Every method raises a `StorageError` where the database cannot be read or written.

    Args:
        database: Where they are.
        clock: Tells the time.
    """

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database, self._clock = database, clock

    def pin(self, principal: Principal, device: int, release: int) -> None:
        """Has a device use a release of its task, whatever its channel says.

        Args:
            principal: Who decides; it takes an operator.
            device: Number of the device.
            release: Number of the release.

        Raises:
            ForbiddenError: The principal is no operator.
            NotFoundError: There is no such device within the principal's scope, or no such release.
        """
        principal.require("operator")
        with self._database.write() as session:
            row = _device(session, principal, device)
            found = session.get(Release, release) if is_possible(release) else None
            if found is None:
                raise NotFoundError(f"there is no release {release}; handfed releases names those there are")
            session.merge(PinRow(device=device, task=found.task, release=release))
            self._record(session, principal, "pin", row, release)

    def unpin(self, principal: Principal, device: int) -> None:
        """Has a device follow its channels again; one that does already is left as it is.

        Args:
            principal: Who decides; it takes an operator.
            device: Number of the device.

        Raises:
            ForbiddenError: The principal is no operator.
            NotFoundError: There is no such device within the principal's scope.
        """
        principal.require("operator")
        with self._database.write() as session:
            row = _device(session, principal, device)
            for pin in session.scalars(select(PinRow).where(PinRow.device == device)):
                self._record(session, principal, "unpin", row, pin.release)
                session.delete(pin)

    def of(self, principal: Principal, device: int) -> dict[str, int]:
        """The release that a device is pinned to, by task.

        Raises:
            NotFoundError: There is no such device within the principal's scope.
        """
        with self._database.read() as session:
            _device(session, principal, device)
            pins = session.scalars(select(PinRow).where(PinRow.device == device).order_by(PinRow.task))
            return {pin.task: pin.release for pin in pins}

    def publish(self, registry: PinBoard) -> None:
        """Has the registry say what is on record.

        Args:
            registry: What tells devices.

        Raises:
            HandfedError: The registry cannot be read or written.
        """
        in_force = registry.releases()
        wanted = {path: pin for path, pin in self._wanted().items() if pin.release in in_force}
        if {path: sha256_of(pin.encode()) for path, pin in wanted.items()} != dict(registry.pins()):
            registry.set_pins(wanted)

    def _wanted(self) -> dict[str, Pin]:
        other = aliased(DeviceKeyRow)
        newest = select(func.max(other.number)).where(other.device == DeviceRow.number).scalar_subquery()
        query = (
            select(DeviceKeyRow.fingerprint, PinRow.task, PinRow.release)
            .select_from(PinRow)
            .join(DeviceRow, DeviceRow.number == PinRow.device)
            .join(DeviceKeyRow, DeviceKeyRow.number == newest)
            .where(DeviceRow.state == "enrolled")
        )
        with self._database.read() as session:
            by_hand = {
                pin_path(fingerprint, task): Pin(task, release) for fingerprint, task, release in session.execute(query)
            }
            return _compared(session) | by_hand

    def _record(self, session: Session, principal: Principal, verb: str, row: DeviceRow, release: int) -> None:
        what, detail = f"device/{row.number}", {"release": release}
        audit.record(session, self._clock(), principal, verb, what, organisation=row.organisation, detail=detail)


def _compared(session: Session) -> dict[str, Pin]:
    """What devices are to use in comparisons that go on."""
    going = session.scalars(select(ComparisonRow).where(ComparisonRow.ended_at.is_(None))).all()
    keys = {device: known.fingerprint for device, known in reported(session).items()} if going else {}
    return {
        pin_path(key, row.task): Pin(row.task, release_for(row, device))
        for row in going
        for device, key in keys.items()
    }


def _device(session: Session, principal: Principal, number: int) -> DeviceRow:
    row = session.get(DeviceRow, number) if is_possible(number) else None
    if row is None or not principal.reaches(row.organisation):
        raise NotFoundError(f"there is no device {number}; handfed devices list names those there are")
    return row
