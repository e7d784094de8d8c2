"""Handwriting that came in without its writer's name, once it is known whose it is.

Rules:
1. What is kept for a writer without a name goes to who turns out to have written the same picture, whatever its label:
   then that writer's consent rules, and forgetting finds it. What is of a writer with a name stays there.
2. It goes to the side of who has a name; what was trained on before is not judged with there
   (`handfed.clients.device.store.split`).
3. A withdrawal is not lost on the way: a writer whose consent is unknown takes it along.
4. To a writer without a name goes only what was imported of another without one, whose consent is unknown. So the
   consent that comes with an import of unknown writers holds for what it brings again, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from handfed.clients.device.store import unlabelled, writers
from handfed.clients.device.store.session import Session

_PICTURES: Final = {"samples": "t.kind, t.width, t.image, t.source"}  # of tables whose fingerprints are over labels
_NO_PICTURES: Final = "NULL, NULL, NULL, 'import'"
_SIDE: Final = (
    "UPDATE samples SET held_out = w.held_out FROM writers w"
    " WHERE w.id = samples.writer AND w.name IS NOT NULL AND samples.id = ?"
)


def nameless(session: Session) -> dict[int, str]:
    """The consents of writers without a name, by number."""
    return dict(session.connection.execute("SELECT id, consent FROM writers WHERE name IS NULL").fetchall())


def attribute(session: Session, whose: Mapping[bytes, int], *, by: str, at: str) -> int:
    """Gives what is kept for writers without a name to whom it is of; how much that is, with labels or without.

    Args:
        session: That writes.
        whose: Numbers of writers, by fingerprints of samples and of their pictures over an empty label.
        by: Who says so.
        at: When, RFC 3339.
    """
    run, consents = session.connection.execute, nameless(session)
    count = 0
    for table in ("samples", "unlabelled", "dropped"):
        query = (
            f"SELECT t.rowid, t.writer, t.fingerprint, {_PICTURES.get(table, _NO_PICTURES)} FROM {table} t"  # noqa: S608 - words of ours
            " JOIN writers w ON w.id = t.writer WHERE w.name IS NULL"
        )
        found = []
        for row, of, fingerprint, kind, width, image, source in run(query):
            to = whose.get(fingerprint)
            if to is None and image is not None:  # it may be there with another label
                pixels = session.secrets.unseal("samples", "image", row, image)
                to = whose.get(session.fingerprint(kind, width, pixels, b""))
            if to is not None and (to not in consents or (consents[of], source) == ("unknown", "import")):
                found.append((to, row, of))
        _move(session, table, found, by=by, at=at)
        count += len(found) if table != "dropped" else 0
    return count


def attribute_picture(session: Session, fingerprint: bytes, picture: bytes, writer: int, *, by: str, at: str) -> None:
    """Gives what is kept of a picture for writers without a name to who has a name.

    Args:
        session: That writes.
        fingerprint: Of the sample that may be there.
        picture: Of its picture over an empty label, as feedback on it has it.
        writer: The number of who wrote it.
        by: Who says so.
        at: When, RFC 3339.
    """
    query = (
        "SELECT ?, s.id, s.writer FROM samples s JOIN writers w ON w.id = s.writer WHERE w.name IS NULL"
        " AND (s.fingerprint = ? OR s.id IN (SELECT sample FROM feedback WHERE picture = ?))"
    )
    found = session.connection.execute(query, (writer, fingerprint, picture)).fetchall()
    _move(session, "samples", found, by=by, at=at)


def _move(session: Session, table: str, found: list[tuple[int, int, int]], *, by: str, at: str) -> None:
    """Gives rows to writers; each is to whom, which row, and of whom it was."""
    run, many, consents = session.connection.execute, session.connection.executemany, nameless(session)
    many(f"UPDATE {table} SET writer = ? WHERE rowid = ?", ((to, row) for to, row, _ in found))  # noqa: S608 - words of ours
    if table == "samples":
        many(_SIDE, ((row,) for _, row, _ in found))
    if table == "unlabelled":  # of who is held out, nothing is kept without a label
        query = (
            "SELECT u.fingerprint FROM unlabelled u JOIN writers w ON w.id = u.writer"
            " WHERE w.name IS NOT NULL AND w.held_out"
        )
        unlabelled.give_way(session, [fingerprint for (fingerprint,) in run(query).fetchall()])
    for to in {to for to, _, of in found if consents[of] == "withdrawn"}:
        if writers.consent_of(session, to) == "unknown":
            writers.note_consent(session, to, "withdrawn", by=by, at=at)
