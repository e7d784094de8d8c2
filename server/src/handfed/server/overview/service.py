"""What goes on in a federation, in one look: what runs, what was released, who is there, and what needs a person.

Rules:
1. Everything is counted within the scope of who asks; runs and releases are of the federation.
2. What needs a person is worked out elsewhere (`handfed.server.attention`); here it is put together.
3. It is a few queries, whatever the record holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from handfed.server.attention.service import AttentionReading, current_run, is_away
from handfed.server.attention.values import Matter
from handfed.server.clock import Clock, now
from handfed.server.database import Database
from handfed.server.devices.models import DeviceRow
from handfed.server.learning.waiting import in_all
from handfed.server.overview.values import Attention, DeviceCounts, LatestRelease, Overview, RunInBrief
from handfed.server.people.principals import Principal
from handfed.server.promotion.models import PromotionRow
from handfed.server.releases.models import Release
from handfed.server.runs.models import Round, Run

ONLINE: Final = timedelta(seconds=60)  # a device asks for messages every 20 seconds at least
_MOST_NAMED: Final = 5  # of a kind


class OverviewReading:
    """Reads what goes on.

    Args:
        database: Where the record is.
        clock: Tells the time.
        needs: What needs a person.
    """

    def __init__(self, database: Database, clock: Clock = now, needs: AttentionReading | None = None) -> None:
        self._database, self._clock, self._needs = database, clock, needs or AttentionReading()

    def read(self, principal: Principal) -> Overview:
        """What goes on.

        Raises:
            StorageError: The database cannot be read.
        """
        principal.require("viewer")
        moment = self._clock()
        with self._database.read() as session:
            devices = _devices(session, principal, moment)
            matters = self._needs.of_federation(session, principal, moment)
            return Overview(
                at=moment,
                devices=devices,
                run=_run(session),
                queued=session.scalar(select(func.count()).select_from(Run).where(Run.status == "queued")) or 0,
                waiting=in_all(session, principal),
                release=_release(session),
                attention=_attention(matters, devices),
            )


def _devices(session: Session, principal: Principal, moment: datetime) -> DeviceCounts:
    enrolled = DeviceRow.state == "enrolled"
    query = select(
        _count(enrolled),
        _count(enrolled & (DeviceRow.last_seen_at >= moment - ONLINE)),
        _count(is_away(moment)),
        _count(DeviceRow.state == "revoked"),
    )
    row = session.execute(principal.within(query, DeviceRow.organisation)).one()
    return DeviceCounts(*(int(each or 0) for each in row))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _run(session: Session) -> RunInBrief | None:
    """The run that goes on, or else the newest that has begun."""
    row = current_run(session)
    if row is None:
        return None
    last = session.scalar(select(Round).where(Round.run_id == row.id).order_by(Round.number.desc()).limit(1))
    told = select(Round).where(Round.run_id == row.id, Round.accuracy.is_not(None)).order_by(Round.number.desc())
    judged = session.scalar(told.limit(1))
    planned = row.settings.get("rounds")
    return RunInBrief(
        id=row.id,
        status=row.status,
        task=row.task,
        rounds=0 if last is None else last.number,
        planned=planned if isinstance(planned, int) else None,
        accuracy=None if judged is None else judged.accuracy,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def _release(session: Session) -> LatestRelease | None:
    query = (
        select(Release, PromotionRow.phase)
        .outerjoin(PromotionRow, PromotionRow.release == Release.number)
        .order_by(Release.number.desc())
        .limit(1)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    row, phase = found
    return LatestRelease(row.number, row.task, phase, row.accuracy_int8, row.size_bytes, row.created_at)


def _attention(matters: Iterable[Matter], devices: DeviceCounts) -> tuple[Attention, ...]:
    """What needs a person, the newest few of each kind, and devices as one."""
    found: list[Attention] = []
    named: Counter[str] = Counter()
    for each in matters:
        named[each.kind] += 1
        if named[each.kind] <= _MOST_NAMED:
            found.append(Attention(each.kind, each.count, each.subject))
    if devices.away:
        found.append(Attention("devices-away", devices.away, "devices"))
    return tuple(found)
