"""The record of runs: written while a run goes on, read by people and pages.

Rules:
1. A round is recorded whole (with its devices, its rejections and the checkpoint that follows it) or not at all, and
   once only. So a run that broke off goes on from its last recorded round: none is lost, none counted twice.
2. Only a run that is `running` takes rounds or an end. What ended without being done can be taken up again.
3. What comes out are values; no object of a database session leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.orm import Session

from handfed.server.base import is_possible
from handfed.server.clock import Clock, now
from handfed.server.database import Database, snapshot
from handfed.server.runs.models import Checkpoint, DeviceRound, RejectedUpdate, Round, Run
from handfed.server.runs.schemas import (
    DeviceResult,
    RecordedDevice,
    RecordedRejection,
    RecordedRound,
    RecordedRun,
    Rejection,
    RoundResult,
    RunStart,
    RunStateError,
    Status,
    UnknownRunError,
)
from handfed.shared.disclosure import spread
from handfed.shared.metrics import Spread

Result = TypeVar("Result", DeviceResult, Rejection)


class RunRecord:
    """The runs that a database keeps.

    Every method raises a `StorageError` when the database cannot be read or written.

    Args:
        database: Where the record is.
        clock: Tells the time at which a run starts and ends.
    """

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def start(self, run: RunStart, prepare: Callable[[int], None] = lambda _number: None) -> int:
        """Records that a run starts, and gives it its number.

        Args:
            run: What is known of it.
            prepare: Called with the number before the run is on record, so that whatever the run needs to go on after
                a break is there as soon as the run is; what it raises passes, and nothing is recorded.
        """
        with self._database.write() as session:
            row = Run(**_columns(run), status="running", started_at=self._clock())
            session.add(row)
            session.flush()
            prepare(row.id)
            return row.id

    def resume(self, run_id: int) -> RecordedRun:
        """Records that a run which broke off goes on, and tells what it started with.

        Raises:
            UnknownRunError: There is no such run.
            RunStateError: The run is done.
        """
        with self._database.write() as session:
            row = _known(session, run_id)
            if row.status == "done":
                raise RunStateError(f"run {run_id} is done: there is nothing to resume")
            row.status, row.ended_at, row.error = "running", None, None
        return self.get(run_id)

    def checkpoint(self, run_id: int) -> bytes | None:
        """Where a run stands after its last recorded round; None before the first."""
        with self._database.read() as session:
            return session.scalar(select(Checkpoint.state).where(Checkpoint.run_id == run_id))

    def add_round(self, run_id: int, result: RoundResult, checkpoint: bytes | None = None) -> None:
        """Records a round.

        Args:
            run_id: The run.
            result: The round.
            checkpoint: Where the run stands after it; takes the place of the one before.

        Raises:
            UnknownRunError: There is no such run.
            RunStateError: The run has ended, or the round is on record already.
        """
        with self._database.write() as session:
            _running(session, run_id)
            if session.get(Round, (run_id, result.number)) is not None:
                raise RunStateError(f"round {result.number} of run {run_id} is on record already")
            session.add(Round(run_id=run_id, **_columns(result, but=("devices", "rejections"))))
            session.flush()  # the round first: the others refer to it
            place = {"run_id": run_id, "round": result.number}
            session.add_all([DeviceRound(**place, **_columns(device)) for device in result.devices])
            session.add_all([RejectedUpdate(**place, **_columns(reply)) for reply in result.rejections])
            if checkpoint is not None:
                session.merge(Checkpoint(**place, state=checkpoint))

    def finish(self, run_id: int, summary: Mapping[str, Any]) -> None:
        """Records that a run is done.

        Args:
            run_id: The run.
            summary: Closing figures, as JSON can hold them.

        Raises:
            UnknownRunError: There is no such run.
            RunStateError: The run has ended already.
        """
        self._end(run_id, "done", summary=summary)

    def fail(self, run_id: int, message: str) -> None:
        """Records that a run failed, and why; raises as `finish`."""
        self._end(run_id, "failed", error=message)

    def stop(self, run_id: int) -> None:
        """Records that somebody stopped a run; raises as `finish`."""
        self._end(run_id, "stopped")

    def _end(
        self,
        run_id: int,
        status: Status,
        *,
        error: str | None = None,
        summary: Mapping[str, Any] | None = None,
    ) -> None:
        with self._database.write() as session:
            row = _running(session, run_id)
            row.status = status
            row.ended_at = self._clock()
            row.error = error
            row.summary = summary

    def get(self, run_id: int) -> RecordedRun:
        """One run.

        Raises:
            UnknownRunError: There is no such run.
        """
        with self._database.read() as session:
            row = session.get(Run, run_id) if is_possible(run_id) else None
            if row is None:
                raise UnknownRunError(run_id, session.scalars(select(Run.id)).all())
            rounds = session.scalar(select(func.count()).where(Round.run_id == run_id))
            return snapshot(RecordedRun, row, rounds=rounds)

    def list(self, limit: int | None = None, *, status: Status | None = None) -> tuple[RecordedRun, ...]:
        """Runs, newest first.

        Args:
            limit: How many at most; None for all.
            status: Only runs with this status.
        """
        query = select(Run, _round_count()).order_by(Run.id.desc()).limit(limit)
        if status is not None:
            query = query.where(Run.status == status)
        with self._database.read() as session:
            return tuple(snapshot(RecordedRun, run, rounds=rounds) for run, rounds in session.execute(query))

    def rounds(self, run_id: int) -> tuple[RecordedRound, ...]:
        """The rounds of a run, in order; none when there is no such run."""
        query = select(Round).where(Round.run_id == run_id).order_by(Round.number)
        with self._database.read() as session:
            return tuple(snapshot(RecordedRound, row) for row in session.scalars(query))

    def writers(self, run_id: int) -> Spread | None:
        """How accuracy differed between held-out writers in the newest round that tells; None where none does."""
        query = select(Round.writer_bins).where(Round.run_id == run_id).order_by(Round.number.desc())
        with self._database.read() as session:
            return next((found for bins in session.scalars(query) if (found := spread(bins))), None)

    def rejections(self, run_id: int) -> tuple[RecordedRejection, ...]:
        """The replies of a run that were not used, in order of rounds; none when there is no such run."""
        query = select(RejectedUpdate).where(RejectedUpdate.run_id == run_id)
        query = query.order_by(RejectedUpdate.round, RejectedUpdate.id)
        with self._database.read() as session:
            return tuple(snapshot(RecordedRejection, row) for row in session.scalars(query))

    def device_rounds(self, run_id: int) -> tuple[RecordedDevice, ...]:
        """What each device did, in order of rounds and devices; none when there is no such run."""
        with self._database.read() as session:
            rows = session.scalars(select(DeviceRound).where(DeviceRound.run_id == run_id))
            found = [snapshot(RecordedDevice, row) for row in rows]
        return tuple(sorted(found, key=lambda device: (device.round, device.device)))

    def results(self, run_id: int) -> tuple[RoundResult, ...]:
        """The rounds of a run as they were recorded, in order, with devices and rejections."""
        devices: dict[int, list[DeviceResult]] = {}
        for device in self.device_rounds(run_id):
            devices.setdefault(device.round, []).append(_without_round(DeviceResult, device))
        rejections: dict[int, list[Rejection]] = {}
        for rejection in self.rejections(run_id):
            rejections.setdefault(rejection.round, []).append(_without_round(Rejection, rejection))
        found = []
        for row in self.rounds(run_id):
            times = {"seconds": row.seconds or 0.0, "train_seconds": row.train_seconds or 0.0}
            whose = {
                "devices": tuple(devices.get(row.number, ())),
                "rejections": tuple(rejections.get(row.number, ())),
            }
            found.append(RoundResult(**{**asdict(row), **times, **whose}))
        return tuple(found)


def _columns(value: RunStart | RoundResult | DeviceResult | Rejection, but: tuple[str, ...] = ()) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value) if field.name not in but}


def _round_count() -> ScalarSelect[int]:
    return select(func.count(Round.number)).where(Round.run_id == Run.id).scalar_subquery()


def _known(session: Session, run_id: int) -> Run:
    """A run, locked until the transaction ends."""
    row = session.get(Run, run_id, with_for_update=True) if is_possible(run_id) else None
    if row is None:
        raise UnknownRunError(run_id, session.scalars(select(Run.id)).all())
    return row


def _running(session: Session, run_id: int) -> Run:
    """A run that can still be written to, locked until the transaction ends."""
    row = _known(session, run_id)
    if row.status != "running":
        raise RunStateError(f"run {run_id} is {row.status}: its record is closed")
    return row


def _without_round(kind: type[Result], row: RecordedDevice | RecordedRejection) -> Result:
    """What was recorded of a round, without the round's number."""
    return kind(**{name: value for name, value in asdict(row).items() if name != "round"})
