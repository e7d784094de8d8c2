"""A federation with devices, a release in use, and what its devices tell of their handwriting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from handfed.server.database import Database
from handfed.server.learning.service import Policies
from handfed.server.people.models import OrganisationRow
from handfed.server.people.principals import Principal
from handfed.server.promotion.models import PromotionRow, ReportRow
from handfed.server.runs.control import RunControl, RunQueue
from handfed.server.runs.service import RunRecord
from handfed.shared.handwriting_reports import Figure, HandwritingReport
from handfed.shared.release_reports import Report
from tests.server.recorded import enrol, publish

START = datetime(2026, 5, 6, 12, tzinfo=UTC)
DEVICES = 6
ADA = Principal("Ada", "operator")


@dataclass
class World:
    """A federation whose runs end by hand."""

    database: Database
    clock: Any
    sequence: int = 0
    releases: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policies = Policies(self.database, self.clock)
        self.control = RunControl(self.database, self.clock)
        self.queue = RunQueue(self.database, self.clock)
        self.runs = RunRecord(self.database, self.clock)

    def run(self, number: int, status: str = "done") -> None:
        """Has the first run in the queue end."""
        assert self.queue.take() == number
        if status == "done":
            self.runs.finish(number, {})
        elif status == "failed":
            self.runs.fail(number, "too few devices")
        else:
            self.control.stop(ADA, number)

    def publish(self, run: int | None, phase: str = "stable", task: str = "digits") -> int:
        """Puts a release of a run on record, and takes it as far as that."""
        number = len(self.releases) + 1
        self.releases.append(number)
        with self.database.write() as session:
            publish(session, number, run=run, task=task, at=self.clock())
            session.flush()
            session.add(
                PromotionRow(
                    release=number,
                    champion=None,
                    salt="0" * 32,
                    phase=phase,
                    step=3 if phase == "stable" else 0,
                    since=self.clock(),
                    reason="by the test",
                    shown=True,
                    pinned=False,
                )
            )
        return number

    def tell(
        self,
        device: int,
        fresh: int,
        known: Mapping[str, Figure] | None = None,
        recent: Mapping[str, Figure] | None = None,
        release: int = 1,
        **counts: int,
    ) -> None:
        """Has a device report, signed or not."""
        self.sequence += 1
        told = HandwritingReport(release, fresh, known or {}, recent or {}, **counts)
        report = Report(self.sequence, handwriting=told)
        with self.database.write() as session:
            session.merge(ReportRow.of(device, report, report.encode(), self.clock()))

    def put(self, device: int, text: str) -> None:
        """Puts any text in the place of a device's report."""
        with self.database.write() as session:
            session.merge(ReportRow(device=device, sequence=self.sequence, report=text, received_at=self.clock()))

    def count(self) -> int:
        """How many runs there are."""
        return len(self.runs.list())

    def look(self, **later: float) -> int:
        """How many runs there are after a look."""
        self.clock.forward(**{"minutes": 2, **later})
        self.policies.look()
        return self.count()


@pytest.fixture
def world(database: Database, clock: Any) -> World:
    with database.write() as session:
        session.add(OrganisationRow(number=1, name="Clinic North", created_at=START))
        session.flush()
        for number in range(1, DEVICES + 1):
            enrol(session, number)
    made = World(database, clock)
    made.control.start(ADA, "digits", {"rounds": 9, "qat_rounds": 2})
    made.run(1)
    made.publish(1)
    clock.forward(minutes=1)
    return made
