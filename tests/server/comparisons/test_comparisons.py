"""Two releases on two groups of devices: drawn once, told by signed pins, and compared from enough devices on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from handfed.server.audit.service import AuditLog
from handfed.server.audit.values import AuditFilter
from handfed.server.comparisons.service import Comparisons
from handfed.server.comparisons.values import Evidence
from handfed.server.database import Database
from handfed.server.devices.models import DeviceRow
from handfed.server.people.models import OrganisationRow
from handfed.server.people.principals import Principal
from handfed.server.promotion.models import PromotionRow, ReportRow
from handfed.server.promotion.pins import Pins
from handfed.shared.errors import ConflictError, ForbiddenError, NotFoundError, SettingError
from handfed.shared.files import sha256_of
from handfed.shared.handwriting_reports import HandwritingReport
from handfed.shared.registry import Pin, pin_path
from handfed.shared.release_reports import Report, Use
from tests.server.recorded import enrol, give_key, publish

START = datetime(2026, 5, 6, 12, tzinfo=UTC)
ADA = Principal("Ada", "operator")
DEVICES = 30


@dataclass
class Board:
    """The pins that devices can find."""

    found: dict[str, Pin] = field(default_factory=dict)

    def releases(self) -> frozenset[int]:
        return frozenset({1, 2, 3})

    def pins(self) -> Mapping[str, str]:
        return {path: sha256_of(pin.encode()) for path, pin in self.found.items()}

    def set_pins(self, pins: Mapping[str, Pin]) -> None:
        self.found = dict(pins)


@dataclass
class World:
    """A federation of many devices and three releases, the last one of words."""

    database: Database
    clock: Any
    sequence: int = 0
    board: Board = field(default_factory=Board)

    def __post_init__(self) -> None:
        self.comparisons = Comparisons(self.database, self.clock, lambda: "5" * 32)
        self.pins = Pins(self.database, self.clock)

    def used(self) -> dict[int, int]:
        """The release that each device is told to use."""
        self.pins.publish(self.board)
        paths = {device: pin_path(f"{device:064x}", "digits") for device in range(1, DEVICES + 1)}
        return {device: self.board.found[path].release for device, path in paths.items() if path in self.board.found}

    def tell(self, device: int, *uses: Use, release: int = 1, held_out: int = 0, right: int = 0) -> None:
        self.sequence += 1
        report = Report(self.sequence, (), (), HandwritingReport(release, 0, {}, {}, held_out, right), uses)
        with self.database.write() as session:
            session.merge(ReportRow.of(device, report, report.encode(), self.clock()))

    def evidence(self, number: int = 1) -> Evidence:
        return self.comparisons.outcome(ADA, number).evidence


@pytest.fixture
def world(database: Database, clock: Any) -> World:
    with database.write() as session:
        session.add(OrganisationRow(number=1, name="Clinic North", created_at=START))
        for number, task in ((1, "digits"), (2, "digits"), (3, "words")):
            publish(session, number, task=task, at=START)
        session.flush()
        for number in range(1, DEVICES + 1):
            enrol(session, number)
    return World(database, clock)


def test_every_device_is_in_one_of_two_groups_and_stays_there(world: World) -> None:
    assert world.used() == {}
    world.comparisons.start(ADA, 1, 2, 50)
    groups = world.used()
    assert len(groups) == DEVICES
    assert 8 <= sum(release == 2 for release in groups.values()) <= 22
    with world.database.write() as session:  # one changes its key, another is revoked
        give_key(session, 1, fingerprint="f" * 64, node_id=999)
        gone = session.get(DeviceRow, 2)
        assert gone is not None
        gone.state = "revoked"
    again = world.used()
    assert again == {device: release for device, release in groups.items() if device not in {1, 2}}
    assert world.board.found[pin_path("f" * 64, "digits")].release == groups[1]
    world.comparisons.end(ADA, 1)
    assert world.used() == {}


def test_who_was_pinned_by_hand_stays_so_and_is_in_neither_group(world: World) -> None:
    world.comparisons.start(ADA, 1, 2)
    before = world.used()
    other = 3 - before[7]
    world.pins.pin(ADA, 7, other)
    assert world.used() == {**before, 7: other}
    evidence = world.evidence()
    assert evidence.devices_a + evidence.devices_b == DEVICES - 1
    world.pins.unpin(ADA, 7)
    assert world.used() == before


def test_what_devices_tell_of_their_groups_release_is_compared(world: World) -> None:
    world.comparisons.start(ADA, 1, 2)
    for device, release in world.used().items():
        other = Use(3 - release, 5000, 2500)  # of what it read with before
        world.tell(
            device,
            Use(release, 1000, 50 if release == 1 else 20),
            other,
            release=release,
            held_out=100,
            right=90 + release,
        )
    found = world.evidence()
    assert found.corrections.a is not None
    assert found.corrections.b is not None
    assert (found.corrections.a.rate, found.corrections.b.rate) == (0.05, 0.02)
    assert found.corrections.difference is not None
    assert found.corrections.difference.high <= -0.029
    assert found.accuracy.difference is not None
    assert found.accuracy.difference.difference == pytest.approx(0.01)


def test_what_was_told_before_it_began_does_not_count(world: World) -> None:
    for device in range(1, DEVICES + 1):
        world.tell(device, Use(1, 9000, 900), Use(2, 100, 100))
    world.comparisons.start(ADA, 1, 2)
    found = world.evidence().corrections
    assert (found.a, found.b, found.difference) == (None, None, None)
    for device in range(1, DEVICES + 1):
        world.tell(device, Use(1, 9100, 910), Use(2, 200, 105))
    found = world.evidence().corrections
    assert found.a is not None
    assert found.b is not None
    assert (found.a.rate, found.b.rate) == (0.1, 0.05)


def test_of_too_few_devices_nothing_is_told(world: World) -> None:
    world.comparisons.start(ADA, 1, 2)
    groups = world.used()
    first, second = ([device for device, its in groups.items() if its == release] for release in (1, 2))
    for device in first[:4] + second[:5]:
        world.tell(device, Use(groups[device], 100, 3), release=groups[device], held_out=50, right=49)
    found = world.evidence()
    assert (found.corrections.a, found.corrections.difference, found.accuracy.a) == (None, None, None)
    assert found.corrections.b is not None


def test_a_device_that_still_uses_another_release_says_nothing_of_accuracy(world: World) -> None:
    world.comparisons.start(ADA, 1, 2)
    for device, release in world.used().items():
        world.tell(device, release=3 - release, held_out=100, right=100)
    assert world.evidence().accuracy.a is None


def test_what_came_of_a_comparison_is_kept_when_it_ends(world: World) -> None:
    world.comparisons.start(ADA, 1, 2)
    for device, release in world.used().items():
        world.tell(device, Use(release, 100, 3), release=release, held_out=50, right=49)
    before = world.evidence()
    assert world.comparisons.end(ADA, 1).ended_at is not None
    for device in range(1, DEVICES + 1):
        world.tell(device, Use(1, 9000, 3))
    assert world.evidence() == before
    with pytest.raises(ConflictError):
        world.comparisons.end(ADA, 1)
    assert world.comparisons.start(ADA, 2, 1).number == 2


@pytest.mark.parametrize(
    ("releases", "percent", "error"),
    [
        ((1, 1), 50, SettingError),
        ((1, 3), 50, SettingError),  # of another task
        ((1, 9), 50, NotFoundError),
        ((1, 2), 0, SettingError),
        ((1, 2), 100, SettingError),
    ],
)
def test_what_cannot_be_compared_is_refused(
    world: World, releases: tuple[int, int], percent: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        world.comparisons.start(ADA, *releases, percent)
    assert world.comparisons.list().items == ()


def test_a_release_that_was_rolled_back_is_not_compared_nor_two_at_once(world: World) -> None:
    world.comparisons.start(ADA, 1, 2)
    with pytest.raises(ConflictError, match="comparison 1 of digits goes on"):
        world.comparisons.start(ADA, 2, 1)
    world.comparisons.end(ADA, 1)
    with world.database.write() as session:
        session.add(
            PromotionRow(
                release=2,
                champion=None,
                salt="0" * 32,
                phase="rolled-back",
                step=0,
                since=START,
                reason="worse",
                shown=False,
                pinned=False,
            )
        )
    with pytest.raises(ConflictError, match="rolled back"):
        world.comparisons.start(ADA, 1, 2)


def test_it_takes_an_operator_of_the_federation_and_is_in_the_audit_log(world: World) -> None:
    for who in (Principal("Eve", "viewer"), Principal("Sam", "operator", organisation=1)):
        with pytest.raises(ForbiddenError):
            world.comparisons.start(who, 1, 2)
    world.comparisons.start(ADA, 1, 2)
    with pytest.raises(ForbiddenError):
        world.comparisons.outcome(Principal("Sam", "operator", organisation=1), 1)
    world.comparisons.end(ADA, 1)
    entries = AuditLog(world.database).list(Principal("Ada", "admin"), AuditFilter(object="comparison/1")).items
    assert [each.verb for each in entries] == ["compare", "end"]
