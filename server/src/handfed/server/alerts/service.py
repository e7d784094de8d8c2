"""The record of alerts: what began and is over, and which channel was told.

Rules:
1. What needs a person is worked out in `handfed.server.attention`, as for the overview.
2. That a channel is to be told is on record before it is tried, and that it was told is put on record right after: so
   neither is forgotten where a process dies. Where it dies between the two, a channel is told twice, under the same id.
3. In the first `GRACE` of a server nothing is said of devices: after a stop of days all of them are yet to come back.
4. Counts of updates that are not used begin no alert: the course of a run deals with them, and fails where it cannot.
5. What was over for `KEPT` is deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final, cast

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from handfed.server.alerts.models import AlertChannelRow, AlertMessageRow, AlertRow
from handfed.server.alerts.rules import SPACING, Changes, Key, changes, is_due
from handfed.server.alerts.values import CHANNELS, Channel, ChannelState, Message, State
from handfed.server.attention.service import AttentionReading
from handfed.server.attention.values import Matter
from handfed.server.clock import Clock, now
from handfed.server.database import Database
from handfed.server.people.tokens import SERVER

GRACE: Final = timedelta(minutes=5)
KEPT: Final = timedelta(days=90)
AT_ONCE: Final = 100  # of messages in one delivery
_DEVICE: Final = "device-away"
_SILENT: Final = "updates-rejected"


class AlertRecord:
    """Alerts, and who was told of them.

    Every method raises a `StorageError` where the database cannot be read or written.

    Args:
        database: Where they are.
        attention: What needs a person.
        clock: Tells the time.
    """

    def __init__(self, database: Database, attention: AttentionReading, clock: Clock = now) -> None:
        self._database, self._attention, self._clock = database, attention, clock
        self._since = clock()

    def look(self, channels: Collection[Channel], away: timedelta) -> None:
        """Begins and ends alerts, and notes which channels are to be told.

        Args:
            channels: Those that are set; without any, nothing is looked at.
            away: For how long a device is not heard of until that is an alert.
        """
        if not channels:
            return
        at = self._clock()
        has_devices = at - self._since >= GRACE
        with self._database.read() as session:
            matters = {_key(each): each for each in self._matters(session, at, away, has_devices=has_devices)}
            rows = session.execute(select(AlertRow.kind, AlertRow.subject, AlertRow.absent_since).where(_IS_OPEN))
            known = {(kind, subject): since for kind, subject, since in rows if has_devices or kind != _DEVICE}
            found = changes(known, matters, at)
            is_told = not any(_untold(session, channel) for channel in channels)
        if found or not is_told:
            with self._database.write() as session:
                _note(session, found, matters, at)
                for channel in CHANNELS:
                    _tell(session, channel, is_set=channel in channels)
                _prune(session, at)

    def _matters(self, session: Session, at: datetime, away: timedelta, *, has_devices: bool) -> Iterable[Matter]:
        for each in self._attention.of_federation(session, SERVER, at):
            if each.kind != _SILENT:
                yield each
        if has_devices:
            yield from self._attention.devices_away(session, SERVER, at, away)

    def due(self, channel: Channel) -> tuple[Message, ...]:
        """What a channel is to be told now, oldest first; nothing while it has a pause."""
        with self._database.read() as session:
            row = session.get(AlertChannelRow, channel)
            if row is not None and not is_due(row.tried_at, row.failures, self._clock()):
                return ()
            query = (
                select(AlertRow, AlertMessageRow.state)
                .join(AlertMessageRow, AlertMessageRow.alert == AlertRow.number)
                .where(AlertMessageRow.channel == channel, AlertMessageRow.delivered_at.is_(None))
                .order_by(AlertRow.number, AlertMessageRow.state)  # began, over
                .limit(AT_ONCE)
            )
            return tuple(_message(row, cast("State", state)) for row, state in session.execute(query))

    def delivered(self, channel: Channel, messages: Iterable[Message]) -> None:
        """Notes that a channel was told."""
        at = self._clock()
        with self._database.write() as session:
            for each in messages:
                told = and_(AlertMessageRow.alert == each.alert, AlertMessageRow.state == each.state)
                session.execute(
                    update(AlertMessageRow).where(told, AlertMessageRow.channel == channel).values(delivered_at=at)
                )
            row = _channel(session, channel, at)
            row.failures, row.tried_at, row.delivered_at, row.error = 0, at, at, None

    def failed(self, channel: Channel, reason: str) -> None:
        """Notes that a channel could not be told.

        Args:
            channel: Which.
            reason: Why; without an address or a secret.
        """
        at = self._clock()
        with self._database.write() as session:
            row = _channel(session, channel, at)
            row.failures, row.tried_at, row.error = row.failures + 1, at, reason

    def begin_anew(self, channel: Channel) -> None:
        """Forgets what a channel was told: somebody else is behind it now, who is told of all that is open."""
        with self._database.write() as session:
            session.execute(delete(AlertMessageRow).where(AlertMessageRow.channel == channel))
            session.execute(delete(AlertChannelRow).where(AlertChannelRow.channel == channel))

    def try_at_once(self, channel: Channel) -> None:
        """Forgets that a channel failed: what is set of it has changed."""
        with self._database.write() as session:
            changed = update(AlertChannelRow).where(AlertChannelRow.channel == channel, AlertChannelRow.failures > 0)
            session.execute(changed.values(failures=0, error=None, tried_at=self._clock() - SPACING))

    def open(self) -> tuple[Message, ...]:
        """Alerts that are not over, oldest first."""
        with self._database.read() as session:
            rows = session.scalars(select(AlertRow).where(_IS_OPEN).order_by(AlertRow.number))
            return tuple(_message(row, "began") for row in rows)

    def state(self, channel: Channel) -> ChannelState:
        """How it goes with a channel."""
        unsent = AlertMessageRow.delivered_at.is_(None)
        with self._database.read() as session:
            query = select(func.count()).select_from(AlertMessageRow).where(AlertMessageRow.channel == channel, unsent)
            waiting, row = session.scalar(query) or 0, session.get(AlertChannelRow, channel)
            if row is None:
                return ChannelState(channel, waiting)
            return ChannelState(channel, waiting, row.failures, row.tried_at, row.delivered_at, row.error)


_IS_OPEN: Final = AlertRow.ended_at.is_(None)


def _key(matter: Matter) -> Key:
    return matter.kind, matter.subject


def _note(session: Session, found: Changes, matters: dict[Key, Matter], at: datetime) -> None:
    for key in sorted(found.begun):
        each = matters[key]
        row = AlertRow(kind=each.kind, subject=each.subject, about=each.about, since=each.since, began_at=at)
        session.add(row)
    for keys, values in (
        (found.back, {"absent_since": None}),
        (found.gone, {"absent_since": at}),
        (found.over, {"ended_at": AlertRow.absent_since}),
    ):
        for kind, subject in sorted(keys):
            one = and_(_IS_OPEN, AlertRow.kind == kind, AlertRow.subject == subject)
            session.execute(update(AlertRow).where(one).values(**values))
    session.flush()


def _missing(channel: Channel, state: State) -> list[ColumnElement[bool]]:
    """What holds of alerts of which a channel is to be told, and that is not on record yet."""
    message = aliased(AlertMessageRow)
    of_channel = exists().where(message.alert == AlertRow.number, message.channel == channel)
    if state == "began":
        return [_IS_OPEN, ~of_channel.where(message.state == "began")]
    return [
        AlertRow.ended_at.is_not(None),
        of_channel.where(message.state == "began"),
        ~of_channel.where(message.state == "over"),
    ]


def _untold(session: Session, channel: Channel) -> bool:
    found = (session.scalar(select(AlertRow.number).where(*_missing(channel, state)).limit(1)) for state in _STATES)
    return any(each is not None for each in found)


def _tell(session: Session, channel: Channel, *, is_set: bool) -> None:
    """Notes of what a channel is to be told; of one that is not set, what waits is dropped."""
    if not is_set:
        unsent = AlertMessageRow.delivered_at.is_(None)
        session.execute(delete(AlertMessageRow).where(AlertMessageRow.channel == channel, unsent))
        return
    for state in _STATES:
        rows = [
            {"alert": number, "channel": channel, "state": state}
            for number in session.scalars(select(AlertRow.number).where(*_missing(channel, state)))
        ]
        if rows:
            session.execute(insert(AlertMessageRow), rows)


_STATES: Final[tuple[State, ...]] = ("began", "over")


def _prune(session: Session, at: datetime) -> None:
    old = select(AlertRow.number).where(AlertRow.ended_at < at - KEPT)
    session.execute(delete(AlertMessageRow).where(AlertMessageRow.alert.in_(old)))
    session.execute(delete(AlertRow).where(AlertRow.ended_at < at - KEPT))


def _channel(session: Session, channel: Channel, at: datetime) -> AlertChannelRow:
    row = session.get(AlertChannelRow, channel)
    if row is None:
        row = AlertChannelRow(channel=channel, failures=0, tried_at=at)
        session.add(row)
    return row


def _message(row: AlertRow, state: State) -> Message:
    return Message(row.number, state, row.kind, row.subject, row.about, row.since, row.began_at, row.ended_at)
