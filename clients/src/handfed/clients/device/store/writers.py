"""Who wrote what is in the store, what they consented to, and how they are forgotten.

Rules:
1. A writer has a random number, and the name that was imported, which is sealed and found by its keyed hash. All that
   one import brings of unknown writers is one writer without a name, whom the number stands for, as `#123`.
2. Handwriting of who withdrew consent is neither trained on nor evaluated with. Where the store requires consent, only
   that of writers who gave it is.
3. Forgetting deletes the writer's row and samples, and imports that brought nothing else; imports whose source has the
   name in it lose that source. A keyed hash of the name stays, so that who is forgotten does not come back by the
   import of an old folder; and with it the side, so that who does come back, comes to it.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from handfed.clients.device.store import unlabelled
from handfed.clients.device.store.session import FEEDBACK_IMPORT, Session
from handfed.clients.device.store.split import writer_is_held_out
from handfed.shared.errors import WriterError

Consent = Literal["unknown", "given", "withdrawn"]

_MOST: Final = 2**31  # numbers are small enough to type


@dataclass(frozen=True)
class Writer:
    """A writer of the store; for the operator's own terminal.

    Attributes:
        number: The store's own random number.
        name: As imported; None where it is unknown.
        consent: What is on record.
        noted_by: Who noted it; None before anyone did.
        noted_at: When, RFC 3339; None before anyone did.
        samples: How many there are, and of them `held_out`.
        held_out: Samples that are never trained on.
        unlabelled: Pictures without a label, which `samples` does not count.
    """

    number: int
    name: str | None
    consent: Consent
    noted_by: str | None
    noted_at: str | None
    samples: int
    held_out: int
    unlabelled: int


@dataclass(frozen=True)
class Forgotten:
    """What went: samples, those without a label among them, and imports that had brought nothing else."""

    samples: int
    imports: int


def tidy(name: str) -> str:
    """A name as it is kept: in Unicode's normalisation form C, without space around it."""
    return unicodedata.normalize("NFC", name).strip()


def name_hash(session: Session, name: str) -> bytes:
    """What a tidy name is found by."""
    return session.secrets.hash("writer", name.encode())


def is_forgotten(session: Session, name: str) -> bool:
    """Whether the writer of a tidy name is to stay forgotten."""
    query = "SELECT 1 FROM forgotten WHERE name_hash = ?"
    return session.connection.execute(query, (name_hash(session, name),)).fetchone() is not None


def admit(session: Session, name: str) -> None:
    """Lets a forgotten writer come back."""
    session.connection.execute("DELETE FROM forgotten WHERE name_hash = ?", (name_hash(session, name),))


def enter(session: Session, name: str | None, *, held_out: bool | None = None) -> int:
    """The number of a writer, who is put on record unless known.

    Args:
        session: That writes.
        name: Tidy; None for a new writer without a name.
        held_out: On which side a new writer comes; None for that on which he or she was before, and else to let the
            store's key decide.
    """
    known = None if name is None else _by_hash(session, name_hash(session, name))
    if known is not None:
        return known
    number = _new_number(session)
    if name is not None:
        was = _side_before(session, name)
        if held_out is None:
            held_out = writer_is_held_out(session.secrets, name) if was is None else was
    session.connection.execute(
        "INSERT INTO writers (id, name, name_hash, consent, held_out) VALUES (?, ?, ?, 'unknown', ?)",
        (
            number,
            None if name is None else session.sealed("writers", "name", number, name),
            None if name is None else name_hash(session, name),
            held_out,
        ),
    )
    return number


def find(session: Session, reference: str) -> int:
    """The number of the writer who is meant.

    Args:
        session: That reads.
        reference: The name, or `#` and the number; a name comes first.

    Raises:
        WriterError: There is no such writer.
    """
    name = tidy(reference)
    found = _by_hash(session, name_hash(session, name))
    if found is None and name.startswith("#") and name[1:].isascii() and name[1:].isdigit():
        row = session.connection.execute("SELECT id FROM writers WHERE id = ?", (int(name[1:]) % 2**63,)).fetchone()
        found = None if row is None else int(row[0])
    if found is None:
        was = "is forgotten already" if is_forgotten(session, name) else "is not in the store"
        raise WriterError(f"writer {reference!r} {was}; `handfed device writers` lists who is")
    return found


def note_consent(session: Session, number: int, consent: Consent, *, by: str, at: str) -> None:
    """Puts a writer's consent on record.

    Args:
        session: That writes.
        number: The writer's.
        consent: What it is now.
        by: Who notes it.
        at: When, RFC 3339.
    """
    session.connection.execute(
        "UPDATE writers SET consent = ?, noted_by = ?, noted_at = ? WHERE id = ?",
        (consent, session.sealed("writers", "noted_by", number, by), at, number),
    )


