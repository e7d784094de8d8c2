"""What goes on, in one look."""

from __future__ import annotations

from typing import Any

import pytest

from handfed.server.people.principals import Principal
from handfed.server.runs.schemas import Rejection, RoundResult, RunStart
from handfed.server.runs.service import RunRecord


@pytest.fixture
def school(services: Any, admin: Any) -> Principal:
    """A viewer of one organisation."""
    return Principal("Ed", "viewer", organisation=services.organisations.add(admin, "Clinic North").number)


def test_an_empty_federation_is_calm(services: Any, admin: Any) -> None:
    seen = services.overview.read(admin)
    assert (seen.run, seen.release, seen.queued, seen.attention) == (None, None, 0, ())
    assert seen.devices.enrolled == 0


def test_devices_are_counted_by_when_they_were_heard_of(
    services: Any, admin: Any, clock: Any, join: Any, new_key: Any
) -> None:
    organisations = [services.organisations.add(admin, name).number for name in ("Own", "Other")]
    joined = [
        join(services, services.invitations.invite(admin, organisation).secret, new_key())
        for organisation in (*organisations, organisations[0])
    ]
    services.devices.touch([joined[0].node_id])
    own = Principal("Ed", "viewer", organisation=organisations[0])
    assert services.overview.read(admin).devices.online == 1
    assert services.overview.read(own).devices.enrolled == 2
    clock.forward(seconds=61)
    assert services.overview.read(admin).devices.online == 0
    services.devices.revoke(admin, joined[2].number)
    clock.forward(days=7)
    seen = services.overview.read(admin)
    assert (seen.devices.enrolled, seen.devices.revoked, seen.devices.away) == (2, 1, 2)
    assert [(each.kind, each.count) for each in seen.attention] == [("devices-away", 2)]


def test_a_failed_run_needs_a_person_and_a_school_is_told_so(
    services: Any, admin: Any, school: Any, clock: Any
) -> None:
    record = RunRecord(services.database)
    run = record.start(RunStart("digits", "cnn", "fedavg", 7, {"rounds": 9}, 3, "federation"))
    rejections = (Rejection(5, "not-finite", "NaN"), Rejection(6, "no-reply", "late"))
    record.add_round(run, RoundResult(1, "float", clock(), 4.0, 10.0, 3, 2, 300, accuracy=0.5, rejections=rejections))
    record.fail(run, "it broke")
    seen = services.overview.read(admin)
    assert (seen.run.id, seen.run.rounds, seen.run.planned, seen.run.accuracy) == (run, 1, 9, 0.5)
    assert [(each.kind, each.count) for each in seen.attention] == [("run-failed", 1), ("updates-rejected", 1)]
    assert [each.kind for each in services.overview.read(school).attention] == ["run-failed"]


def test_the_run_that_goes_on_comes_before_newer_ones(services: Any, admin: Any) -> None:
    record = RunRecord(services.database)
    start = RunStart("digits", "cnn", "fedavg", 7, {}, 3, "federation")
    first, second = record.start(start), record.start(start)
    record.fail(second, "it broke")
    assert services.overview.read(admin).run.id == first
