"""The second look at labels that are set aside: a person accepts, relabels or drops each.

Rules:
1. What was looked at is not set aside again, and counts in full.
2. A label that is put right is that of feedback, too; the picture stays with its writer and on its side.
3. What is dropped goes from the disk like what is forgotten.
4. Only what waits is settled, and either all that is asked for at once or nothing.
5. What an import brought stays as it was settled: the next import of the same files brings neither what was dropped nor
   the label that was wrong. Of these only a keyed hash stays, and goes with the writer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handfed.clients.device.store.feedback import checked_label
from handfed.clients.device.store.session import Session, to_erase
from handfed.clients.device.store.store import Store
from handfed.shared.errors import NotFoundError, SettingError


@dataclass(frozen=True)
class Doubtful:
    """A label that is set aside; for the operator's own terminal.

    Attributes:
        number: The sample's.
        label: What it is said to say.
        reading: What was read; None of an import.
        doubt: Why it is set aside.
        writer: Who wrote it, by the store's number.
        source: `import`, `feedback` or `pick`.
        image: uint8 (height, width).
    """

    number: int
    label: str
    reading: str | None
    doubt: str
    writer: int
    source: str
    image: NDArray[np.uint8]


def waiting(store: Store) -> list[Doubtful]:
    """What waits for a second look, feedback first.

    Raises:
        LockedStoreError: The passphrase or key is wrong.
    """
    query = (
        "SELECT s.id, s.label, max(f.id), f.reading, s.doubt, s.writer, s.source, s.height, s.image"
        " FROM samples s LEFT JOIN feedback f ON f.sample = s.id WHERE s.doubt IS NOT NULL"
        " GROUP BY s.id ORDER BY s.source = 'import', s.id"
    )
    with store.session(writes=False) as session:
        return [_doubtful(session, *row) for row in session.connection.execute(query)]


@dataclass(frozen=True)
class Settled:
    """How many labels were taken for right, put right, and deleted with their samples."""

    accepted: int
    relabelled: int
    dropped: int


def settle(
    store: Store,
    *,
    accepted: Collection[int] = (),
    relabelled: Mapping[int, str] | None = None,
    dropped: Collection[int] = (),
    everything: bool = False,
) -> Settled:
    """Settles labels that wait for a second look: all that is said, or nothing.

    Args:
        store: Where.
        accepted: Numbers of samples whose labels are right.
        relabelled: What others say, by their numbers.
        dropped: Numbers of samples to delete.
        everything: Whether the labels of all others that wait are right.

    Raises:
        NotFoundError: A number waits for no second look.
        SettingError: A label is none, or more than one thing is said of a number.
    """
    relabelled = relabelled or {}
    with store.session(writes=True) as session:
        waits = {row for (row,) in session.connection.execute("SELECT id FROM samples WHERE doubt IS NOT NULL")}
        said = Counter([*set(accepted), *relabelled, *set(dropped)])
        for number, times in said.items():
            if number not in waits:
                raise NotFoundError(
                    f"sample {number} waits for no second look, so nothing was done; `handfed device review` lists"
                    " what waits"
                )
            if times > 1:
                raise SettingError(f"more than one thing is said of sample {number}, so nothing was done")
        for number in dropped:
            _delete(session, number)
        for number, label in relabelled.items():
            _relabel(session, number, label)
        right = waits - relabelled.keys() - {*dropped} if everything else {*accepted}
        for number in right:
            _take_for_right(session, number)
        if relabelled or dropped:
            to_erase(session.connection)
    store.erase()
    return Settled(len(right), len(relabelled), len({*dropped}))


def _relabel(session: Session, number: int, label: str) -> None:
    """Puts a label right.

    Raises:
        SettingError: The label is none.
    """
    kind, width, sealed = session.connection.execute(
        "SELECT kind, width, image FROM samples WHERE id = ?", (number,)
    ).fetchone()
    encoded = checked_label(kind, label).encode()
    image = session.secrets.unseal("samples", "image", number, sealed)
    fingerprint = session.fingerprint(kind, width, image, encoded)
    same = session.connection.execute(
        "SELECT id FROM samples WHERE fingerprint = ? AND id <> ?", (fingerprint, number)
    ).fetchone()
    if same is not None:  # the picture is there with that label already
        _delete(session, number)
        _take_for_right(session, int(same[0]))
        return
    _pass_over(session, number)
    session.connection.execute(
        "UPDATE samples SET label = ?, fingerprint = ? WHERE id = ?",
        (session.secrets.seal("samples", "label", number, encoded), fingerprint, number),
    )
    _take_for_right(session, number)


def _delete(session: Session, number: int) -> None:
    _pass_over(session, number)
    session.connection.execute("DELETE FROM samples WHERE id = ?", (number,))


def _pass_over(session: Session, number: int) -> None:
    """Has later imports pass over what an imported sample is known by now."""
    session.connection.execute(
        "INSERT OR IGNORE INTO dropped SELECT fingerprint, writer FROM samples WHERE id = ? AND source = 'import'",
        (number,),
    )


def _doubtful(  # noqa: PLR0917 - the columns of the query
    session: Session,
    number: int,
    label: bytes,
    of_feedback: int | None,
    reading: bytes | None,
    doubt: str,
    writer: int,
    source: str,
    height: int,
    sealed: bytes,
) -> Doubtful:
    read = None
    if reading is not None and of_feedback is not None:
        read = session.unsealed("feedback", "reading", of_feedback, reading)
    image = np.frombuffer(session.secrets.unseal("samples", "image", number, sealed), np.uint8)
    text = session.unsealed("samples", "label", number, label)
    return Doubtful(number, text, read, doubt, writer, source, image.reshape(height, -1))


def _take_for_right(session: Session, number: int) -> None:
    session.connection.execute("UPDATE samples SET doubt = NULL, reviewed = 1, weight = 1 WHERE id = ?", (number,))
