"""A federation with devices and releases on record, and a registry in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from handfed.server.database import Database
from handfed.server.devices.attempts import Attempts
from handfed.server.people.models import OrganisationRow
from handfed.server.promotion.reports import Reports
from handfed.server.promotion.service import Promotions
from handfed.server.runs.schemas import DeviceResult, RoundResult, RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared.promotion.settings import PromotionSettings
from handfed.shared.registry import Channel
from handfed.shared.release_reports import Comparison, Condition, Report, Standing, statement
from tests.server.recorded import enrol, publish

START = datetime(2026, 5, 6, 12, tzinfo=UTC)
DEVICES = 6
HELD_OUT = 1000
SETTINGS = PromotionSettings(stage_s=3600.0, least_healthy=2)


@dataclass
class MemoryChannels:
    """What devices are told, and how often that changed."""

    in_force: set[int] = field(default_factory=set)
    told: dict[str, Channel] = field(default_factory=dict)
    changes: int = 0

    def releases(self) -> frozenset[int]:
        return frozenset(self.in_force)

    def channels(self) -> dict[str, Channel]:
        return dict(self.told)

    def set_channel(self, channel: Channel) -> None:
        self.told[channel.task] = channel
        self.changes += 1


@dataclass
class World:
    """A federation whose releases are published and reported of by hand."""

    database: Database
    clock: Any
    keys: dict[int, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    registry: MemoryChannels = field(default_factory=MemoryChannels)
    sequence: int = 0

    def __post_init__(self) -> None:
        self.promotions = Promotions(self.database, SETTINGS, self.clock)
        self.reports = Reports(self.database, Attempts(10_000), self.clock)

    def publish(self, number: int, task: str = "digits") -> None:
        """Puts a release of a run on record, in which each device held out `HELD_OUT` samples."""
        record = RunRecord(self.database)
        run = record.start(RunStart(task, "cnn", "fedavg", 7, {}, DEVICES, "federation"))
        results = tuple(DeviceResult(1000 + device, held_out=HELD_OUT, correct=900) for device in self.keys)
        record.add_round(run, RoundResult(1, "float", START, 4.0, 10.0, 3, 2, 300, devices=results))
        with self.database.write() as session:
            publish(session, number, run=run, task=task, at=self.clock())
        self.registry.in_force.add(number)

    def look(self, **later: float) -> Channel:
        """What devices are told of digits after one look."""
        self.clock.forward(**later)
        self.promotions.publish(self.registry)
        return self.registry.told["digits"]

    def report(self, device: int, *standings: Standing, compared: tuple[Comparison, ...] = ()) -> None:
        self.sequence += 1
        self.send(device, Report(self.sequence, standings, compared).encode())

    def send(self, device: int, text: str, by: int | None = None) -> None:
        signed = statement(device, text)
        key = self.keys[device if by is None else by]
        self.reports.take(device, text, key.sign(signed, ec.ECDSA(hashes.SHA384())), "192.0.2.1")

    def all_compare(self, champion: int, candidate: int, only_candidate: int, only_champion: int) -> None:
        """Every device reads all that it holds out with both."""
        for device in self.keys:
            found = Comparison(champion, candidate, HELD_OUT, only_candidate, only_champion)
            self.report(device, compared=(found,))

    def all_use(self, release: int, condition: Condition = Condition.HEALTHY) -> None:
        for device in self.keys:
            self.report(device, Standing(release, condition, in_use=condition is Condition.HEALTHY))


@pytest.fixture
def world(database: Database, clock: Any, new_key: Callable[[], tuple[Any, str]]) -> World:
    made = World(database, clock)
    with database.write() as session:
        session.add(OrganisationRow(number=1, name="Clinic North", created_at=START))
        session.flush()
        for number in range(1, DEVICES + 1):
            made.keys[number], pem = new_key()
            enrol(session, number, pem)
    return made
