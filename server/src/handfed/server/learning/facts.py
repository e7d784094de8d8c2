"""What the record says of a federation, for the policy: counts, times, and what devices reported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import and_, func, select, true
from sqlalchemy.orm import Session

from handfed.server.devices.models import DeviceRow
from handfed.server.learning.models import PolicyRow
from handfed.server.promotion.evidence import read_report
from handfed.server.promotion.models import PromotionRow, ReportRow
from handfed.server.releases.models import Release
from handfed.server.runs.control import ENGINE
from handfed.server.runs.models import Run
from handfed.shared.handwriting_reports import HandwritingReport
from handfed.shared.learning.policy import Drift, Facts
from handfed.shared.promotion.rules import Phase

_MOST_FAILURES = 10  # in a row, that are counted


def told(session: Session, task: str, since: datetime | None) -> dict[int, HandwritingReport]:
    """What each enrolled device told last of its handwriting, of those that use a release of the task.

    Args:
        session: That reads.
        task: What is recognised.
        since: When the last run was done: what was told before calls new what that run has had.
    """
    query = (
        select(ReportRow.device, ReportRow.report)
        .join(DeviceRow, and_(DeviceRow.number == ReportRow.device, DeviceRow.state == "enrolled"))
        .join(Release, and_(Release.number == ReportRow.reads_with, Release.task == task))
        .where(true() if since is None else ReportRow.received_at > since)
    )
    reports = {device: read_report(text) for device, text in session.execute(query)}
    return {device: each.handwriting for device, each in reports.items() if each is not None and each.handwriting}


def facts(session: Session, task: str, enabled_at: datetime | None, fresh: Mapping[int, int], drift: Drift) -> Facts:
    """All that is known of a task.

    Args:
        session: That reads.
        task: What is recognised.
        enabled_at: Since when the policy is enabled; None where it is not.
        fresh: New samples of each device.
        drift: What the test of drift has come to.
    """
    release, run = champion(session, task)
    ours = select(Run.id).where(Run.engine == ENGINE)
    last_started = select(func.max(Run.started_at)).where(Run.engine == ENGINE, Run.task == task)
    return Facts(
        enabled_at=enabled_at,
        champion=release,
        champion_run=run,
        busy=session.scalar(ours.where(Run.status.in_(("queued", "running"))).order_by(Run.id).limit(1)),
        last_ended=session.scalar(select(func.max(Run.ended_at)).where(Run.engine == ENGINE)),
        last_started=session.scalar(last_started),
        failures=_failures(session, task),
        fresh=fresh,
        drift=drift,
    )


def champion(session: Session, task: str) -> tuple[int | None, int | None]:
    """The release of a task that devices use, and the federation's run that made it; None where there is none."""
    query = (
        select(Release.number, Run.id)
        .join(PromotionRow, PromotionRow.release == Release.number)
        .outerjoin(Run, (Run.id == Release.run_id) & (Run.engine == ENGINE))
        .where(Release.task == task, PromotionRow.phase == Phase.STABLE)
        .order_by(PromotionRow.pinned.desc(), PromotionRow.since.desc())
        .limit(1)
    )
    found = session.execute(query).one_or_none()
    return (None, None) if found is None else (found[0], found[1])


def last_done(session: Session, task: str) -> tuple[int, datetime | None]:
    """The last run of a task that is done, and when it was; 0 and None before the first."""
    done = select(Run.id, Run.ended_at).where(Run.engine == ENGINE, Run.task == task, Run.status == "done")
    found = session.execute(done.order_by(Run.ended_at.desc()).limit(1)).one_or_none()
    return (0, None) if found is None else (found[0], found[1])


def enabled_tasks(session: Session) -> list[str]:
    """The tasks whose policy is enabled."""
    return list(
        session.scalars(select(PolicyRow.task).where(PolicyRow.enabled_at.is_not(None)).order_by(PolicyRow.task))
    )


def _failures(session: Session, task: str) -> int:
    """Runs of the task, the last ones, that failed."""
    ended = select(Run.status).where(Run.engine == ENGINE, Run.task == task, Run.ended_at.is_not(None))
    statuses = session.scalars(ended.order_by(Run.id.desc()).limit(_MOST_FAILURES)).all()
    return next((place for place, status in enumerate(statuses) if status != "failed"), len(statuses))
