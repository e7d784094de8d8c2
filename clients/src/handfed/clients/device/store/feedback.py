"""What a person says of a reading: a sample with its reading, and the correction or confirmation.

Rules:
1. Feedback is one transaction; when `give` has returned, it is on the disk and stays through `kill -9` and power cuts
   (`synchronous = FULL`, `handfed.clients.device.store.database`).
2. The same feedback sent again is the one that is there: the same picture, reading, label, writer and pick.
3. A picture with its label is there once. What was imported before stays an import; feedback on it is noted beside it.
   What was imported without a label goes from there.
   A picture of which something else was said before stays on the side on which that is.
4. Of a picture that was kept without its writer's name, who is named with feedback is the writer from then on
   (`handfed.clients.device.store.attribution`).
5. A writer who is forgotten, or withdrew consent, gives none. All feedback of unknown writers is of one writer without
   a name, whom a number stands for; where that one withdrew consent, what comes from then on is of a new one.

How long it is kept is `handfed.clients.device.store.retention`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets.texts import characters
from handfed.clients.device.store import attribution, unlabelled, writers
from handfed.clients.device.store import session as settings
from handfed.clients.device.store.schema import WROTE_NOTHING
from handfed.clients.device.store.session import FEEDBACK_IMPORT, Session, setting
from handfed.clients.device.store.split import feedback_is_held_out
from handfed.clients.device.store.writers import Consent
from handfed.shared.errors import ConflictError, SettingError, WriterError

if TYPE_CHECKING:
    from handfed.clients.device.store.store import Store

Kind = Literal["correction", "confirmation"]

_LONGEST: Final = 1000  # characters of a text or a name


@dataclass(frozen=True)
class Feedback:
    """What a person says of a reading.

    Attributes:
        kind: What was read: characters, words or lines.
        image: uint8 (height, width), normalised.
        reading: What the recogniser read.
        label: What it says.
        confidence: Of the reading, 0 to 1; None where it is not known.
        release: That read it; None where it is not known.
        picked: Whether the device had picked the reading at random.
        writer: Who wrote it, by a name or pseudonym; None where it is not known.
        consent: Of the writer, whose consent is unknown so far.
    """

    kind: str
    image: NDArray[np.uint8]
    reading: str
    label: str
    confidence: float | None = None
    release: int | None = None
    picked: bool = False
    writer: str | None = None
    consent: Consent = "unknown"


@dataclass(frozen=True)
class Taken:
    """Feedback that is kept.

    Attributes:
        number: The feedback's.
        kind: Whether the reading was corrected or confirmed.
        picked: Whether it answers a pick of the device.
        known: Whether it was there already.
    """

    number: int
    kind: Kind
    picked: bool
    known: bool


def give(store: Store, feedback: Feedback, *, by: str, now: datetime) -> Taken:
    """Keeps feedback; it is on the disk when this returns.

    Args:
        store: Where.
        feedback: What the person says.
        by: Who notes the writer's consent, where it comes along.
        now: Aware.

    Raises:
        ConflictError: No feedback is taken here.
        SettingError: The label is none.
        WriterError: The writer is forgotten, or withdrew consent.
        StorageError: The disk is full, or the store cannot be used. Then nothing was kept.
    """
    with store.session(writes=True) as session:
        return _given(session, feedback, by, now.astimezone(UTC).isoformat(timespec="seconds"))


def _given(session: Session, feedback: Feedback, by: str, at: str) -> Taken:
    if setting(session.connection, settings.FEEDBACK) == 0:
        raise ConflictError("this device takes no feedback; `handfed device settings --feedback` changes that")
    label = checked_label(feedback.kind, feedback.label, feedback.reading)
    reading, name = _tidy(feedback.reading), _name(feedback)
    kind: Kind = "confirmation" if label == reading else "correction"
    image = np.ascontiguousarray(feedback.image).tobytes()
    size = str(feedback.image.shape)
    said = (feedback.kind, size, label, reading, "" if name is None else f"by {name}", str(feedback.picked))
    request = session.secrets.hash("feedback", image, *(each.encode() for each in said))
    row = session.connection.execute("SELECT id FROM feedback WHERE request_hash = ?", (request,)).fetchone()
    if row is not None:
        return Taken(row[0], kind, feedback.picked, known=True)
    writer = _writer(session, name, feedback.consent, by, at)
    picture = session.fingerprint(feedback.kind, feedback.image.shape[1], image, b"")
    fingerprint = session.fingerprint(feedback.kind, feedback.image.shape[1], image, label.encode())
    if name is not None:
        attribution.attribute_picture(session, fingerprint, picture, writer, by=by, at=at)
    confirmed = kind == "confirmation"
    sample = _sample(session, feedback, label, writer, fingerprint=fingerprint, picture=picture, confirmed=confirmed)
    session.connection.execute(f"DELETE FROM writers WHERE name IS NULL AND {WROTE_NOTHING}")  # noqa: S608 - words of ours
    number = session.next_id("feedback")
    session.connection.execute(
        "INSERT INTO feedback VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            request,
            sample,
            kind,
            feedback.picked,
            session.sealed("feedback", "reading", number, reading),
            feedback.confidence,
            feedback.release,
            at,
            picture,
        ),
    )
    unlabelled.give_way(session, [picture])
    return Taken(number, kind, feedback.picked, known=False)


def checked_label(kind: str, label: str, reading: str = "") -> str:
    """A label as imports have it: in normalisation form C, with single spaces.

    Args:
        kind: What it is of: characters, words or lines.
        label: What it says.
        reading: What was read; a recogniser may have classes of several letters.

    Raises:
        SettingError: It is empty, too long, or of a character not one.
    """
    tidied = _tidy(label)
    if not tidied or len(tidied) > _LONGEST or any(unicodedata.category(each) in ("Cc", "Cs") for each in tidied):
        raise SettingError("say what it says: a character, or a text without control characters")
    if kind == "characters" and len(characters(tidied)) > 1 and tidied != _tidy(reading):
        raise SettingError("the picture is of one character, so the correction is one, too")
    return tidied


def _tidy(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _name(feedback: Feedback) -> str | None:
    """The writer's tidy name.

    Raises:
        SettingError: It is too long.
    """
    name = writers.tidy(feedback.writer or "")
    if len(name) > _LONGEST:
        raise SettingError("the writer's name is too long")
    return name or None


def _writer(session: Session, name: str | None, consent: Consent, by: str, at: str) -> int:
    """The store's number of the writer.

    Raises:
        WriterError: The writer is forgotten, or withdrew consent.
    """
    if name is None:
        found = session.connection.execute(
            "SELECT w.id FROM writers w JOIN samples s ON s.writer = w.id"
            " WHERE s.import = ? AND w.name IS NULL AND w.consent <> 'withdrawn' LIMIT 1",
            (FEEDBACK_IMPORT,),
        ).fetchone()
        return int(found[0]) if found else writers.enter(session, None)
    if writers.is_forgotten(session, name):
        raise WriterError(
            f"{name!r} asked to be forgotten, so nothing was kept; who wants to come back is imported with --again"
        )
    number = writers.enter(session, name)
    known = writers.consent_of(session, number)
    if known == "withdrawn":
        raise WriterError(f"{name!r} withdrew consent, so nothing was kept; `handfed device consent` notes a change")
    if consent != "unknown" and known == "unknown":
        writers.note_consent(session, number, consent, by=by, at=at)
    return number


def _sample(
    session: Session,
    feedback: Feedback,
    label: str,
    writer: int,
    *,
    fingerprint: bytes,
    picture: bytes,
    confirmed: bool,
) -> int:
    """The number of the sample, which is put on record unless it is there.

    Args:
        session: That writes.
        feedback: What the person says.
        label: What it says, tidy.
        writer: The store's number.
        fingerprint: What it is known by.
        picture: The same over an empty label.
        confirmed: Whether the reading was right.
    """
    (height, width), image = feedback.image.shape, np.ascontiguousarray(feedback.image).tobytes()
    found = session.connection.execute("SELECT id FROM samples WHERE fingerprint = ?", (fingerprint,)).fetchone()
    if found is not None:
        return int(found[0])
    said_before = session.connection.execute(
        "SELECT s.held_out FROM feedback f JOIN samples s ON s.id = f.sample WHERE f.picture = ? LIMIT 1", (picture,)
    ).fetchone()
    side = writers.side_of(session, writer) if said_before is None else bool(said_before[0])
    number, secrets = session.next_id("samples"), session.secrets
    session.connection.execute(
        "INSERT INTO samples (id, import, writer, kind, height, width, image, label, fingerprint, held_out, source,"
        " confirmed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            FEEDBACK_IMPORT,
            writer,
            feedback.kind,
            height,
            width,
            secrets.seal("samples", "image", number, image),
            secrets.seal("samples", "label", number, label.encode()),
            fingerprint,
            feedback_is_held_out(side, picked=feedback.picked),
            "pick" if feedback.picked else "feedback",
            confirmed,
        ),
    )
    return number
