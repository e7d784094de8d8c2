"""Takes releases from candidate to every device, or back.

Rules:
1. The database says how far each release has come; the registry is then made to say the same (`publish`). So what a
   person decides at the terminal counts, and whatever breaks in between is mended by the next look.
2. A task has one champion, and one release on its way at a time: a newer candidate takes the place of an older one.
3. What a simulation made begins by hand only (`pin`).
4. Where a release is taken back from everybody, the champion that it displaced is the champion again. A candidate that
   gets another champion so is compared anew.
5. Whoever decides, a person or a review, does so alone: what one has read, no other changes meanwhile.
6. What cannot be told of one task keeps nothing back of another.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol

from sqlalchemy import Row, Select, or_, select
from sqlalchemy.orm import Session

from handfed.server.audit import service as audit
from handfed.server.base import is_possible
from handfed.server.clock import Clock, now
from handfed.server.database import Database
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.principals import Principal
from handfed.server.people.tokens import SERVER
from handfed.server.promotion.evidence import HeldOut, Reported, health, judgement, latency, reported
from handfed.server.promotion.models import PromotionRow
from handfed.server.promotion.values import PromotedRelease, Standing
from handfed.server.releases.models import Release, ReleaseCounter
from handfed.server.runs.control import ENGINE
from handfed.server.runs.models import Run
from handfed.shared.errors import HandfedError, NotFoundError
from handfed.shared.promotion.rules import Action, ByHand, Event, Phase, Promotion, Review, Superseded, step
from handfed.shared.promotion.settings import PromotionSettings
from handfed.shared.registry import Channel, Trial

_ON_ITS_WAY: Final = frozenset({Phase.CANDIDATE, Phase.ROLLING_OUT, Phase.PAUSED})
_SALT_BYTES: Final = 16
_TASKS: Final = (
    select(Release.task).join(PromotionRow, PromotionRow.release == Release.number).distinct().order_by(Release.task)
)


class Channels(Protocol):
    """What says to devices which release to use; see `handfed.server.registry.service`."""

    def releases(self) -> frozenset[int]:
        """The releases that devices can get."""

    def channels(self) -> dict[str, Channel]:
        """The channel of each task."""

    def set_channel(self, channel: Channel) -> None:
        """Says what devices that read a task are to use."""


@dataclass
class _Course:
    """A release on record, and what becomes of it."""

    row: PromotionRow
    state: Promotion


class Promotions:
    """How far each release has come.

    Every method raises a `StorageError` where the database cannot be read or written.

    Args:
        database: Where the record is.
        settings: What promotion is measured by.
        clock: Tells the time.
        new_salt: Draws 32 hex digits.
    """

    def __init__(
        self,
        database: Database,
        settings: PromotionSettings | None = None,
        clock: Clock = now,
        new_salt: Callable[[], str] = lambda: secrets.token_hex(_SALT_BYTES),
    ) -> None:
        self._database = database
        self._settings = settings or PromotionSettings()
        self._clock = clock
        self._new_salt = new_salt
        self._held_out = HeldOut()

    def list(self, request: PageRequest = FIRST) -> Page[PromotedRelease]:
        """Releases that have begun, newest first."""
        with self._database.read() as session:
            return page_of(
                session,
                _with_task(),
                PromotionRow.release,
                request,
                lambda row: self._value(row[0], row[1]),
                newest_first=True,
            )

    def get(self, release: int) -> PromotedRelease:
        """How far one release has come.

        Raises:
            NotFoundError: It is not on record, or has not begun.
        """
        with self._database.read() as session:
            return self._value(*_known(session, release))

    def evidence(self, release: int) -> Standing:
        """What devices have reported of a release, against its champion.

        Raises:
            NotFoundError: It is not on record, or has not begun.
        """
        with self._database.read() as session:
            row, _ = _known(session, release)
            devices = reported(session)
            judged = judgement(session, row, devices, self._settings, self._held_out)
            percent = _state(row).percent(self._settings)
            well = health(session, row, percent, devices)
            return Standing.of(row.champion, judged, well, latency(release, devices))

    def by_hand(self, principal: Principal, release: int, action: Action, why: str = "") -> PromotedRelease:
        """Does what a person decides.

        Args:
            principal: Who decides; it takes an operator of the federation.
            release: The release.
            action: What to do.
            why: Why, for the record.

        Raises:
            ConflictError: The release cannot take that where it is.
            ForbiddenError: The principal is no operator of the federation.
            NotFoundError: The release is not on record, or has not begun.
        """
        principal.require_federation("operator")
        with self._deciding() as session:
            if action is Action.PIN:
                self._begin_by_hand(session, release)
            row, task = _known(session, release)
            courses = self._courses(session, task)
            event = ByHand(self._clock().timestamp(), action, why)
            self._move(session, courses, release, event, principal=principal, verb=str(action))
            if action is Action.PIN:
                for other in courses.values():
                    other.row.pinned = other.row.pinned and other.row.release == release
            session.flush()
            return self._value(row, task)

    def _begin_by_hand(self, session: Session, number: int) -> None:
        """Has a release begin that does not by itself."""
        release = session.get(Release, number) if is_possible(number) else None
        if release is not None and session.get(PromotionRow, number) is None:
            self._begin_one(session, number, release.task)

    @contextmanager
    def _deciding(self) -> Iterator[Session]:
        """A transaction that keeps other deciders waiting, from before it reads anything."""
        with self._database.write() as session:
            session.get_one(ReleaseCounter, 1, with_for_update=True)
            yield session

    def review(self, in_force: Collection[int]) -> None:
        """Looks at every release, and takes it further or back.

        Args:
            in_force: The releases that devices can get.
        """
        with self._deciding() as session:
            self._begin(session, in_force)
            devices = reported(session)
            for task in session.scalars(_TASKS).all():
                self._review(session, self._courses(session, task), devices)

    def channels(self) -> tuple[Channel, ...]:
        """What devices are to use, by task, as it is on record."""
        with self._database.read() as session:
            tasks = session.scalars(_TASKS).all()
            return tuple(self._channel(task, self._courses(session, task)) for task in tasks)

    def publish(self, registry: Channels) -> None:
        """Looks at every release, and has the registry say what is on record.

        Args:
            registry: What tells devices.

        Raises:
            HandfedError: The registry cannot be read or written.
        """
        in_force, told = registry.releases(), registry.channels()
        self.review(in_force)
        failed: HandfedError | None = None
        for decided in self.channels():
            channel = _tellable(decided, told.get(decided.task), in_force)
            try:
                if told.get(channel.task) != channel:
                    registry.set_channel(channel)
            except HandfedError as error:
                failed = error
        if failed is not None:
            raise failed

    def _begin(self, session: Session, in_force: Collection[int]) -> None:
        """Puts on record what is new: the first release of a task is its champion, any other a candidate."""
        begun = select(PromotionRow.release)
        query = (
            select(Release.number, Release.task)
            .outerjoin(Run, Run.id == Release.run_id)
            .where(Release.number.not_in(begun), or_(Run.id.is_(None), Run.engine == ENGINE))
            .order_by(Release.number)
        )
        for number, task in session.execute(query).all():
            if number in in_force:
                self._begin_one(session, number, task)

    def _begin_one(self, session: Session, number: int, task: str) -> None:
        courses = self._courses(session, task)
        champion = _champion(courses)
        first = Promotion(Phase.STABLE, len(self._settings.percents), 0.0, "the first of its task", shown=True)
        state = Promotion() if courses else first
        session.add(
            PromotionRow(
                release=number,
                champion=champion,
                salt=self._new_salt(),
                phase=state.phase,
                step=state.step,
                since=self._clock(),
                reason=state.reason,
                shown=state.shown,
                pinned=state.pinned,
            )
        )
        session.flush()
        for other, course in courses.items():
            if course.state.phase in _ON_ITS_WAY:
                self._move(session, courses, other, Superseded(self._clock().timestamp(), number))

    def _review(self, session: Session, courses: dict[int, _Course], devices: Mapping[int, Reported]) -> None:
        pinned = {number for number, course in courses.items() if course.state.pinned}
        for number, course in courses.items():
            if course.state.phase not in _ON_ITS_WAY | {Phase.STABLE}:
                continue
            if course.state.phase in _ON_ITS_WAY:
                self._compare_with(session, course, _champion(courses))
            review = Review(
                self._clock().timestamp(),
                judgement(session, course.row, devices, self._settings, self._held_out),
                health(session, course.row, course.state.percent(self._settings), devices),
                other_is_pinned=bool(pinned - {number}),
            )
            self._move(session, courses, number, review)

    def _compare_with(self, session: Session, course: _Course, champion: int | None) -> None:
        """Has devices compare a release with this champion; what was shown against another one shows nothing."""
        row = course.row
        if row.champion != champion:
            row.champion = champion
            self._note(course, replace(course.state, shown=False))
            audit.record(
                session, self._clock(), SERVER, "compare", f"release/{row.release}", detail={"champion": champion}
            )

    def _move(
        self,
        session: Session,
        courses: dict[int, _Course],
        number: int,
        event: Event,
        *,
        principal: Principal = SERVER,
        verb: str = "move",
    ) -> None:
        """Takes one release where an event leads it, and others where that leads them."""
        course, champion = courses[number], _champion(courses)
        before, after = course.state, step(course.state, event, self._settings)
        self._note(course, after)
        if (before.phase, before.step, before.pinned) != (after.phase, after.step, after.pinned):
            detail = {"from": before.phase, "to": after.phase, "percent": after.percent(self._settings)}
            what = f"release/{number}"
            audit.record(session, self._clock(), principal, verb, what, detail={**detail, "reason": after.reason})
        if after.phase is Phase.STABLE and before.phase is not Phase.STABLE:
            course.row.champion = champion  # the one that it displaces
            for other, its in courses.items():
                if other != number and its.state.phase is Phase.STABLE:
                    self._move(session, courses, other, Superseded(self._clock().timestamp(), number))
        if before.phase is Phase.STABLE and after.phase is Phase.ROLLED_BACK:
            self._restore(session, courses, number)

    def _restore(self, session: Session, courses: dict[int, _Course], number: int) -> None:
        """Makes the release that one has taken the place of the champion again, or the one before that."""
        seen, champion = {number}, courses[number].row.champion
        while champion in courses and courses[champion].state.phase is Phase.ROLLED_BACK and champion not in seen:
            seen.add(champion)
            champion = courses[champion].row.champion
        if champion not in courses or courses[champion].state.phase in {Phase.ROLLED_BACK, Phase.STABLE}:
            return
        before, reason = courses[champion].state, f"release {number}, which had taken its place, was taken back"
        last = len(self._settings.percents)
        self._note(courses[champion], Promotion(Phase.STABLE, last, self._clock().timestamp(), reason, shown=True))
        detail = {"from": before.phase, "to": Phase.STABLE, "percent": 100, "reason": reason}
        audit.record(session, self._clock(), SERVER, "restore", f"release/{champion}", detail=detail)

    def _note(self, course: _Course, state: Promotion) -> None:
        row, before, course.state = course.row, course.state, state
        row.phase, row.step, row.reason, row.shown, row.pinned = (
            state.phase,
            state.step,
            state.reason,
            state.shown,
            state.pinned,
        )
        if state.since_s != before.since_s:
            row.since = datetime.fromtimestamp(state.since_s, UTC)

    def _courses(self, session: Session, task: str) -> dict[int, _Course]:
        """The releases of a task, by number."""
        query = select(PromotionRow).join(Release, Release.number == PromotionRow.release).where(Release.task == task)
        rows: Sequence[PromotionRow] = session.scalars(query.order_by(PromotionRow.release)).all()
        return {row.release: _Course(row, _state(row)) for row in rows}

    def _channel(self, task: str, courses: Mapping[int, _Course]) -> Channel:
        trial = next((each for each in courses.values() if each.state.phase in _ON_ITS_WAY), None)
        return Channel(
            task,
            _champion(courses),
            None if trial is None else Trial(trial.row.release, trial.state.percent(self._settings), trial.row.salt),
            tuple(number for number, each in courses.items() if each.state.phase is Phase.ROLLED_BACK),
        )

    def _value(self, row: PromotionRow, task: str) -> PromotedRelease:
        percent = _state(row).percent(self._settings)
        return PromotedRelease(
            row.release, task, row.champion, row.phase, percent, row.since, row.reason, pinned=row.pinned
        )


def _tellable(decided: Channel, told: Channel | None, in_force: Collection[int]) -> Channel:
    """What of a channel devices can be told by now: a release that waits for its signature is told when it has it."""
    champion, trial = decided.champion, decided.trial
    if champion is not None and champion not in in_force:
        before = None if told is None else told.champion
        champion = None if before in decided.withdrawn else before
    return replace(decided, champion=champion, trial=trial if trial is None or trial.release in in_force else None)


def _champion(courses: Mapping[int, _Course]) -> int | None:
    stable = [number for number, course in courses.items() if course.state.phase is Phase.STABLE]
    return max(stable, key=lambda number: (courses[number].state.pinned, courses[number].row.since), default=None)


def _state(row: PromotionRow) -> Promotion:
    return Promotion(Phase(row.phase), row.step, row.since.timestamp(), row.reason, shown=row.shown, pinned=row.pinned)


def _with_task() -> Select[PromotionRow, str]:
    return (
        select(PromotionRow, Release.task)
        .select_from(PromotionRow)
        .join(Release, Release.number == PromotionRow.release)
    )


def _known(session: Session, release: int) -> Row[PromotionRow, str]:
    query = _with_task().where(PromotionRow.release == (release if is_possible(release) else 0))
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFoundError(f"release {release} is not on its way to devices; handfed releases names those there are")
    return found
