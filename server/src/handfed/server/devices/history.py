"""What a device did in the federation's runs, as the record of runs has it.

Rules:
1. It is for whoever may see the device, and of that device alone.
2. Runs of visibility `secure` are not in it: of them nothing is told by device.
3. Reasons are told by their codes; what was found stays with the run's own record.
4. Who was asked beyond those a round needed, and was not waited for, has nothing on record of that round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, Select, func, or_, select, type_coerce, union
from sqlalchemy.orm import Session

from handfed.server.database import Database
from handfed.server.devices.models import DeviceKeyRow
from handfed.server.devices.service import Devices
from handfed.server.devices.values import Participation
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.principals import Principal
from handfed.server.runs.control import ENGINE
from handfed.server.runs.models import DeviceRound, RejectedUpdate, Round, Run
from handfed.shared.wire import Reason


class DeviceHistory:
    """Reads what devices did.

    Args:
        database: Where the record is.
        devices: Says who may see which device.
    """

    def __init__(self, database: Database, devices: Devices) -> None:
        self._database = database
        self._devices = devices

    def list(self, principal: Principal, number: int, request: PageRequest = FIRST) -> Page[Participation]:
        """The runs in which a device took part, newest first.

        Args:
            principal: Who asks.
            number: The device.
            request: Which part.

        Raises:
            NotFoundError: There is no device with this number within the principal's scope.
            StorageError: The database cannot be read.
        """
        self._devices.get(principal, number)
        with self._database.read() as session:
            keys = select(DeviceKeyRow.node_id).where(DeviceKeyRow.device == number, DeviceKeyRow.node_id.is_not(None))
            nodes = [node for node in session.scalars(keys) if node is not None]
            page = page_of(session, _runs_of(nodes), Run.id, request, lambda row: int(row[0]), newest_first=True)
            found = _participations(session, nodes, page.items)
        return Page(tuple(found[run] for run in page.items), page.following)


def _runs_of(nodes: Sequence[int]) -> Select[int]:
    """The numbers of the federation's runs in which one of a device's node ids has something on record."""
    trained = select(DeviceRound.run_id).where(DeviceRound.device.in_(nodes), DeviceRound.examples > 0)
    refused = select(RejectedUpdate.run_id).where(RejectedUpdate.device.in_(nodes))
    visibility = func.coalesce(type_coerce(Run.settings, JSON)["visibility"].as_string(), "inspected")
    return select(Run.id).where(
        Run.engine == ENGINE, visibility != "secure", or_(Run.id.in_(trained), Run.id.in_(refused))
    )


def _participations(session: Session, nodes: Sequence[int], runs: Sequence[int]) -> dict[int, Participation]:
    """What a device did in each of these runs."""
    trained = DeviceRound.device.in_(nodes), DeviceRound.examples > 0, DeviceRound.run_id.in_(runs)
    refused = RejectedUpdate.device.in_(nodes), RejectedUpdate.run_id.in_(runs)
    asked = union(
        select(DeviceRound.run_id, DeviceRound.round).where(*trained),
        select(RejectedUpdate.run_id, RejectedUpdate.round).where(*refused),
    ).subquery()
    rounds = (
        select(
            asked.c.run_id,
            func.count(),
            func.max(Round.number),
            func.max(Round.started_at, type_=Round.started_at.type),
        )
        .join(Round, (Round.run_id == asked.c.run_id) & (Round.number == asked.c.round))
        .group_by(asked.c.run_id)
    )
    sums = select(
        DeviceRound.run_id, func.count(), func.sum(DeviceRound.examples), func.sum(DeviceRound.bytes_up)
    ).where(*trained)
    reasons = select(RejectedUpdate.run_id, RejectedUpdate.reason, func.count()).where(*refused)
    used: dict[int, Sequence[Any]] = {
        run: counts for run, *counts in session.execute(sums.group_by(DeviceRound.run_id))
    }
    rejected: dict[int, dict[str, int]] = {}
    for run, reason, count in session.execute(reasons.group_by(RejectedUpdate.run_id, RejectedUpdate.reason)):
        rejected.setdefault(run, {})[reason] = count
    found = {}
    for run, count, last, began in session.execute(rounds):
        accepted, samples, bytes_up = (int(each) for each in used.get(run, (0, 0, 0)))
        why = dict(sorted(rejected.get(run, {}).items()))
        late = why.pop(Reason.SILENT, 0)
        found[run] = Participation(run, count, accepted, late, why, samples, bytes_up, last, began)
    return found
