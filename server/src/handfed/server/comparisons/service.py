"""Has two groups of devices use two releases, and tells what came of it.

Rules:
1. Which group a device is in follows from its number and the comparison's salt (`groups`): the groups are disjoint,
   drawn at random, and stay as they are, also where a device changes its key; who joins later is in one, too.
2. Devices are told by pins, which only each of them can find (`handfed.server.promotion.pins`). A device that an
   operator pinned by hand stays with that, and is in neither group.
3. What a device told of its release before the comparison does not count.
4. Of a group, nothing is told below `handfed.shared.disclosure.LEAST_DEVICES` devices.
5. A task has one comparison at a time. It changes nothing of promotion; what is rolled back is used by nobody.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from handfed.server.audit import service as audit
from handfed.server.base import is_possible
from handfed.server.clock import Clock, now
from handfed.server.comparisons.groups import release_for
from handfed.server.comparisons.models import BaselineRow, ComparisonRow
from handfed.server.comparisons.statistics import Counts, difference, rate_of
from handfed.server.comparisons.values import Comparison, Evidence, Figure, Outcome
from handfed.server.database import Database, snapshot
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.principals import Principal
from handfed.server.promotion.evidence import Reported, reported
from handfed.server.promotion.models import PinRow, PromotionRow
from handfed.server.releases.models import Release
from handfed.shared.disclosure import LEAST_DEVICES
from handfed.shared.errors import ConflictError, NotFoundError, SettingError
from handfed.shared.promotion.rules import Phase
from handfed.shared.release_reports import Use

_SALT_BYTES: Final = 16
_MOST_PERCENT: Final = 99
_NOTHING: Final = (0, 0)


class Comparisons:
    """Comparisons of releases.

    Every method raises a `StorageError` where the database cannot be read or written.

    Args:
        database: Where they are.
        clock: Tells the time.
        new_salt: Draws 32 hex digits.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock = now,
        new_salt: Callable[[], str] = lambda: secrets.token_hex(_SALT_BYTES),
    ) -> None:
        self._database, self._clock, self._new_salt = database, clock, new_salt

    def list(self, request: PageRequest = FIRST) -> Page[Comparison]:
        """Comparisons, newest first."""
        with self._database.read() as session:
            return page_of(
                session,
                select(ComparisonRow),
                ComparisonRow.number,
                request,
                lambda row: snapshot(Comparison, row[0]),
                newest_first=True,
            )

    def start(self, principal: Principal, release_a: int, release_b: int, percent: int = 50) -> Comparison:
        """Has devices use one of two releases.

        Args:
            principal: Who decides; it takes an operator of the federation.
            release_a: What most use, or the first group.
            release_b: What the second group uses.
            percent: How many devices in a hundred are in that, 1 to 99.

        Raises:
            ConflictError: Another comparison of the task goes on, or a release was rolled back.
            ForbiddenError: The principal is no operator of the federation.
            NotFoundError: There is no such release.
            SettingError: They are one release or of two tasks, or the percentage is out of its range.
        """
        principal.require_federation("operator")
        if not 0 < percent <= _MOST_PERCENT:
            raise SettingError(f"percent {percent} lies outside 1 to {_MOST_PERCENT}")
        with self._database.write() as session:
            task = _task_of(session, release_a, release_b)
            row = ComparisonRow(
                task=task,
                release_a=release_a,
                release_b=release_b,
                percent=percent,
                salt=self._new_salt(),
                started_at=self._clock(),
            )
            session.add(row)
            session.flush()
            for device, (release, known) in _groups(session, row).items():
                use = _use_of(known, release)
                if use is not None:
                    session.add(
                        BaselineRow(
                            comparison=row.number, device=device, readings=use.readings, corrections=use.corrections
                        )
                    )
            self._record(session, principal, "compare", row)
            return snapshot(Comparison, row)

    def end(self, principal: Principal, number: int) -> Comparison:
        """Has devices follow their channels again; what came of it until now is kept.

        Args:
            principal: Who decides; it takes an operator of the federation.
            number: The comparison.

        Raises:
            ConflictError: It has ended.
            ForbiddenError: The principal is no operator of the federation.
            NotFoundError: There is none of this number.
        """
        principal.require_federation("operator")
        with self._database.write() as session:
            row = _known(session, number)
            if row.ended_at is not None:
                raise ConflictError(f"comparison {number} has ended already")
            row.outcome = asdict(_outcome(session, row))
            row.ended_at = self._clock()
            self._record(session, principal, "end", row)
            return snapshot(Comparison, row)

    def outcome(self, principal: Principal, number: int) -> Outcome:
        """What came of a comparison so far.

        Args:
            principal: Who asks; it takes a role over the federation.
            number: The comparison.

        Raises:
            ForbiddenError: The principal's role is over one organisation only.
            NotFoundError: There is none of this number.
        """
        principal.require_federation("viewer")
        with self._database.read() as session:
            row = _known(session, number)
            found = _outcome(session, row) if row.outcome is None else Evidence.of(row.outcome)
            return Outcome(snapshot(Comparison, row), found)

    def _record(self, session: Session, principal: Principal, verb: str, row: ComparisonRow) -> None:
        detail = {"releases": [row.release_a, row.release_b], "percent": row.percent}
        audit.record(session, self._clock(), principal, verb, f"comparison/{row.number}", detail=detail)


