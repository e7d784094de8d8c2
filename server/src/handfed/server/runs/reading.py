"""Runs, as people may read them.

Rules:
1. Runs belong to the federation, and every viewer reads them.
2. Who has a role over one organisation reads totals: figures of the whole federation, nothing of a single device, no
   settings, and no words in which a device may be named (why a run failed, why an update was rejected).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Final

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from handfed.server.base import is_possible
from handfed.server.database import Database, columns_of, snapshot
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.principals import Principal
from handfed.server.runs.models import RejectedUpdate, Round, Run
from handfed.server.runs.schemas import News, RecordedRejection, RecordedRound, RecordedRun, Status
from handfed.shared.errors import NotFoundError


class RunReading:
    """Reads the record of runs.

    Every method raises a `StorageError` when the database cannot be read, and a `ForbiddenError` for who is no viewer.

    Args:
        database: Where the record is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self, principal: Principal, request: PageRequest = FIRST, *, status: Status | None = None
    ) -> Page[RecordedRun]:
        """Runs, newest first.

        Args:
            principal: Who asks.
            request: Which part.
            status: Only runs with this status; None for all.
        """
        principal.require("viewer")
        query = select(Run, _ROUNDS)
        if status is not None:
            query = query.where(Run.status == status)
        with self._database.read() as session:
            return page_of(
                session,
                query,
                Run.id,
                request,
                lambda row: _readable(principal, snapshot(RecordedRun, row[0], rounds=row[1])),
                newest_first=True,
            )

    def get(self, principal: Principal, run: int) -> RecordedRun:
        """One run.

        Raises:
            NotFoundError: There is none with this number.
        """
        principal.require("viewer")
        with self._database.read() as session:
            row = _known(session, run)
            rounds = session.scalar(select(_ROUNDS).where(Run.id == run))
            return _readable(principal, snapshot(RecordedRun, row, rounds=rounds))

    def rounds(self, principal: Principal, run: int, request: PageRequest = FIRST) -> Page[RecordedRound]:
        """The rounds of a run, in order.

        Raises:
            NotFoundError: There is no such run.
        """
        principal.require("viewer")
        with self._database.read() as session:
            _known(session, run)
            query = select(*_ROUND).where(Round.run_id == run)
            return page_of(session, query, Round.number, request, lambda row: RecordedRound(*row[: len(_ROUND)]))

    def rejections(self, principal: Principal, run: int, request: PageRequest = FIRST) -> Page[RecordedRejection]:
        """The replies of a run that were not used, as they came.

        Raises:
            ForbiddenError: The principal reaches over one organisation only.
            NotFoundError: There is no such run.
        """
        principal.require_federation("viewer")
        with self._database.read() as session:
            _known(session, run)
            query = select(RejectedUpdate).where(RejectedUpdate.run_id == run)
            return page_of(session, query, RejectedUpdate.id, request, lambda row: snapshot(RecordedRejection, row[0]))

    def news(self, known: Mapping[int, int]) -> Mapping[int, News]:
        """What is new of some runs: for the server itself, which asks for all who follow them.

        It is one query, so that a run is not found to have ended without its last round.

        Args:
            known: By the number of a run, the last of its rounds that is known.

        Returns:
            How each of those runs stands, and its rounds after that one.
        """
        later = and_(Round.run_id == Run.id, Round.number > case(dict(known), value=Run.id))
        query = select(Run.id, Run.status, *_ROUND).outerjoin(Round, later).where(Run.id.in_(known))
        rounds: dict[int, list[RecordedRound]] = {}
        statuses: dict[int, Status] = {}
        with self._database.read() as session:
            for run, status, *row in session.execute(query.order_by(Run.id, Round.number)):
                statuses[run] = status
                rounds.setdefault(run, []).extend(() if row[0] is None else (RecordedRound(*row),))
        return {run: News(status, tuple(rounds[run])) for run, status in statuses.items()}


_ROUND: Final = columns_of(RecordedRound, Round)
_ROUNDS = select(func.count(Round.number)).where(Round.run_id == Run.id).correlate(Run).scalar_subquery()


def _known(session: Session, run: int) -> Run:
    row = session.get(Run, run) if is_possible(run) else None
    if row is None:
        raise NotFoundError(f"there is no run {run}")
    return row


def _readable(principal: Principal, run: RecordedRun) -> RecordedRun:
    """A run as the principal may read it."""
    if principal.organisation is None:
        return run
    figures = {name: value for name, value in (run.summary or {}).items() if isinstance(value, Real)}
    failed = None if run.error is None else "it failed; an operator of the federation can read why"
    return replace(run, settings={}, error=failed, summary=None if run.summary is None else figures)
