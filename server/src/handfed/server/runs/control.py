"""Runs of the federation, as people start, stop and resume them.

Rules:
1. One run goes on at a time; others wait in the order in which they were asked for.
2. A run is of a task whose alphabet is named: no device has every character, and none tells which it has.
3. Runs belong to the federation: this takes an operator of all of it.
4. Whatever can be told to be wrong is told before the run is on record.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from handfed.server.audit import service as audit
from handfed.server.base import is_possible
from handfed.server.clock import Clock, now
from handfed.server.database import Database, snapshot
from handfed.server.devices.models import DeviceRow
from handfed.server.people.principals import Principal
from handfed.server.runs.models import Run
from handfed.server.runs.schemas import RecordedRun
from handfed.shared import alphabets, inputs, tasks
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import ConflictError, NotFoundError, SettingError
from handfed.shared.run_settings import RunSettings
from handfed.shared.subject import Subject

ENGINE: Final = "federation"  # what moves the messages of these runs
LICENCE: Final = "licence"  # in a run's settings, beside those of training and its subject's
_DEFAULT_LICENCE: Final = "for use within the federation that trained it"
# Where a federation of real machines differs from a simulation's defaults: who is online follows working hours, so that
# a uniform draw would mostly hear machines that are never off; and no update is to count that is ten times too long.
USUAL: Final[Mapping[str, object]] = {"sampling": "fair", "norm_bound": 10.0}
_ENROLLED: Final = select(func.count()).select_from(DeviceRow).where(DeviceRow.state == "enrolled")


class RunControl:
    """Starts, stops and resumes runs.

    Every method raises a `StorageError` when the database cannot be written, and a `ForbiddenError` for who is no
    operator of the federation.

    Args:
        database: Where the record is.
        clock: Tells the time.
    """

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def start(
        self,
        principal: Principal,
        task: str = "digits",
        settings: Mapping[str, object] | None = None,
        *,
        alphabet: Alphabet | None = None,
        licence: str = _DEFAULT_LICENCE,
    ) -> RecordedRun:
        """Puts a run in the queue.

        Args:
            principal: Who asks.
            task: What is recognised: a name or file of `handfed.shared.tasks`.
            settings: Of `RunSettings`, by name; what is absent has its default, the recogniser that of the task.
            alphabet: The classes, in place of those of the task.
            licence: Under which terms what it publishes may be used.

        Raises:
            DatasetError: The task's alphabet cannot be read.
            SettingError: There is no such task or setting, one is out of its range, or the task names no alphabet.
        """
        principal.require_federation("operator")
        chosen, subject = _checked(task, settings or {}, alphabet)
        with self._database.write() as session:
            row = _queue(session, tasks.name_of(task), chosen, subject, licence=licence, at=self._clock())
            self._record(session, principal, "start", row)
            return snapshot(RecordedRun, row, rounds=0)

    def stop(self, principal: Principal, number: int) -> None:
        """Ends a run that waits or goes on; its rounds stay on record, and it can be resumed.

        Raises:
            ConflictError: It has ended.
            NotFoundError: The federation has no run of this number.
        """
        principal.require_federation("operator")
        with self._database.write() as session:
            row = _known(session, number)
            if row.status not in ("queued", "running"):
                raise ConflictError(f"run {number} is {row.status} already")
            row.status, row.ended_at = "stopped", self._clock()
            self._record(session, principal, "stop", row)

    def resume(self, principal: Principal, number: int) -> None:
        """Puts a run that was stopped or failed in the queue again; it goes on after its last round.

        Raises:
            ConflictError: It is done, waits, or goes on.
            NotFoundError: The federation has no run of this number.
        """
        principal.require_federation("operator")
        with self._database.write() as session:
            row = _known(session, number)
            if row.status not in ("stopped", "failed"):
                raise ConflictError(f"run {number} is {row.status}: there is nothing to resume")
            row.status, row.ended_at, row.error = "queued", None, None
            self._record(session, principal, "resume", row)

    def _record(self, session: Session, principal: Principal, verb: str, row: Run) -> None:
        audit.record(session, self._clock(), principal, verb, f"run/{row.id}", detail={"task": row.task})


class RunQueue:
    """The queue, for the server that works it off.

    Every method raises a `StorageError` when the database cannot be read or written.

    Args:
        database: Where the record is.
        clock: Tells the time.
    """

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def take(self) -> int | None:
        """The run that goes on: one that a server left, or else the first in the queue, which begins now."""
        query = select(Run).where(Run.engine == ENGINE).order_by(Run.id).limit(1)
        with self._database.write() as session:
            row = session.scalar(query.where(Run.status == "running"))
            if row is None:
                row = session.scalar(query.where(Run.status == "queued"))
                if row is None:
                    return None
                row.status = "running"
            return row.id

    def is_running(self, number: int) -> bool:
        """Whether a run is still to go on."""
        with self._database.read() as session:
            return session.scalar(select(Run.status).where(Run.id == number)) == "running"


def _checked(task: str, settings: Mapping[str, object], alphabet: Alphabet | None) -> tuple[RunSettings, Subject]:
    found = tasks.find(task)
    usual = {"recogniser": found.recogniser, **USUAL}
    if settings.get("visibility") == "secure":
        del usual["norm_bound"]  # nobody looks at single updates there; devices clip for themselves
    chosen = RunSettings.from_mapping({**usual, **settings})
    found.check(chosen.recogniser)
    alphabet = alphabet or alphabets.find(found.alphabet)
    if alphabet is None:
        raise SettingError(
            f"task {task!r} takes its classes from labels, which devices keep to themselves; name an alphabet"
            f" ({', '.join(alphabets.NAMED)}, or a file)"
        )
    return chosen, Subject(alphabet, found.kind, found.height, inputs.parse(chosen.inputs))


def go_on_from(session: Session, number: int, settings: Mapping[str, object], at: datetime) -> Run:
    """Puts a run in the queue that goes on from the float model of an earlier one, in the transaction that is open.

    Args:
        session: That writes.
        number: The earlier run, of the federation.
        settings: Of `RunSettings`, by name, in place of those of the earlier run.
        at: Now.

    Raises:
        NotFoundError: The federation has no run of this number.
        SettingError: There is no such setting, or one is out of its range.
    """
    before, chosen = settings_after(session, number, settings)
    subject = Subject.from_config({**before.settings, "inputs": chosen.inputs})
    licence = str(before.settings.get(LICENCE, _DEFAULT_LICENCE))
    return _queue(session, before.task, chosen, subject, licence=licence, at=at)


def settings_after(session: Session, number: int, settings: Mapping[str, object]) -> tuple[Run, RunSettings]:
    """An earlier run of the federation, and the settings of one that goes on from it.

    Raises:
        NotFoundError: The federation has no run of this number.
        SettingError: There is no such setting, or one is out of its range.
    """
    before = _known(session, number)
    inherited = {name: before.settings[name] for name in RunSettings().to_mapping() if name in before.settings}
    chosen = RunSettings.from_mapping({**inherited, **settings, "start_from": number})
    if chosen.recogniser != before.recogniser:
        raise SettingError(f"a run that goes on from run {number} trains recogniser {before.recogniser}, as that did")
    return before, chosen


def _queue(session: Session, task: str, chosen: RunSettings, subject: Subject, *, licence: str, at: datetime) -> Run:
    kept: dict[str, Any] = {**chosen.to_mapping(), **subject.to_config(), LICENCE: licence}
    row = Run(
        status="queued",
        task=task,
        recogniser=chosen.recogniser,
        strategy=chosen.strategy,
        seed=chosen.seed,
        settings=kept,
        devices=session.scalar(_ENROLLED) or 0,
        engine=ENGINE,
        started_at=at,
    )
    session.add(row)
    session.flush()
    return row


def _known(session: Session, number: int) -> Run:
    row = session.get(Run, number, with_for_update=True) if is_possible(number) else None
    if row is None or row.engine != ENGINE:
        raise NotFoundError(f"the federation has no run {number}")
    return row