def consent_of(session: Session, number: int) -> Consent:
    """A writer's consent."""
    (consent,) = session.connection.execute("SELECT consent FROM writers WHERE id = ?", (number,)).fetchone()
    found: Consent = consent
    return found


def side_of(session: Session, number: int) -> bool | None:
    """Whether a writer is held out; None where that is so picture by picture."""
    (held_out,) = session.connection.execute("SELECT held_out FROM writers WHERE id = ?", (number,)).fetchone()
    return None if held_out is None else bool(held_out)


def listed(session: Session) -> list[Writer]:
    """All writers, those with names first, by name."""
    rows = session.connection.execute(
        "SELECT w.id, w.name, w.consent, w.noted_by, w.noted_at, count(s.id), coalesce(sum(s.held_out), 0),"
        " (SELECT count(*) FROM unlabelled u WHERE u.writer = w.id)"
        " FROM writers w LEFT JOIN samples s ON s.writer = w.id GROUP BY w.id"
    )
    found = [
        Writer(
            number,
            None if name is None else session.unsealed("writers", "name", number, name),
            consent,
            None if noted_by is None else session.unsealed("writers", "noted_by", number, noted_by),
            noted_at,
            *counts,
        )
        for number, name, consent, noted_by, noted_at, *counts in rows
    ]
    return sorted(found, key=lambda writer: (writer.name is None, writer.name or "", writer.number))


def forget(session: Session, number: int, *, at: str) -> Forgotten:
    """Deletes a writer with all that he or she wrote.

    Args:
        session: That writes.
        number: The writer's.
        at: When, RFC 3339.
    """
    run = session.connection.execute
    sealed, digest = run("SELECT name, name_hash FROM writers WHERE id = ?", (number,)).fetchone()
    concerned = [row for (row,) in run("SELECT DISTINCT import FROM samples WHERE writer = ?", (number,)).fetchall()]
    samples = run("DELETE FROM samples WHERE writer = ?", (number,)).rowcount
    without_label, of_imports = unlabelled.forget(session, number)
    run("REPLACE INTO sides SELECT name_hash, held_out FROM writers WHERE id = ? AND name IS NOT NULL", (number,))
    run("DELETE FROM writers WHERE id = ?", (number,))
    if sealed is not None:
        run("REPLACE INTO forgotten VALUES (?, ?)", (digest, at))
        _strike(session, session.unsealed("writers", "name", number, sealed))
    left = "SELECT 1 FROM samples WHERE import = :row UNION ALL SELECT 1 FROM unlabelled WHERE import = :row"
    concerned = sorted({*concerned, *of_imports} - {FEEDBACK_IMPORT})  # that one is always there
    emptied = [row for row in concerned if run(left, {"row": row}).fetchone() is None]
    session.connection.executemany("DELETE FROM imports WHERE id = ?", [(row,) for row in emptied])
    return Forgotten(samples + without_label, len(emptied))


def _side_before(session: Session, name: str) -> bool | None:
    """On which side the writer of a tidy name was before, and takes it off the record; None of who was never there."""
    digest = (name_hash(session, name),)
    found = session.connection.execute("SELECT held_out FROM sides WHERE name_hash = ?", digest).fetchone()
    session.connection.execute("DELETE FROM sides WHERE name_hash = ?", digest)
    return None if found is None else bool(found[0])


def _strike(session: Session, name: str) -> None:
    """Takes away what imports were called, and who noted consents, where a name is in it as a word."""
    written = re.compile(rf"(?<!\w){re.escape(name.casefold())}(?!\w)")
    for table, column in (("imports", "source"), ("writers", "noted_by")):
        query = f"SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 - names of ours
        for row, value in session.connection.execute(query).fetchall():
            if written.search(session.unsealed(table, column, row, value).casefold()):
                session.connection.execute(f"UPDATE {table} SET {column} = NULL WHERE id = ?", (row,))  # noqa: S608


def _by_hash(session: Session, digest: bytes) -> int | None:
    row = session.connection.execute("SELECT id FROM writers WHERE name_hash = ?", (digest,)).fetchone()
    return None if row is None else int(row[0])


def _new_number(session: Session) -> int:
    """A random number: neither the order of writers nor their names show in it."""
    while True:
        number = 1 + secrets.randbelow(_MOST - 1)
        if session.connection.execute("SELECT 1 FROM writers WHERE id = ?", (number,)).fetchone() is None:
            return number
