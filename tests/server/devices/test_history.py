"""What a device did, as the record of runs has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handfed.server.api.services import Services
from handfed.server.devices.keys import PublicKey
from handfed.server.devices.values import Participation
from handfed.server.paging import PageRequest
from handfed.server.people.principals import Principal
from handfed.server.runs.control import ENGINE
from handfed.server.runs.schemas import DeviceResult, Rejection, RoundResult, RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared.errors import NotFoundError
from handfed.shared.key_rotation import rotation_message

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
START = RunStart("digits", "cnn", "fedavg", 7, {"visibility": "inspected"}, 3, ENGINE)


def run_of(services: Services, start: RunStart, *rounds: tuple[tuple[DeviceResult, ...], tuple[Rejection, ...]]) -> int:
    record = RunRecord(services.database)
    run = record.start(start)
    for number, (devices, rejections) in enumerate(rounds, start=1):
        began = NOON + timedelta(minutes=number)
        result = RoundResult(number, "float", began, 1.0, 1.0, 2, len(devices), 10)
        record.add_round(run, replace(result, devices=devices, rejections=rejections))
    record.stop(run)
    return run


def test_asked_used_late_and_refused_are_counted_apart(
    services: Services, admin: Principal, clinic: int, enrol: Any
) -> None:
    one, other = enrol(clinic), enrol(clinic)
    mine = DeviceResult(one.node_id, 100, 0.5, 2.0, 800_000, 40, 30)
    evaluated = DeviceResult(one.node_id, held_out=40, correct=30)
    theirs = DeviceResult(other.node_id, 50, 0.5, 2.0, 800_000)
    run = run_of(
        services,
        START,
        ((mine, theirs), ()),
        ((mine,), (Rejection(one.node_id, "wrong-content", "this device answered already"),)),
        ((theirs, evaluated), (Rejection(one.node_id, "no-reply", "no reply before the deadline"),)),
        ((theirs,), (Rejection(one.node_id, "not-finite", "conv/kernel: NaN"),)),
        ((theirs, evaluated), ()),
    )
    (found,) = services.history.list(admin, one.number).items
    refused = {"not-finite": 1, "wrong-content": 1}
    assert found == Participation(run, 4, 2, 1, refused, 200, 1_600_000, 4, NOON + timedelta(minutes=4))
    (beside,) = services.history.list(admin, other.number).items
    assert (beside.rounds, beside.accepted, beside.late, dict(beside.rejected)) == (4, 4, 0, {})


def test_runs_come_newest_first_and_in_pages(services: Services, admin: Principal, clinic: int, enrol: Any) -> None:
    device = enrol(clinic)
    took_part = (((DeviceResult(device.node_id, 100),), ()),)
    runs = [run_of(services, START, *rounds) for rounds in (took_part, (((), ()),), took_part, took_part)]
    first = services.history.list(admin, device.number, PageRequest(limit=2))
    rest = services.history.list(admin, device.number, PageRequest(limit=2, after=first.following))
    assert [one.run for one in (*first.items, *rest.items)] == [runs[3], runs[2], runs[0]]
    assert rest.following is None


@pytest.mark.parametrize(
    "start",
    [replace(START, settings={"visibility": "secure"}), replace(START, engine="in-process")],
)
def test_nothing_is_told_of_runs_that_see_sums_alone_nor_of_simulations(
    services: Services, admin: Principal, clinic: int, enrol: Any, start: RunStart
) -> None:
    device = enrol(clinic)
    run_of(services, start, ((DeviceResult(device.node_id, 100),), (Rejection(device.node_id, "no-reply", ""),)))
    assert services.history.list(admin, device.number).items == ()
    run_of(services, replace(START, settings={}), ((DeviceResult(device.node_id, 100),), ()))
    assert len(services.history.list(admin, device.number).items) == 1


def test_a_device_without_a_run_and_one_without_a_node_have_no_history(
    services: Services, admin: Principal, clinic: int, enrol: Any, registry: Any
) -> None:
    registry.is_there = False
    for device in (enrol(clinic), enrol(clinic)):
        assert services.history.list(admin, device.number).items == ()


def test_who_does_not_reach_a_device_learns_nothing_of_it(services: Services, admin: Principal, enrol: Any) -> None:
    own, other = (services.organisations.add(admin, name).number for name in ("Own", "Other"))
    mine, theirs = enrol(own), enrol(other)
    run_of(services, START, (tuple(DeviceResult(device.node_id, 100) for device in (mine, theirs)), ()))
    viewer = Principal("Bea", "viewer", organisation=own)
    assert len(services.history.list(viewer, mine.number).items) == 1
    for number in (theirs.number, 99):
        with pytest.raises(NotFoundError, match=f"there is no device {number}"):
            services.history.list(viewer, number)


def test_what_a_device_did_with_a_key_that_it_replaced_stays_its_own(
    services: Services, admin: Principal, machine: Any, new_key: Any
) -> None:
    before = services.devices.get(admin, machine.number)
    run_of(services, START, ((DeviceResult(before.node_id or 0, 100),), ()))
    private, public = new_key()
    message = rotation_message(machine.number, machine.fingerprint, PublicKey.parse(public).fingerprint)
    signed = machine.sign(message), replace(machine, private=private).sign(message)
    services.enrolment.rotate(machine.number, public, *signed, "192.0.2.7")
    assert services.devices.get(admin, machine.number).node_id != before.node_id
    assert len(services.history.list(admin, machine.number).items) == 1
