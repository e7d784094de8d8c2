"""Works out what needs a person, from the record and from what was signed.

Rules:
1. Something needs a person where it will not mend itself:
   a run that failed, for `SHOWN`, until it is resumed or a later run of its task is done;
   a release that was paused or taken back, for `SHOWN`;
   a device that takes part and was not heard of for so long as is asked for (`AWAY` for the overview);
   updates of the newest run that came and were not used;
   a certificate or metadata near its end (`expiries`).
2. Who has a role over one organisation sees its devices and what is of the whole federation, but nothing that devices
   of others did.
3. It is a few queries, whatever the record holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, cast

from sqlalchemy import ColumnElement, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from handfed.server.attention.expiries import Expiries
from handfed.server.attention.values import Expiry, Kind, Matter
from handfed.server.devices.models import DeviceRow
from handfed.server.people.models import OrganisationRow
from handfed.server.people.principals import Principal
from handfed.server.promotion.models import PromotionRow
from handfed.server.releases.models import Release
from handfed.server.runs.models import RejectedUpdate, Run
from handfed.shared.wire import Reason

AWAY: Final = timedelta(days=7)
SHOWN: Final = timedelta(days=7)
_SETBACKS: Final = ("paused", "rolled-back")


class AttentionReading:
    """What needs a person.

    Args:
        expiries: What ends, and when; None in a process that has no data directory.
    """

    def __init__(self, expiries: Expiries | None = None) -> None:
        self._expiries = expiries

    def expiries(self) -> tuple[Expiry, ...]:
        """Everything that ends, near or not."""
        return () if self._expiries is None else self._expiries.read()

    def of_federation(self, session: Session, principal: Principal, moment: datetime) -> list[Matter]:
        """What needs a person, but for single devices, newest first within a kind.

        Args:
            session: Of the record.
            principal: Who asks.
            moment: The time, in UTC.
        """
        found = [*_failed_runs(session, moment), *_setbacks(session, moment)]
        if principal.organisation is None:
            found += _rejected_updates(session)
        return [*found, *_endings(self.expiries(), moment)]

    @staticmethod
    def devices_away(
        session: Session, principal: Principal, moment: datetime, away: timedelta = AWAY
    ) -> Iterator[Matter]:
        """Devices that were not heard of for so long, within the principal's scope, by number.

        Args:
            session: Of the record.
            principal: Who asks.
            moment: The time, in UTC.
            away: For how long.
        """
        query = (
            select(DeviceRow, OrganisationRow.name)
            .join(OrganisationRow, OrganisationRow.number == DeviceRow.organisation)
            .where(is_away(moment, away))
            .order_by(DeviceRow.number)
        )
        for row, organisation in session.execute(principal.within(query, DeviceRow.organisation)):
            about = {"device": row.name, "organisation": organisation}
            since = row.last_seen_at or row.enrolled_at
            yield Matter("device-away", f"device/{row.number}", since, organisation=row.organisation, about=about)


def is_away(moment: datetime, away: timedelta = AWAY) -> ColumnElement[bool]:
    """Whether a device takes part and was not heard of for so long, as a condition on its row."""
    heard = func.coalesce(DeviceRow.last_seen_at, DeviceRow.enrolled_at, type_=DeviceRow.enrolled_at.type)
    return (DeviceRow.state == "enrolled") & (heard < moment - away)


def current_run(session: Session) -> Run | None:
    """The run that goes on, or else the newest that has begun."""
    first = case((Run.status == "running", 0), else_=1)
    return session.scalar(select(Run).where(Run.status != "queued").order_by(first, Run.id.desc()).limit(1))


def _failed_runs(session: Session, moment: datetime) -> Iterator[Matter]:
    later = aliased(Run)
    made_up_for = exists().where(later.task == Run.task, later.id > Run.id, later.status == "done")
    ended = func.coalesce(Run.ended_at, Run.started_at, type_=Run.started_at.type)
    query = select(Run.id, Run.task, ended).where(Run.status == "failed", ended >= moment - SHOWN, ~made_up_for)
    for number, task, at in session.execute(query.order_by(Run.id.desc())):
        yield Matter("run-failed", f"run/{number}", at, about={"task": task})


def _setbacks(session: Session, moment: datetime) -> Iterator[Matter]:
    query = (
        select(PromotionRow.release, PromotionRow.phase, PromotionRow.since, Release.task)
        .join(Release, Release.number == PromotionRow.release)
        .where(PromotionRow.phase.in_(_SETBACKS), PromotionRow.since >= moment - SHOWN)
        .order_by(PromotionRow.release.desc())
    )
    for number, phase, since, task in session.execute(query):
        yield Matter(cast("Kind", f"release-{phase}"), f"release/{number}", since, about={"task": task})


def _rejected_updates(session: Session) -> Iterator[Matter]:
    run = current_run(session)
    if run is None:
        return
    refused = select(func.count()).select_from(RejectedUpdate)
    count = session.scalar(refused.where(RejectedUpdate.run_id == run.id, RejectedUpdate.reason != Reason.SILENT))
    if count:
        yield Matter("updates-rejected", f"run/{run.id}", run.started_at, count=count, about={"task": run.task})


def _endings(expiries: Iterable[Expiry], moment: datetime) -> Iterator[Matter]:
    for each in expiries:
        if each.at - moment < each.near:
            family = each.kind.removesuffix("-ends")
            yield Matter(each.kind, f"{family}/{each.name}", each.at)
