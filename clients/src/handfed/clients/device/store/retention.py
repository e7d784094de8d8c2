"""How feedback is taken and kept on this device: whether at all, how long, and how much of it is asked for.

Rules:
1. What is kept for some days goes from the tables and from the disk with its last feedback; a name that nothing is left
   of goes with it, unless a consent is on record; its keyed hash stays, with the side that the writer was on.
2. Where it is kept to learn from and then erased, it goes once this device has trained with it in a round, whatever
   becomes of the round. What no round trains with goes after `LONGEST_UNLEARNED`.
3. What was imported is no feedback: it stays, and only what was said of it goes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from handfed.clients.device.store import session as settings
from handfed.clients.device.store.picks import FRACTION, Picks
from handfed.clients.device.store.schema import WROTE_NOTHING
from handfed.clients.device.store.session import set_setting, setting, to_erase
from handfed.shared.errors import SettingError

if TYPE_CHECKING:
    from handfed.clients.device.store.store import Store

LEARN_AND_ERASE: Final = "learn-and-erase"
FOR_GOOD: Final = "always"
LONGEST_UNLEARNED: Final = timedelta(days=30)
_MOST_DAYS: Final = 36_500
_OF_FEEDBACK: Final = "source IN ('feedback', 'pick')"


@dataclass(frozen=True)
class Retention:
    """How long feedback is kept.

    Attributes:
        days: For so many; None for good.
        learn_and_erase: Only until the device has trained with it.
    """

    days: int | None = None
    learn_and_erase: bool = False

    @classmethod
    def parse(cls, text: str) -> Retention:
        """Reads `always`, `learn-and-erase` or a number of days.

        Raises:
            SettingError: It is none of these.
        """
        if text in {FOR_GOOD, LEARN_AND_ERASE}:
            return cls(learn_and_erase=text == LEARN_AND_ERASE)
        if text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_DAYS:
            return cls(int(text))
        raise SettingError(f"feedback is kept {FOR_GOOD}, {LEARN_AND_ERASE}, or a number of days, and not {text!r}")

    def __str__(self) -> str:
        if self.learn_and_erase:
            return LEARN_AND_ERASE
        return FOR_GOOD if self.days is None else str(self.days)

    @property
    def longest(self) -> timedelta | None:
        """After which everything goes; None for never."""
        if self.learn_and_erase:
            return LONGEST_UNLEARNED
        return None if self.days is None else timedelta(days=self.days)


@dataclass(frozen=True)
class FeedbackSettings:
    """How feedback is taken.

    Attributes:
        taken: Whether it is taken at all.
        retention: How long it is kept.
        confirm: The fraction of readings that is picked for confirmation, 0 to 1.
    """

    taken: bool = True
    retention: Retention = Retention()
    confirm: float = FRACTION


def read_settings(store: Store) -> FeedbackSettings:
    """How feedback is taken here."""
    with store.plain() as connection:
        confirm = setting(connection, settings.CONFIRM)
        return FeedbackSettings(
            setting(connection, settings.FEEDBACK) != 0,
            Retention.parse(setting(connection, settings.KEEP_FEEDBACK) or FOR_GOOD),
            FRACTION if confirm is None else float(confirm),
        )


def write_settings(store: Store, changed: FeedbackSettings) -> None:
    """Sets how feedback is taken.

    Raises:
        SettingError: The fraction is none.
    """
    if not 0 <= changed.confirm <= 1:
        raise SettingError("the part of readings to confirm is from 0 to 100 percent")
    with store.session(writes=True) as session:
        set_setting(session.connection, settings.FEEDBACK, int(changed.taken))
        set_setting(session.connection, settings.KEEP_FEEDBACK, str(changed.retention))
        set_setting(session.connection, settings.CONFIRM, changed.confirm)


def picks_of(store: Store) -> Picks:
    """What is picked for confirmation; needs no passphrase. Nothing is, where no feedback is taken."""
    found = read_settings(store)
    with store.plain() as connection:
        key: bytes = setting(connection, settings.PICK_KEY)
    return Picks(key, found.confirm if found.taken else 0.0)


def sweep(store: Store, now: datetime) -> int:
    """Deletes feedback that was kept as long as it may be; how many samples went. It needs no passphrase.

    Args:
        store: Where.
        now: Aware.

    Raises:
        StorageError: The disk is full, or the store cannot be used.
    """
    longest = read_settings(store).retention.longest
    if longest is None:
        return 0
    before = (now - longest).astimezone(UTC).isoformat(timespec="seconds")
    with store.plain() as connection:
        if connection.execute("SELECT 1 FROM feedback WHERE at < ? LIMIT 1", (before,)).fetchone() is None:
            return 0
    with store.plain(writes=True) as connection:
        connection.execute("DELETE FROM feedback WHERE at < ?", (before,))
        went = connection.execute(
            f"DELETE FROM samples WHERE {_OF_FEEDBACK} AND id NOT IN (SELECT sample FROM feedback)"  # noqa: S608 - ours
        ).rowcount
        _drop_emptied_writers(connection)
        to_erase(connection)
    store.erase()
    return int(went)


def learned(store: Store, rows: Iterable[int]) -> int:
    """Deletes samples of feedback that the device has trained with, where it is set to; how many went.

    Args:
        store: Where.
        rows: Numbers of samples.

    Raises:
        StorageError: The disk is full, or the store cannot be used.
    """
    rows = list(rows)
    if not rows or not read_settings(store).retention.learn_and_erase:
        return 0
    with store.plain(writes=True) as connection:
        went = connection.executemany(
            f"DELETE FROM samples WHERE id = ? AND {_OF_FEEDBACK}",  # noqa: S608 - ours
            ((row,) for row in rows),
        ).rowcount
        _drop_emptied_writers(connection)
        to_erase(connection)
    store.erase()
    return int(went)


def _drop_emptied_writers(connection: sqlite3.Connection) -> None:
    """Drops writers of whom nothing is left, and no consent is on record."""
    emptied = f"FROM writers WHERE consent = 'unknown' AND {WROTE_NOTHING}"
    connection.execute(f"REPLACE INTO sides SELECT name_hash, held_out {emptied} AND name IS NOT NULL")
    connection.execute(f"DELETE {emptied}")
