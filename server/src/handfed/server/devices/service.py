"""The devices of a federation, once they have joined (`enrolment` lets them in).

Rules:
1. Nobody sees a device of an organisation that they do not reach: for them it does not exist.
2. A device that is revoked stays revoked, and on record; a machine that shall come back joins anew, with a new key.
3. What a device may do is written here first and then made so in the key registry (`registry`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session, aliased

from handfed.server.audit import service as audit
from handfed.server.base import is_possible
from handfed.server.clock import Clock, now
from handfed.server.database import Database, columns_of, snapshot
from handfed.server.devices.models import DeviceKeyRow, DeviceRow
from handfed.server.devices.registry import Registrar
from handfed.server.devices.values import Device, DeviceState
from handfed.server.naming import checked_name
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.principals import Principal
from handfed.shared.errors import NotFoundError


class Devices:
    """The devices of a federation.

    Every method raises a `StorageError` when the database cannot be read or written.

    Args:
        database: Where they are.
        registrar: Makes the key registry as the database wants it.
        clock: Tells the time.
    """

    def __init__(self, database: Database, registrar: Registrar, clock: Clock = now) -> None:
        self._database = database
        self._registrar = registrar
        self._clock = clock

    def list(
        self,
        principal: Principal,
        request: PageRequest = FIRST,
        *,
        organisation: int | None = None,
        state: DeviceState | None = None,
    ) -> Page[Device]:
        """Devices within the principal's scope, in order of number.

        Args:
            principal: Who asks.
            request: Which part.
            organisation: Only those of this organisation; None for all.
            state: Only those in this state; None for all.
        """
        query = principal.within(_with_keys().with_only_columns(*_COLUMNS), DeviceRow.organisation)
        if organisation is not None:
            query = query.where(DeviceRow.organisation == (organisation if is_possible(organisation) else 0))
        if state is not None:
            query = query.where(DeviceRow.state == state)
        with self._database.read() as session:
            return page_of(session, query, DeviceRow.number, request, lambda row: Device(*row[: len(_COLUMNS)]))

    def get(self, principal: Principal, number: int) -> Device:
        """One device.

        Raises:
            NotFoundError: There is none with this number within the principal's scope.
        """
        with self._database.read() as session:
            return _device(session, _known(session, principal, number))

    def rename(self, principal: Principal, number: int, name: str) -> Device:
        """Gives a device another name.

        Raises:
            ForbiddenError: The principal is no operator.
            NotFoundError: There is none with this number within the principal's scope.
            SettingError: This can be no name.
        """
        principal.require("operator")
        written = checked_name(name, "a device")
        with self._database.write() as session:
            row = _known(session, principal, number, locked=True)
            if row.name != written:
                detail = {"from": row.name, "to": written}
                row.name = written
                self._record(session, principal, "rename", row, detail)
            return _device(session, row)

    def revoke(self, principal: Principal, number: int) -> Device:
        """Lets a device in no more; one that is revoked already stays as it is.

        Raises:
            ForbiddenError: The principal is no operator.
            NotFoundError: There is none with this number within the principal's scope.
        """
        principal.require("operator")
        keys: list[int] = []
        with self._database.write() as session:
            row = _known(session, principal, number, locked=True)
            if row.state != "revoked":
                row.state, row.revoked_at = "revoked", self._clock()
                for key in session.scalars(select(DeviceKeyRow).where(DeviceKeyRow.device == number)):
                    if key.wanted:
                        key.wanted = key.settled = False
                        keys.append(key.number)
                self._record(session, principal, "revoke", row, {})
        self._registrar.try_to_settle(*keys)
        return self.get(principal, number)

    def enrolled(self) -> Mapping[int, Device]:
        """By node id, the devices that take part: for the server itself, which asks for all."""
        query = _with_keys().where(DeviceRow.state == "enrolled", DeviceKeyRow.node_id.is_not(None))
        with self._database.read() as session:
            found = [device_of(device, key) for device, key in session.execute(query)]
        return {device.node_id: device for device in found if device.node_id is not None}

    def touch(self, nodes: Collection[int]) -> None:
        """Notes that devices were heard of just now.

        Args:
            nodes: Their node ids.
        """
        if not nodes:
            return
        heard = select(DeviceKeyRow.device).where(DeviceKeyRow.node_id.in_(nodes), DeviceKeyRow.wanted.is_(True))
        with self._database.write() as session:
            session.execute(update(DeviceRow).where(DeviceRow.number.in_(heard)).values(last_seen_at=self._clock()))

    def _record(
        self, session: Session, principal: Principal, verb: str, row: DeviceRow, detail: Mapping[str, Any]
    ) -> None:
        moment, what = self._clock(), f"device/{row.number}"
        audit.record(session, moment, principal, verb, what, organisation=row.organisation, detail=detail)


def caps_of(database: Database) -> dict[int, int]:
    """By node id, how many samples a device counts for at most, where its invitation said so."""
    query = _with_keys().where(DeviceKeyRow.node_id.is_not(None), DeviceRow.max_samples.is_not(None))
    with database.read() as session:
        return {key.node_id: device.max_samples for device, key in session.execute(query)}  # type: ignore[misc]


def device_of(row: DeviceRow, key: DeviceKeyRow) -> Device:
    """A device as a value.

    Args:
        row: The device.
        key: The key that it has now.
    """
    return snapshot(Device, row, public_key=key.public_key, fingerprint=key.fingerprint, node_id=key.node_id)


_COLUMNS: Final = columns_of(Device, DeviceRow, DeviceKeyRow)


def keys_of(session: Session, device: int) -> list[DeviceKeyRow]:
    """The keys that a device has and had, newest first."""
    query = select(DeviceKeyRow).where(DeviceKeyRow.device == device).order_by(DeviceKeyRow.number.desc())
    return list(session.scalars(query))


def _device(session: Session, row: DeviceRow) -> Device:
    return device_of(row, keys_of(session, row.number)[0])


def _with_keys() -> Select[DeviceRow, DeviceKeyRow]:
    """Devices, each with its newest key."""
    other = aliased(DeviceKeyRow)
    newest = select(func.max(other.number)).where(other.device == DeviceRow.number).scalar_subquery()
    return select(DeviceRow, DeviceKeyRow).join(DeviceKeyRow, DeviceKeyRow.number == newest)


def _known(session: Session, principal: Principal, number: int, *, locked: bool = False) -> DeviceRow:
    row = session.get(DeviceRow, number, with_for_update=locked) if is_possible(number) else None
    if row is None or not principal.reaches(row.organisation):
        raise NotFoundError(f"there is no device {number}; handfed devices list names those there are")
    return row
