"""What devices did in a round, and who is told of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from handfed.server.api.services import Services
from handfed.server.database import Database
from handfed.server.devices.memory import MemoryRegistry
from handfed.server.people.principals import Principal
from handfed.server.runs.live import LiveExchange
from handfed.server.runs.models import DeviceRound, Run
from handfed.shared.errors import NotFoundError
from handfed.simulations.pages.example import Example, fill

FEDERATION = Principal("Cy", "viewer")
SCHOOL = Principal("Ed", "viewer", organisation=1)
NODE = 1 << 40


class World:
    """A federation of 24 devices, of which every fourth is of organisation 1."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.live = LiveExchange()
        self.database = database
        self.services = Services.over(self.database, MemoryRegistry(), live=self.live)
        self.example: Example = fill(self.services, directory, rounds=4, now=datetime(2026, 5, 6, tzinfo=UTC))

    def set_settings(self, **settings: Any) -> None:
        with self.database.write() as session:
            session.execute(update(Run).where(Run.id == self.example.done).values(settings=settings))


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    """An example of this test, in a database of each kind in turn."""
    return World(database, tmp_path)


def test_a_school_sees_its_own_devices_alone(world: World) -> None:
    found = world.services.participants.list(SCHOOL, world.example.done, 1).items
    everybody = world.services.participants.list(FEDERATION, world.example.done, 1).items
    assert {each.organisation for each in found} == {1}
    assert {each.device for each in found} < {each.device for each in everybody}


def test_what_became_of_each_update_is_told(world: World) -> None:
    outcomes = {
        each.outcome
        for number in range(1, 5)
        for each in world.services.participants.list(FEDERATION, world.example.done, number).items
    }
    assert outcomes <= {"accepted", "late", "rejected"}
    assert "accepted" in outcomes
    assert "late" in outcomes


def test_of_a_secure_run_nothing_is_told_by_device(world: World) -> None:
    world.set_settings(visibility="secure")
    participants = world.services.participants
    assert not participants.list(FEDERATION, world.example.done, 1).items
    assert participants.round(FEDERATION, world.example.done, 1).devices is None


def test_devices_are_spread_from_five_on(world: World) -> None:
    participants = world.services.participants
    seen = participants.round(FEDERATION, world.example.done, 4)
    assert seen.devices is not None
    assert sum(seen.device_bins) == seen.devices.count > 5
    _only(world, 5)
    five = participants.round(SCHOOL, world.example.done, 4)
    assert sum(five.device_bins) == 5
    assert five.devices is not None
    assert five.devices.count == 5
    _only(world, 4)
    assert participants.round(SCHOOL, world.example.done, 4).device_bins == ()


def test_how_few_samples_are_read_is_not_told(world: World) -> None:
    with world.database.write() as session:
        session.execute(update(DeviceRound).values(held_out=9))
    found = world.services.participants.list(FEDERATION, world.example.done, 1).items
    assert {each.accuracy for each in found} == {None}
    assert not world.services.participants.round(FEDERATION, world.example.done, 1).device_bins


def test_what_goes_on_is_told_in_numbers_to_all_and_by_device_to_who_may_see_it(world: World) -> None:
    world.live.asked("train", [NODE + number for number in range(1, 9)])
    world.live.fetched(NODE + 4)
    whole = world.services.participants.live(FEDERATION, world.example.run)
    own = world.services.participants.live(SCHOOL, world.example.run)
    assert (whole.kind, whole.asked, whole.working, len(whole.devices)) == ("train", 8, 1, 8)
    assert (own.asked, own.working) == (8, 1)
    assert [(each.device, each.activity) for each in own.devices] == [(4, "working"), (8, "asked")]


def test_of_a_run_that_is_over_nothing_goes_on(world: World) -> None:
    world.live.asked("train", [NODE + 1])
    assert world.services.participants.live(FEDERATION, world.example.done).kind is None


@pytest.mark.parametrize("run", [99, 1 << 40])
def test_what_is_not_there_is_not_found(world: World, run: int) -> None:
    for asked in (
        lambda: world.services.participants.live(FEDERATION, run),
        lambda: world.services.participants.list(FEDERATION, run, 1),
        lambda: world.services.participants.round(FEDERATION, run, 1),
        lambda: world.services.participants.round(FEDERATION, world.example.done, run),
    ):
        with pytest.raises(NotFoundError):
            asked()


def _only(world: World, devices: int) -> None:
    """Leaves so many devices that read anything in the last round."""
    with world.database.write() as session:
        session.execute(update(DeviceRound).where(DeviceRound.device > NODE + 100).values(held_out=0))
        rows = (
            session.query(DeviceRound).filter_by(run_id=world.example.done, round=4).order_by(DeviceRound.device).all()
        )
        for row in rows[devices:]:
            row.held_out = 0
