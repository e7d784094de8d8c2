"""What waits for a run on the devices, as they told it: counts in tens, of devices within the scope of who asks.

What a device told before the last run of its task was done does not count: it calls new what that run has had.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from handfed.server.database import Database
from handfed.server.devices.models import DeviceRow
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.principals import Principal
from handfed.server.promotion.models import ReportRow
from handfed.server.releases.models import Release
from handfed.server.runs.control import ENGINE
from handfed.server.runs.models import Run


@dataclass(frozen=True)
class Waiting:
    """What waits on one device.

    Attributes:
        device: Its number.
        name: As people call it.
        organisation: Where it belongs.
        received_at: When it told.
        counts: Whether no run of the task was done since.
        fresh: Usable samples that no finished run had.
        feedback: Of these, those of which a person said what they are: corrections, and readings found right.
        feedback_used: Of such, those that finished runs could train on.
    """

    device: int
    name: str
    organisation: int
    received_at: datetime
    counts: bool
    fresh: int
    feedback: int
    feedback_used: int


@dataclass(frozen=True)
class WaitingInAll:
    """What waits on all devices together.

    Attributes:
        devices: How many told, since the last run of their task was done.
        fresh: Usable samples that no finished run had.
        feedback: Of these, those of which a person said what they are.
    """

    devices: int
    fresh: int
    feedback: int


class WaitingReading:
    """Reads what waits.

    Every method raises a `StorageError` where the database cannot be read.

    Args:
        database: Where the record is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, principal: Principal, task: str, request: PageRequest = FIRST) -> Page[Waiting]:
        """What waits on each device within the principal's scope that told of it, in order of its number."""
        principal.require("viewer")
        columns = (DeviceRow.number, DeviceRow.name, DeviceRow.organisation, ReportRow.received_at, _COUNTS)
        query = _told(*columns, ReportRow.fresh, ReportRow.feedback, ReportRow.feedback_used)
        scoped = principal.within(query.where(Release.task == task), DeviceRow.organisation)
        with self._database.read() as session:
            return page_of(session, scoped, ReportRow.device, request, lambda row: Waiting(*row[:8]))


def in_all(session: Session, principal: Principal) -> WaitingInAll:
    """What waits on the devices within the principal's scope, of all tasks."""
    query = _told(func.count(), func.sum(ReportRow.fresh), func.sum(ReportRow.feedback)).where(_COUNTS)
    row = session.execute(principal.within(query, DeviceRow.organisation)).one()
    return WaitingInAll(*(int(each or 0) for each in row))


_DONE = (
    select(Run.task, func.max(Run.ended_at).label("at"))
    .where(Run.engine == ENGINE, Run.status == "done")
    .group_by(Run.task)
    .subquery()
)
_COUNTS: ColumnElement[bool] = or_(_DONE.c.at.is_(None), ReportRow.received_at > _DONE.c.at)


def _told(*columns: ColumnElement[Any] | InstrumentedAttribute[Any]) -> Select[*tuple[Any, ...]]:
    """Reports of enrolled devices that tell of their handwriting."""
    return (
        select(*columns)
        .select_from(ReportRow)
        .join(DeviceRow, and_(DeviceRow.number == ReportRow.device, DeviceRow.state == "enrolled"))
        .join(Release, Release.number == ReportRow.reads_with)
        .outerjoin(_DONE, _DONE.c.task == Release.task)
    )
