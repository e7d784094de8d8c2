"""What goes on in a federation, in one look: what runs, what was released, who is there, and what needs a person.

Rules:
1. Everything is counted within the scope of who asks; runs and releases are of the federation.
2. Something needs a person where it will not mend itself: a run that failed, devices that have not been heard of for
   `AWAY`, a release that was paused or taken back, updates that are not used.
3. It is a few queries, whatever the record holds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from handfed.server.clock import Clock, now
from handfed.server.database import Database
from handfed.server.devices.models import DeviceRow
from handfed.server.learning.waiting import in_all
from handfed.server.overview.values import Attention, DeviceCounts, LatestRelease, Overview, RunInBrief
from handfed.server.people.principals import Principal
from handfed.server.promotion.models import PromotionRow
from handfed.server.releases.models import Release
from handfed.server.runs.models import RejectedUpdate, Round, Run
from handfed.shared.wire import Reason

ONLINE: Final = timedelta(seconds=60)  # a device asks for messages every 20 seconds at least
AWAY: Final = timedelta(days=7)
_SETBACKS: Final = ("paused", "rolled-back")


class OverviewReading:
    """Reads what goes on.

    Args:
        database: Where the record is.
        clock: Tells the time.
    """

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database, self._clock = database, clock

    def read(self, principal: Principal) -> Overview:
        """What goes on.

        Raises:
            StorageError: The database cannot be read.
        """
        principal.require("viewer")
        moment = self._clock()
        with self._database.read() as session:
            devices = _devices(session, principal, moment)
            run = _run(session)
            return Overview(
                at=moment,
                devices=devices,
                run=run,
                queued=session.scalar(select(func.count()).select_from(Run).where(Run.status == "queued")) or 0,
                waiting=in_all(session, principal),
                release=_release(session),
                attention=tuple(_attention(session, principal, moment, devices, run)),
            )


def _devices(session: Session, principal: Principal, moment: datetime) -> DeviceCounts:
    enrolled = DeviceRow.state == "enrolled"
    heard = func.coalesce(DeviceRow.last_seen_at, DeviceRow.enrolled_at, type_=DeviceRow.enrolled_at.type)
    query = select(
        _count(enrolled),
        _count(enrolled & (DeviceRow.last_seen_at >= moment - ONLINE)),
        _count(enrolled & (heard < moment - AWAY)),
        _count(DeviceRow.state == "revoked"),
    )
    row = session.execute(principal.within(query, DeviceRow.organisation)).one()
    return DeviceCounts(*(int(each or 0) for each in row))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _run(session: Session) -> RunInBrief | None:
    """The run that goes on, or else the newest that has begun."""
    first = case((Run.status == "running", 0), else_=1)
    query = select(Run).where(or_(Run.status != "queued")).order_by(first, Run.id.desc()).limit(1)
    row = session.scalar(query)
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


def _attention(
    session: Session, principal: Principal, moment: datetime, devices: DeviceCounts, run: RunInBrief | None
) -> list[Attention]:
    found = []
    if run is not None and run.status == "failed":
        found.append(Attention("run-failed", 1, f"run/{run.id}"))
    setbacks = (
        select(PromotionRow.release, PromotionRow.phase)
        .where(PromotionRow.phase.in_(_SETBACKS), PromotionRow.since >= moment - AWAY)
        .order_by(PromotionRow.release.desc())
        .limit(5)
    )
    found += [Attention(f"release-{phase}", 1, f"release/{number}") for number, phase in session.execute(setbacks)]
    if devices.away:
        found.append(Attention("devices-away", devices.away, "devices"))
    if run is not None and principal.organisation is None:
        refused = select(func.count()).select_from(RejectedUpdate)
        of_run = refused.where(RejectedUpdate.run_id == run.id, RejectedUpdate.reason != Reason.SILENT)
        count = session.scalar(of_run) or 0
        if count:
            found.append(Attention("updates-rejected", count, f"run/{run.id}"))
    return found
