"""Devices once they have joined."""

from __future__ import annotations

from typing import Any

import pytest

from handfed.server.api.services import Services
from handfed.server.devices.memory import MemoryRegistry
from handfed.server.paging import ALL
from handfed.server.people.principals import Principal
from handfed.shared.errors import ForbiddenError, NotFoundError


def test_renaming_is_on_record(services: Services, admin: Principal, machine: Any) -> None:
    assert services.devices.rename(admin, machine.number, " Room  12 ").name == "Room 12"
    services.devices.rename(admin, machine.number, "Room 12")
    entries = [entry for entry in services.audit.list(admin).items if entry.verb == "rename"]
    assert [dict(entry.detail) for entry in entries] == [{"from": "device 1", "to": "Room 12"}]


def test_a_revoked_device_is_let_in_no_more_and_stays_on_record(
    services: Services, admin: Principal, machine: Any, registry: MemoryRegistry, clock: Any
) -> None:
    before = services.devices.get(admin, machine.number)
    clock.forward(hours=1)
    revoked = services.devices.revoke(admin, machine.number)
    assert (revoked.state, revoked.revoked_at, revoked.node_id) == ("revoked", clock(), before.node_id)
    assert registry.keys == {}
    clock.forward(hours=1)
    assert services.devices.revoke(admin, machine.number) == revoked
    assert [entry.verb for entry in services.audit.list(admin).items].count("revoke") == 1


def test_a_device_is_revoked_where_the_registry_is_away(
    services: Services, admin: Principal, machine: Any, registry: MemoryRegistry
) -> None:
    registry.is_there = False
    assert services.devices.revoke(admin, machine.number).state == "revoked"
    registry.is_there = True
    assert services.registrar.reconcile() == 0
    assert registry.keys == {}


def test_those_that_take_part_are_known_by_node(
    services: Services, admin: Principal, clinic: int, enrol: Any, registry: MemoryRegistry
) -> None:
    one, other = enrol(clinic), enrol(clinic)
    registry.is_there = False
    enrol(clinic)
    services.devices.revoke(admin, other.number)
    assert services.devices.enrolled() == {one.node_id: one}


def test_a_device_that_was_heard_of_was_seen(
    services: Services, admin: Principal, clinic: int, enrol: Any, clock: Any
) -> None:
    one, other = enrol(clinic), enrol(clinic)
    clock.forward(minutes=1)
    services.devices.touch([one.node_id, 5])
    services.devices.touch([])
    assert services.devices.get(admin, one.number).last_seen_at == clock()
    assert services.devices.get(admin, other.number).last_seen_at is None


def test_a_list_is_of_one_organisation_or_state_where_asked_for(
    services: Services, admin: Principal, clinic: int, enrol: Any
) -> None:
    school = services.organisations.add(admin, "B").number
    one, other = enrol(clinic), enrol(school)
    services.devices.revoke(admin, one.number)

    def numbers(**wanted: Any) -> list[int]:
        return [device.number for device in services.devices.list(admin, ALL, **wanted).items]

    assert numbers() == [one.number, other.number]
    assert numbers(organisation=school) == numbers(state="enrolled") == [other.number]
    assert numbers(organisation=school, state="revoked") == numbers(organisation=2**40) == []


def test_one_school_never_sees_anothers_devices(services: Services, admin: Principal, clinic: int, enrol: Any) -> None:
    school = services.organisations.add(admin, "B").number
    mine, theirs = enrol(clinic), enrol(school)
    who = Principal("S", "operator", organisation=clinic)
    assert services.devices.list(who, ALL).items == (mine,)
    assert services.devices.list(who, ALL, organisation=school).items == ()
    with pytest.raises(NotFoundError, match=f"there is no device {theirs.number}"):
        services.devices.get(who, theirs.number)
    with pytest.raises(NotFoundError):
        services.devices.rename(who, theirs.number, "x")
    with pytest.raises(NotFoundError):
        services.devices.revoke(who, theirs.number)
    assert services.devices.get(admin, theirs.number) == theirs


def test_a_viewer_changes_no_device(services: Services, machine: Any) -> None:
    who = Principal("x", "viewer")
    services.devices.get(who, machine.number)
    with pytest.raises(ForbiddenError):
        services.devices.rename(who, machine.number, "x")
    with pytest.raises(ForbiddenError):
        services.devices.revoke(who, machine.number)
