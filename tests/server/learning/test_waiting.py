"""What waits for a run on devices is told in tens, within the scope of who asks, and only while it is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handfed.server.devices.models import DeviceRow
from handfed.server.learning.waiting import WaitingInAll, WaitingReading, in_all
from handfed.server.people.models import OrganisationRow
from handfed.server.people.principals import Principal

if TYPE_CHECKING:
    from tests.server.learning.conftest import World

ADA = Principal("Ada", "viewer")


def total(world: World, who: Principal = ADA) -> WaitingInAll:
    with world.database.read() as session:
        return in_all(session, who)


def test_what_devices_told_is_listed_and_summed(world: World) -> None:
    world.clock.forward(minutes=1)
    world.tell(1, 200, feedback=40, feedback_used=10)
    world.tell(2, 30)
    found = WaitingReading(world.database).list(ADA, "digits").items
    assert [(each.device, each.fresh, each.feedback, each.feedback_used, each.counts) for each in found] == [
        (1, 200, 40, 10, True),
        (2, 30, 0, 0, True),
    ]
    assert total(world) == WaitingInAll(2, 230, 40)
    assert WaitingReading(world.database).list(ADA, "words").items == ()


def test_what_was_told_before_the_last_run_was_done_counts_no_more(world: World) -> None:
    world.clock.forward(minutes=1)
    world.tell(1, 200, feedback=40)
    world.clock.forward(days=2)
    world.control.start(Principal("Ada", "operator"), "digits")
    world.run(2)
    assert total(world) == WaitingInAll(0, 0, 0)
    assert [each.counts for each in WaitingReading(world.database).list(ADA, "digits").items] == [False]
    world.clock.forward(minutes=1)
    world.tell(1, 0, feedback_used=40)
    assert total(world) == WaitingInAll(1, 0, 0)


@pytest.mark.parametrize("other", ["organisation", "state"])
def test_of_devices_of_others_and_of_those_that_left_nothing_is_told(world: World, other: str) -> None:
    world.clock.forward(minutes=1)
    world.tell(1, 200)
    world.tell(2, 100)
    with world.database.write() as session:
        session.add(OrganisationRow(number=2, name="School South", created_at=world.clock()))
        session.flush()
        row = session.get_one(DeviceRow, 2)
        row.organisation, row.state = (2, "enrolled") if other == "organisation" else (1, "revoked")
    who = Principal("Ed", "viewer", organisation=1)
    assert total(world, who) == WaitingInAll(1, 200, 0)
    assert [each.device for each in WaitingReading(world.database).list(who, "digits").items] == [1]
