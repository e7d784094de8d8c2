"""What the federation's devices do in a round, and did: for whoever may see the device.

Rules:
1. A device is told of to whoever has it within their scope; of others there are numbers alone.
2. Of runs of visibility `secure` nothing is told by device.
3. A reason is told by its code. How well a device's held-out handwriting is read is told from `LEAST_SAMPLES` on.
4. Between devices accuracy is told as a histogram from `LEAST_DEVICES` on; bins are those of writers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from handfed.server.base import is_possible
from handfed.server.database import Database, snapshot
from handfed.server.devices.models import DeviceKeyRow, DeviceRow
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.principals import Principal
from handfed.server.runs.control import ENGINE
from handfed.server.runs.live import Exchange, LiveExchange
from handfed.server.runs.models import DeviceRound, RejectedUpdate, Round, Run
from handfed.server.runs.schemas import LiveDevice, LiveRound, Outcome, Participant, RecordedRound, RoundInDetail
from handfed.shared.disclosure import EDGES, LEAST_DEVICES, LEAST_SAMPLES
from handfed.shared.errors import NotFoundError
from handfed.shared.wire import Reason

_THOUSAND: Final = 1000


class Participants:
    """Reads what devices do in rounds.

    Every method raises a `StorageError` when the database cannot be read.

    Args:
        database: Where the record is.
        live: What goes on now; None in a process that sees no messages.
    """

    def __init__(self, database: Database, live: LiveExchange | None = None) -> None:
        self._database, self._live = database, live

    def round(self, principal: Principal, run: int, number: int) -> RoundInDetail:
        """One round, with how accuracy differs between devices.

        Raises:
            NotFoundError: There is no such run or round.
        """
        principal.require("viewer")
        with self._database.read() as session:
            found = _known(session, run)
            row = session.get(Round, (run, number)) if is_possible(number) else None
            if row is None:
                raise NotFoundError(f"run {run} has no round {number} on record")
            bins = () if _is_secure(found) else _device_bins(session, run, number)
            return RoundInDetail(snapshot(RecordedRound, row), bins)

    def list(self, principal: Principal, run: int, number: int, request: PageRequest = FIRST) -> Page[Participant]:
        """What each of the federation's devices within the principal's scope did in a round, in order of number.

        Raises:
            NotFoundError: There is no such run.
        """
        principal.require("viewer")
        with self._database.read() as session:
            if _is_secure(_known(session, run)):
                return Page(())
            query = principal.within(_participants(run, number if is_possible(number) else 0), DeviceRow.organisation)
            return page_of(session, query, DeviceRow.number, request, _participant)

    def live(self, principal: Principal, run: int) -> LiveRound:
        """What devices do for a run just now; nothing, where it does not go on.

        Raises:
            NotFoundError: There is no such run.
        """
        principal.require("viewer")
        with self._database.read() as session:
            found = _known(session, run)
            goes_on = found.status == "running" and found.engine == ENGINE and self._live is not None
            exchange = self._live.now() if goes_on and self._live is not None else Exchange(None, None, {})
            rounds = session.scalar(select(func.count()).select_from(Round).where(Round.run_id == run)) or 0
            devices = () if _is_secure(found) else _doing(session, principal, exchange)
        counts = Counter(each.activity for each in exchange.devices.values())
        return LiveRound(
            kind=exchange.kind,
            round=rounds + 1 if exchange.kind else None,
            began_at=exchange.began_at,
            asked=len(exchange.devices),
            working=counts["working"],
            answered=counts["answered"],
            devices=devices,
        )


def _known(session: Session, run: int) -> Run:
    row = session.get(Run, run) if is_possible(run) else None
    if row is None:
        raise NotFoundError(f"there is no run {run}")
    return row


def _is_secure(run: Run) -> bool:
    return run.settings.get("visibility") == "secure"


_DID: Final = (
    DeviceRound.examples,
    DeviceRound.loss,
    DeviceRound.seconds,
    DeviceRound.bytes_up,
    DeviceRound.held_out,
    DeviceRound.characters,
    DeviceRound.edits,
)


def _participants(run: int, number: int) -> Select[*tuple[Any, ...]]:
    """Devices that have something on record of a round, with that."""
    refused = (
        select(RejectedUpdate.device, func.min(RejectedUpdate.reason).label("reason"))
        .where(RejectedUpdate.run_id == run, RejectedUpdate.round == number)
        .group_by(RejectedUpdate.device)
        .subquery()
    )
    here = and_(DeviceRound.device == DeviceKeyRow.node_id, DeviceRound.run_id == run, DeviceRound.round == number)
    return (
        select(DeviceRow.number, DeviceRow.name, DeviceRow.organisation, refused.c.reason, *_DID)
        .select_from(DeviceRow)
        .join(DeviceKeyRow, DeviceKeyRow.device == DeviceRow.number)
        .outerjoin(DeviceRound, here)
        .outerjoin(refused, refused.c.device == DeviceKeyRow.node_id)
        .where(or_(DeviceRound.device.is_not(None), refused.c.device.is_not(None)))
    )


def _participant(row: Sequence[Any]) -> Participant:
    device, name, organisation, reason, examples, loss, seconds, bytes_up, held_out, characters, edits = row[:11]
    outcome: Outcome = "accepted" if examples else "evaluated"
    if reason is not None:
        outcome = "late" if reason == Reason.SILENT else "rejected"
    return Participant(
        device=device,
        name=name,
        organisation=organisation,
        outcome=outcome,
        reason=None if reason == Reason.SILENT else reason,
        samples=examples or 0,
        loss=loss,
        seconds=seconds,
        bytes_up=bytes_up or 0,
        held_out=held_out,
        accuracy=_accuracy(held_out, characters, edits),
    )


def _accuracy(held_out: int | None, characters: int | None, edits: int | None) -> float | None:
    """How well held-out handwriting is read; None below the floor."""
    if (held_out or 0) < LEAST_SAMPLES or not characters or edits is None:
        return None
    return max(1 - edits / characters, 0.0)


def _device_bins(session: Session, run: int, number: int) -> tuple[int, ...]:
    """Devices by accuracy, in the bins of `EDGES`; empty below the floor."""
    query = select(DeviceRound.held_out, DeviceRound.characters, DeviceRound.edits).where(
        DeviceRound.run_id == run, DeviceRound.round == number, DeviceRound.held_out >= LEAST_SAMPLES
    )
    found = [_accuracy(*row) for row in session.execute(query)]
    accuracies = [each for each in found if each is not None]
    if len(accuracies) < LEAST_DEVICES:
        return ()
    bins = [0] * len(EDGES)
    for each in accuracies:
        bins[bisect_right(EDGES, round(each * _THOUSAND, 6)) - 1] += 1
    return tuple(bins)


def _doing(session: Session, principal: Principal, exchange: Exchange) -> tuple[LiveDevice, ...]:
    """The devices within the principal's scope that were asked, in order of number."""
    if not exchange.devices:
        return ()
    query = (
        select(DeviceRow.number, DeviceRow.name, DeviceRow.organisation, DeviceKeyRow.node_id)
        .join(DeviceKeyRow, DeviceKeyRow.device == DeviceRow.number)
        .where(DeviceKeyRow.wanted.is_(True), DeviceKeyRow.node_id.is_not(None))
        .order_by(DeviceRow.number)
    )
    rows = session.execute(principal.within(query, DeviceRow.organisation))
    return tuple(
        LiveDevice(number, name, organisation, exchange.devices[node].activity, exchange.devices[node].since)
        for number, name, organisation, node in rows
        if node is not None and node in exchange.devices
    )
