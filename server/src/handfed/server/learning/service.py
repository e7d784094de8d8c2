"""Starts runs by itself where a policy that an operator enabled says so, and says why it did or did not.

Rules:
1. A policy is disabled until an operator of the federation enables it.
2. Looking, deciding and starting are one transaction, which holds the policy's row: however many look, one run comes of
   it, and none while another goes on or waits.
3. What was decided last is kept, with every condition.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from handfed.server.audit import service as audit
from handfed.server.clock import Clock, now
from handfed.server.database import Database, unique
from handfed.server.learning.facts import champion, enabled_tasks, facts, last_done, told
from handfed.server.learning.models import PolicyRow
from handfed.server.learning.values import DriftFinding, DriftFound, Explanation, Policy
from handfed.server.people.principals import Principal
from handfed.server.people.tokens import SERVER
from handfed.server.runs.control import go_on_from, settings_after
from handfed.server.runs.models import Run
from handfed.shared import tasks
from handfed.shared.errors import HandfedError, NotFoundError, SettingError, UsageError
from handfed.shared.learning.policy import Condition, Decision, Facts, Role, decide
from handfed.shared.learning.settings import LearningSettings
from handfed.shared.run_settings import RunSettings

if TYPE_CHECKING:
    from handfed.server.learning.drift import Watch

_LOOK: Final = timedelta(minutes=1)
_FIXED: Final = ("start_from", "recogniser")  # of a run's settings: they follow from the release in use
_log = logging.getLogger(__name__)


class Policies:
    """The policies of a federation, one a task.

    Every method raises a `StorageError` where the database cannot be read or written.

    Args:
        database: Where they are.
        clock: Tells the time.
    """

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database, self._clock = database, clock
        self._looked_at: datetime | None = None

    def every(self) -> list[Policy]:
        """Those on record, by task."""
        with self._database.read() as session:
            return [_value(row) for row in session.scalars(select(PolicyRow).order_by(PolicyRow.task))]

    def get(self, task: str) -> Policy:
        """What is set of a task; the defaults, disabled, where nothing is.

        Raises:
            NotFoundError: There is no such task.
        """
        with self._database.read() as session:
            return _value(_known_row(session, task))

    def change(
        self,
        principal: Principal,
        task: str,
        settings: Mapping[str, Any] | None = None,
        run_settings: Mapping[str, Any] | None = None,
    ) -> Policy:
        """Sets some settings; the others stay.

        Args:
            principal: Who does; it takes an operator of the federation.
            task: What is recognised: its name, or its file.
            settings: Of `LearningSettings`, by name.
            run_settings: Of `RunSettings`, by name; null takes one back.

        Raises:
            ForbiddenError: The principal is no operator of the federation.
            NotFoundError: There is no such task.
            SettingError: A setting is unknown, of the wrong type or out of its range.
        """
        principal.require_federation("operator")
        with self._database.write() as session:
            row = _row(session, task)
            chosen = {**row.settings, **(settings or {})}
            LearningSettings.of(chosen)
            of_runs = _run_settings(session, row.task, {**row.run_settings, **(run_settings or {})})
            row.settings, row.run_settings = chosen, of_runs
            detail = {"settings": chosen, "run": of_runs}
            audit.record(session, self._clock(), principal, "set", f"learning/{row.task}", detail=detail)
            return _value(row)

    def enable(self, principal: Principal, task: str, *, enabled: bool) -> Policy:
        """Has the server start runs of a task by itself from now on, or no more.

        Args:
            principal: Who decides; it takes an operator of the federation.
            task: What is recognised: its name, or its file.
            enabled: Whether it shall.

        Raises:
            ForbiddenError: The principal is no operator of the federation.
            NotFoundError: There is no such task.
        """
        principal.require_federation("operator")
        with self._database.write() as session:
            row = _row(session, task)
            if (row.enabled_at is not None) != enabled:
                row.enabled_at = self._clock() if enabled else None
                verb = "enable" if enabled else "disable"
                audit.record(session, self._clock(), principal, verb, f"learning/{row.task}")
            return _value(row)

    def explain(self, principal: Principal, task: str) -> Explanation:
        """Why a run would be started now, or not.

        Args:
            principal: Who asks; it takes a role over the federation.
            task: What is recognised: its name, or its file.

        Raises:
            ForbiddenError: The principal's role is over one organisation only.
            NotFoundError: There is no such task.
        """
        principal.require_federation("viewer")
        with self._database.read() as session:
            row = _known_row(session, task)
            settings = LearningSettings.of(row.settings)
            known, watch = self._known(session, row, settings)
            decision = decide(known, settings, self._clock())
            return Explanation(_value(row), decision, _remembered(row.decision), row.decided_at, _found(watch))

    def look(self) -> None:
        """Decides for every task whose policy is enabled, once a minute; what fails is in the log, and tried again."""
        at = self._clock()
        if self._looked_at is not None and timedelta() <= at - self._looked_at < _LOOK:
            return
        self._looked_at = at
        try:
            with self._database.read() as session:
                enabled = enabled_tasks(session)
            for task in enabled:
                self._decide(task, at)
        except HandfedError as error:
            _log.warning("whether to learn is not looked after just now: %s", error)

    def _decide(self, task: str, at: datetime) -> None:
        with self._database.write() as session:
            row = session.get(PolicyRow, task, with_for_update=True)
            if row is None or row.enabled_at is None:
                return
            settings = LearningSettings.of(row.settings)
            known, watch = self._known(session, row, settings)
            row.drift = watch.to_json()
            decision = decide(known, settings, at)
            if decision.start:
                decision = self._started(session, row, known, decision, at)
            row.decided_at, row.decision = at, asdict(decision)

    def _started(self, session: Session, row: PolicyRow, known: Facts, decision: Decision, at: datetime) -> Decision:
        """Starts the run that was decided on; the decision, where that cannot be."""
        try:
            run = go_on_from(session, known.champion_run or 0, row.run_settings, at)
        except UsageError as error:
            return replace(decision, start=False, reason=f"a run is called for and cannot be started: {error}")
        row.last_run = run.id
        detail = {"task": row.task, "reason": decision.reason, "start_from": known.champion_run}
        audit.record(session, at, SERVER, "start", f"run/{run.id}", detail=detail)
        _log.info("run %d of %s is started: %s", run.id, row.task, decision.reason)
        return decision

    def _known(self, session: Session, row: PolicyRow, settings: LearningSettings) -> tuple[Facts, Watch]:
        """All that is known of a task, and how far looking for drift has come."""
        from handfed.server.learning.drift import Watch, watched  # which loads SciPy

        run, since = last_done(session, row.task)
        reports = told(session, row.task, since)
        release, _ = champion(session, row.task)
        of_release = {device: each for device, each in reports.items() if each.release == release}
        watch = watched(Watch.of(row.drift), of_release, run, settings)
        fresh = {device: each.fresh for device, each in reports.items()}
        return facts(session, row.task, row.enabled_at, fresh, watch.drift), watch


def _row(session: Session, task: str) -> PolicyRow:
    """The row of a task, which is made where there is none."""
    row = _known_row(session, task, locked=True)
    if row not in session:
        session.add(row)
        with unique(f"somebody else has just set the policy of {row.task}; try again"):
            session.flush()
    return row


def _known_row(session: Session, reference: str, *, locked: bool = False) -> PolicyRow:
    """The row of a task, a new one where none is on record; a task that had a run may be a file's.

    Raises:
        NotFoundError: There is no such task.
    """
    task = tasks.name_of(reference)
    row = session.get(PolicyRow, task, with_for_update=locked)
    if row is None and session.scalar(select(Run.id).where(Run.task == task).limit(1)) is None:
        try:
            tasks.find(reference)
        except SettingError as error:
            raise NotFoundError(str(error)) from error
    return row or PolicyRow(task=task, settings={}, run_settings={})


def _value(row: PolicyRow) -> Policy:
    settings = asdict(LearningSettings.of(row.settings))
    return Policy(row.task, row.enabled_at, settings, dict(row.run_settings), row.last_run)


def _run_settings(session: Session, task: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run, checked beside those of the run that one would go on from now."""
    chosen = {name.replace("-", "_"): value for name, value in values.items() if value is not None}
    for name in _FIXED:
        if name in chosen:
            raise SettingError(f"{name} of a run follows from the release in use; leave it out")
    _, run = champion(session, task)
    if run is None:
        RunSettings.from_mapping(chosen)
    else:
        settings_after(session, run, chosen)
    return chosen


def _found(watch: Watch) -> DriftFound:
    findings = tuple(DriftFinding(each.name, each.p, each.difference, each.devices) for each in watch.findings)
    return DriftFound(watch.found, watch.looks, watch.level, watch.what, findings)


def _remembered(value: Mapping[str, Any] | None) -> Decision | None:
    if value is None:
        return None
    conditions = tuple(Condition(**{**each, "role": Role(each["role"])}) for each in value["conditions"])
    return Decision(value["start"], value["reason"], conditions)
