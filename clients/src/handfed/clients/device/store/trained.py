"""Up to which sample handwriting was trained on, so that what came later can be told apart.

Numbers of samples grow and are never used again, so one number is enough. Rules:
1. A round notes, by the number of its run, the last sample that the store held when it read what it trains on.
2. That counts once a release of the run has come to this device: what a run trained on that nobody finished, no model
   has seen.
3. That is another question than which samples a memory is drawn from (the table `trained`): here a run has to be
   finished, and what it could have used counts, such as held-out handwriting; there a sample has to be used.
4. To note it changes nothing of the handwriting: it is no new revision of the store, and needs none of its keys.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from typing import Final

from handfed.clients.device.store.session import TRAINED, TRAINED_UP_TO, set_setting, setting

_KEPT: Final = 10  # runs, the last ones, that may still come to an end


def newest(connection: sqlite3.Connection) -> int:
    """The number of the last sample that came in; 0 before the first."""
    (found,) = connection.execute("SELECT coalesce(max(id), 0) FROM samples").fetchone()
    return int(found)


def up_to(connection: sqlite3.Connection) -> int:
    """The number of the last sample that a finished run could train on; 0 before the first such run."""
    return int(setting(connection, TRAINED_UP_TO) or 0)


def note(connection: sqlite3.Connection, run: int, sample: int) -> None:
    """Notes that a round of a run trained on samples up to a number.

    Args:
        connection: Within a transaction that writes.
        run: Its number on the server's record.
        sample: The number.
    """
    known = {**_runs(connection), run: sample}
    set_setting(connection, TRAINED, json.dumps({number: known[number] for number in sorted(known)[-_KEPT:]}))


def settle(connection: sqlite3.Connection, finished: Collection[int]) -> None:
    """Has what finished runs trained on count.

    Args:
        connection: Within a transaction that writes.
        finished: Numbers of runs.
    """
    reached = [sample for run, sample in _runs(connection).items() if run in finished]
    set_setting(connection, TRAINED_UP_TO, max([up_to(connection), *reached]))


def is_noted(connection: sqlite3.Connection, run: int, sample: int) -> bool:
    """Whether `note` would change nothing."""
    return _runs(connection).get(run) == sample


def is_settled(connection: sqlite3.Connection, finished: Collection[int]) -> bool:
    """Whether `settle` would change nothing."""
    return all(sample <= up_to(connection) for run, sample in _runs(connection).items() if run in finished)


def _runs(connection: sqlite3.Connection) -> dict[int, int]:
    return {int(run): int(sample) for run, sample in json.loads(setting(connection, TRAINED) or "{}").items()}