def _outcome(session: Session, row: ComparisonRow) -> Evidence:
    """What devices have told so far."""
    groups, baselines = _groups(session, row), _baselines(session, row)
    releases = (row.release_a, row.release_b)
    sides = [{device: known for device, (its, known) in groups.items() if its == release} for release in releases]
    corrections = [_corrections(*side, baselines) for side in zip(sides, releases, strict=True)]
    accuracy = [_accuracy(*side) for side in zip(sides, releases, strict=True)]
    return Evidence(len(sides[0]), len(sides[1]), _figure(*corrections), _figure(*accuracy))


def _baselines(session: Session, row: ComparisonRow) -> dict[int, tuple[int, int]]:
    rows = session.scalars(select(BaselineRow).where(BaselineRow.comparison == row.number))
    return {each.device: (each.readings, each.corrections) for each in rows}


def _groups(session: Session, row: ComparisonRow) -> dict[int, tuple[int, Reported]]:
    """The devices of a comparison by number, each with the release of its group and what it told last."""
    by_hand = set(session.scalars(select(PinRow.device).where(PinRow.task == row.task)))
    return {
        device: (release_for(row, device), known)
        for device, known in reported(session).items()
        if device not in by_hand
    }


def _use_of(known: Reported, release: int) -> Use | None:
    uses = () if known.report is None else known.report.uses
    return next((each for each in uses if each.release == release), None)


def _corrections(devices: Mapping[int, Reported], release: int, baselines: Mapping[int, tuple[int, int]]) -> Counts:
    """Corrections and readings of each device since the comparison began, int64 (devices, 2)."""
    rows = []
    for device, known in devices.items():
        use = _use_of(known, release)
        if use is not None:
            readings, corrections = baselines.get(device, _NOTHING)
            rows.append((max(use.corrections - corrections, 0), max(use.readings - readings, 0)))
    found = np.array(rows, np.int64).reshape(-1, 2)
    return found[found[:, 1] > 0]


def _accuracy(devices: Mapping[int, Reported], release: int) -> Counts:
    """Right readings and samples held out of each device that uses the release, int64 (devices, 2)."""
    told = [known.report.handwriting for known in devices.values() if known.report is not None]
    rows = [(each.right, each.held_out) for each in told if each is not None and each.release == release]
    found = np.array(rows, np.int64).reshape(-1, 2)
    return found[found[:, 1] > 0]


def _figure(first: Counts, second: Counts) -> Figure:
    a, b = (rate_of(counts) if len(counts) >= LEAST_DEVICES else None for counts in (first, second))
    return Figure(a, b, None if a is None or b is None else difference(first, second))


def _task_of(session: Session, release_a: int, release_b: int) -> str:
    """The task of two releases that can be compared now."""
    tasks = []
    for number in (release_a, release_b):
        found = session.get(Release, number) if is_possible(number) else None
        if found is None:
            raise NotFoundError(f"there is no release {number}; handfed releases names those there are")
        promotion = session.get(PromotionRow, number)
        if promotion is not None and promotion.phase == Phase.ROLLED_BACK:
            raise ConflictError(f"release {number} was rolled back, so no device uses it")
        tasks.append(found.task)
    if release_a == release_b or len(set(tasks)) > 1:
        raise SettingError("a comparison takes two releases of one task")
    going = select(ComparisonRow.number).where(ComparisonRow.task == tasks[0], ComparisonRow.ended_at.is_(None))
    other = session.scalar(going)
    if other is not None:
        raise ConflictError(
            f"comparison {other} of {tasks[0]} goes on; handfed releases end-comparison {other} ends it"
        )
    return tasks[0]


def _known(session: Session, number: int) -> ComparisonRow:
    row = session.get(ComparisonRow, number) if is_possible(number) else None
    if row is None:
        raise NotFoundError(f"there is no comparison {number}")
    return row
