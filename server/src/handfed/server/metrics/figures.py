"""The figures of the record that are exposed, read at most once a second.

Rules:
1. What the overview, promotion or attention work out already is asked of them.
2. Figures are of the federation: nothing of one organisation or one device is among them.
3. It is a fixed number of queries, but for one a task; none reads a device's updates one by one.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from handfed.server.attention.values import Expiry, Matter
from handfed.server.overview.values import Overview
from handfed.server.people.principals import Principal
from handfed.server.promotion.evidence import reported
from handfed.server.promotion.models import PromotionRow
from handfed.server.releases.models import Release
from handfed.server.runs.models import RejectedUpdate, Round, Run

if TYPE_CHECKING:
    from handfed.server.api.services import Services

LEAST_AGE_S: Final = 1.0
_WHO: Final = Principal("metrics", "viewer")
NOT_BEGUN: Final = "none"


@dataclass(frozen=True)
class ReleaseFigures:
    """A release.

    Attributes:
        number: Its number.
        task: What it recognises.
        phase: How far it has come; `NOT_BEGUN` where it has not begun.
        accuracy: Held-out accuracy of the INT8 file, 0 to 1; None where it was not measured.
        size_bytes: Of the model file.
        created_at: When it was published, in UTC.
    """

    number: int
    task: str
    phase: str
    accuracy: float | None
    size_bytes: int
    created_at: datetime


@dataclass(frozen=True)
class RoundFigures:
    """All rounds on record.

    Attributes:
        rounds: How many.
        timed: How many of them have a duration.
        seconds: Their durations, summed.
        accepted: Updates that were used.
        bytes_down: Bytes that were sent to devices.
        bytes_up: Bytes of updates that came.
    """

    rounds: int
    timed: int
    seconds: float
    accepted: int
    bytes_down: int
    bytes_up: int


@dataclass(frozen=True)
class Figures:
    """What is exposed of the record.

    Attributes:
        overview: What goes on.
        attention: How much needs a person, by kind; devices that are away are counted in the overview.
        runs: How many, by status.
        rounds: All of them.
        rejected: Updates that were not used, by the code of the reason.
        releases: All of them, by number.
        champions: By task, the release that is used.
        using: How many devices use a release now, by its number, as they reported.
        expiries: What ends, and when.
    """

    overview: Overview
    attention: Mapping[str, int]
    runs: Mapping[str, int]
    rounds: RoundFigures
    rejected: Mapping[str, int]
    releases: tuple[ReleaseFigures, ...]
    champions: Mapping[str, int]
    using: Mapping[int, int]
    expiries: tuple[Expiry, ...]


class FiguresReading:
    """Reads the figures; who asks sooner than a second later is given the same.

    Args:
        services: Of the server.
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self._services, self._clock = services, clock
        self._lock = threading.Lock()
        self._known: Figures | None = None
        self._read_at = 0.0

    def read(self) -> Figures:
        """The figures.

        Raises:
            StorageError: The database cannot be read.
        """
        with self._lock:  # who comes meanwhile waits, and reads nothing
            if self._known is None or self._clock() - self._read_at >= LEAST_AGE_S:
                self._known = self._figures()
                self._read_at = self._clock()
            return self._known

    def _figures(self) -> Figures:
        services = self._services
        overview, channels = services.overview.read(_WHO), services.promotions.channels()
        with services.database.read() as session:
            needs = services.attention.of_federation(session, _WHO, overview.at)
            return Figures(
                overview=overview,
                attention=_attention(needs),
                runs=_counted(session, Run.status),
                rounds=_rounds(session),
                rejected=_counted(session, RejectedUpdate.reason),
                releases=_releases(session),
                champions={each.task: each.champion for each in channels if each.champion is not None},
                using=_using(session),
                expiries=services.attention.expiries(),
            )


def _attention(needs: Iterable[Matter]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for each in needs:
        counts[each.kind] += each.count
    return counts


def _counted(session: Session, column: InstrumentedAttribute[str]) -> dict[str, int]:
    found = session.execute(select(column, func.count()).group_by(column))
    return {row[0]: row[1] for row in found}


def _rounds(session: Session) -> RoundFigures:
    sums = (Round.seconds, Round.accepted, Round.bytes_down, Round.bytes_up)
    query = select(func.count(), func.count(Round.seconds), *map(func.sum, sums))
    rounds, timed, seconds, *rest = session.execute(query.select_from(Round)).one()
    return RoundFigures(rounds, timed, float(seconds or 0), *(int(each or 0) for each in rest))


def _releases(session: Session) -> tuple[ReleaseFigures, ...]:
    columns = (Release.number, Release.task, PromotionRow.phase, Release.accuracy_int8, Release.size_bytes)
    query = select(*columns, Release.created_at).outerjoin(PromotionRow, PromotionRow.release == Release.number)
    found = session.execute(query.order_by(Release.number))
    return tuple(
        ReleaseFigures(number, task, phase or NOT_BEGUN, accuracy, size_bytes, created_at)
        for number, task, phase, accuracy, size_bytes, created_at in found
    )


def _using(session: Session) -> Counter[int]:
    devices = [each.report for each in reported(session).values() if each.report is not None]
    return Counter(each.release for report in devices for each in report.standings if each.in_use)
