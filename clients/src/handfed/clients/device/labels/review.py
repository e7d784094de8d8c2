"""The second look at labels that are set aside: a person accepts, relabels or drops each.

Rules:
1. What was looked at is not set aside again, and counts in full.
2. A label that is put right is that of feedback, too; the picture stays with its writer and on its side.
3. What is dropped goes from the disk like what is forgotten.
4. What an import brought stays as it was settled: the next import of the same files brings neither what was dropped nor
   the label that was wrong. Of these only a keyed hash stays, and goes with the writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handfed.clients.device.store.feedback import checked_label
from handfed.clients.device.store.session import Session, to_erase
from handfed.clients.device.store.store import Store
from handfed.shared.errors import NotFoundError


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


def accept(store: Store, numbers: Sequence[int]) -> None:
    """Takes labels for right.

    Raises:
        NotFoundError: One is not in the store; nothing was changed.
    """
    with store.session(writes=True) as session:
        for number in numbers:
            _settle(session, number)


def relabel(store: Store, number: int, label: str) -> None:
    """Puts a label right.

    Raises:
        NotFoundError: There is no such sample.
        SettingError: The label is none.
    """
    with store.session(writes=True) as session:
        row = session.connection.execute("SELECT kind, width, image FROM samples WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise _none(number)
        kind, width, sealed = row
        encoded = checked_label(kind, label).encode()
        image = session.secrets.unseal("samples", "image", number, sealed)
        fingerprint = session.fingerprint(kind, width, image, encoded)
        same = session.connection.execute(
            "SELECT id FROM samples WHERE fingerprint = ? AND id <> ?", (fingerprint, number)
        ).fetchone()
        _pass_over(session, number)
        if same is not None:  # the picture is there with that label already
            session.connection.execute("DELETE FROM samples WHERE id = ?", (number,))
            _settle(session, int(same[0]))
        else:
            session.connection.execute(
                "UPDATE samples SET label = ?, fingerprint = ? WHERE id = ?",
                (session.secrets.seal("samples", "label", number, encoded), fingerprint, number),
            )
            _settle(session, number)
        to_erase(session.connection)
    store.erase()


def drop(store: Store, numbers: Sequence[int]) -> bool:
    """Deletes samples; whether they are gone from the disk already.

    Raises:
        NotFoundError: One is not in the store; nothing was changed.
    """
    with store.session(writes=True) as session:
        for number in numbers:
            _pass_over(session, number)
            if not session.connection.execute("DELETE FROM samples WHERE id = ?", (number,)).rowcount:
                raise _none(number)
        to_erase(session.connection)
    return store.erase()


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


def _settle(session: Session, number: int) -> None:
    query = "UPDATE samples SET doubt = NULL, reviewed = 1, weight = 1 WHERE id = ?"
    if not session.connection.execute(query, (number,)).rowcount:
        raise _none(number)


def _none(number: int) -> NotFoundError:
    return NotFoundError(f"there is no sample {number}; `handfed device review` lists what waits for a second look")
