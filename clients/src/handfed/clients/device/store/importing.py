"""Handwriting on its way into the store: all of one import, or nothing.

Rules:
1. What is there already (the same pixels of the same size and kind with the same label) is not taken twice. Of a
   form it is the box that is known again, whatever its pixels are in another photograph. Nor is what a person has
   dropped, or given another label, at a second look (`handfed.clients.device.labels.review`).
2. A forgotten writer's handwriting is passed over, unless it is said that the writer is to come back.
3. Consent that comes with an import holds for its writers whose consent is unknown: an import neither takes consent
   away nor gives it for who withdrew it.
4. What is there already for a writer without a name becomes the import's writer's, where that one has a name, or
   consent comes along (`handfed.clients.device.store.attribution`).
5. What comes without labels is kept apart, and of the training side alone (`handfed.clients.device.store.unlabelled`);
   of a picture that is a sample already, or becomes one, it is not kept.
6. A store has no path or name of a file, but for writers that are called like one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from handfed.clients.device.store import attribution, unlabelled, writers
from handfed.clients.device.store.schema import WROTE_NOTHING
from handfed.clients.device.store.session import Session
from handfed.clients.device.store.split import image_is_held_out
from handfed.clients.device.store.writers import Consent
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError, WriterError
from handfed.shared.tasks import Task

_AT_ONCE: Final = 500  # samples between two looks at the clock on the wall
_INSERT: Final = (
    "INSERT INTO samples"
    " (id, import, writer, kind, height, width, image, label, fingerprint, held_out, source, confirmed)"
    " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'import', 0"
    " WHERE NOT EXISTS (SELECT 1 FROM dropped WHERE fingerprint = ?9) ON CONFLICT (fingerprint) DO NOTHING"
)


@dataclass(frozen=True)
class Incoming:
    """What a person imports.

    Attributes:
        dataset: The handwriting, with its writers' own ids where they are known.
        task: What it shows.
        task_name: What the task is called.
        source: What the person calls it; empty for nothing.
        writer: Who wrote all of it, where the files do not say; None where nobody does.
        consent: Of its writers whose consent is unknown so far.
        again: Whether forgotten writers are to come back.
        held_out: On which side writers come who are new; None to let the store's key decide.
        identities: What each sample is known by; None where that is its picture with its label.
        unlabelled: Whether nobody labelled it; then what the data set has for labels is not looked at.
    """

    dataset: Dataset
    task: Task
    task_name: str
    source: str = ""
    writer: str | None = None
    consent: Consent = "unknown"
    again: bool = False
    held_out: bool | None = None
    identities: tuple[bytes, ...] | None = None
    unlabelled: bool = False


@dataclass(frozen=True)
class Imported:
    """What came of an import.

    Attributes:
        number: The import's; None where nothing was new.
        samples: How many are new.
        duplicates: How many were there already.
        writers: How many writers they are of.
        refused: Samples of forgotten writers, which were passed over.
        refused_writers: How many such writers.
        not_kept: Samples without a label that are of the held-out side.
        attributed: How many were there for writers without a name, and are of this import's writers now.
    """

    number: int | None
    samples: int
    duplicates: int
    writers: int
    refused: int
    refused_writers: int
    not_kept: int = 0
    attributed: int = 0


def take_in(session: Session, incoming: Incoming, *, by: str, at: str, progress: Callable[[int], None]) -> Imported:
    """Puts an import on record, within the transaction that is open.

    Args:
        session: That writes.
        incoming: What is imported.
        by: Who imports it.
        at: When, RFC 3339.
        progress: Told how many samples were looked at so far.

    Raises:
        DatasetError: A writer is named, and the files name theirs.
        WriterError: All of it is of forgotten writers.
    """
    names = _names(incoming)
    refused = {} if incoming.again else {i: name for i, name in names.items() if _is_forgotten(session, name)}
    numbers = {i: _entered(session, name, incoming, by, at) for i, name in names.items() if i not in refused}
    if not numbers:
        raise WriterError(
            "all of it is of writers who are forgotten, so nothing was imported; --again takes them back, if they agree"
        )
    number = session.next_id("imports")
    session.connection.execute(
        "INSERT INTO imports VALUES (?, ?, ?, ?, 0)",
        (
            number,
            at,
            session.sealed("imports", "source", number, incoming.source) if incoming.source else None,
            incoming.task_name,
        ),
    )
    sides = {writer: (row, writers.side_of(session, row)) for writer, row in numbers.items()}
    whose = _whose(session, incoming, numbers)
    attributed = attribution.attribute(session, whose, by=by, at=at) if whose else 0
    if incoming.unlabelled:
        looked_at = _insert(session, unlabelled.INSERT, unlabelled.rows(session, incoming, number, sides), progress)
    else:
        looked_at = _insert(session, _INSERT, _rows(session, incoming, number, sides), progress)
    unlabelled.give_way(session, unlabelled.of_samples(session, incoming.task.kind))
    table = "unlabelled" if incoming.unlabelled else "samples"
    counted = f"SELECT count(*) FROM {table} WHERE import = ?"  # noqa: S608 - words of ours
    (samples,) = session.connection.execute(counted, (number,)).fetchone()
    _settle(session, number, samples)
    passed_over = _of(incoming, refused)
    return Imported(
        number if samples else None,
        samples,
        looked_at - samples,
        len(numbers),
        passed_over,
        len(refused),
        len(incoming.dataset) - passed_over - looked_at,
        attributed,
    )


def _of(incoming: Incoming, some: Collection[int]) -> int:
    """How many samples are of some of the data set's writers."""
    if incoming.dataset.writers is None:
        return len(incoming.dataset) if some else 0
    return int(np.isin(incoming.dataset.writers, list(some)).sum())


def _names(incoming: Incoming) -> dict[int, str | None]:
    """The tidy name of each writer's number in the data set; one writer, 0, where writers are unknown.

    Raises:
        DatasetError: A writer is named, and the files name theirs; or the name is empty.
    """
    dataset = incoming.dataset
    if dataset.writers is None:
        if incoming.writer is not None and not writers.tidy(incoming.writer):
            raise DatasetError("the writer's name is empty; leave --writer out where the writer is unknown")
        return {0: None if incoming.writer is None else writers.tidy(incoming.writer)}
    if incoming.writer is not None:
        raise DatasetError(f"{dataset.name} says who wrote what; leave --writer out")
    occurring = sorted(set(dataset.writers.tolist()))
    # Of a data set that has a name, writers have numbers only.
    ids = dataset.writer_ids or [f"{dataset.name} {number}" for number in range(dataset.writer_count)]
    return {number: writers.tidy(ids[number]) or None for number in occurring}


def _is_forgotten(session: Session, name: str | None) -> bool:
    return name is not None and writers.is_forgotten(session, name)


def _entered(session: Session, name: str | None, incoming: Incoming, by: str, at: str) -> int:
    """The store's number of a writer, with consent and without being forgotten, as the import says."""
    if name is not None and incoming.again:
        writers.admit(session, name)
    number = writers.enter(session, name, held_out=incoming.held_out)
    if incoming.consent != "unknown" and writers.consent_of(session, number) == "unknown":
        writers.note_consent(session, number, incoming.consent, by=by, at=at)
    return number


def _whose(session: Session, incoming: Incoming, numbers: dict[int, int]) -> dict[bytes, int]:
    """Whose the samples are, by what they are known by and by their pictures; nothing where nobody is to get any."""
    nameless = attribution.nameless(session)
    takers = {i: row for i, row in numbers.items() if row not in nameless or incoming.consent == "given"}
    if not takers or nameless.keys() <= {*numbers.values()}:
        return {}
    found = {}
    for writer, width, image, _, known_by in _pictures(session, incoming):
        if writer in takers:
            picture = session.fingerprint(incoming.task.kind, width, image, b"")
            found[picture] = found[known_by] = takers[writer]
    return found


def _pictures(session: Session, incoming: Incoming) -> Iterator[tuple[int, int, bytes, bytes, bytes]]:
    """Of each sample the writer, the width, the pixels, the label (empty where it has none) and what it is known by."""
    samples, alphabet = incoming.dataset.samples, incoming.dataset.alphabet
    whose = [0] * len(samples) if incoming.dataset.writers is None else incoming.dataset.writers.tolist()
    for index, (writer, text) in enumerate(zip(whose, samples.written(), strict=True)):
        width = samples.images.shape[2] if samples.widths is None else int(samples.widths[index])
        image = samples.images[index, :, :width].tobytes()
        label = b"" if incoming.unlabelled else alphabet.text_of(text).encode()
        if incoming.identities is None:
            known_by = session.fingerprint(incoming.task.kind, width, image, label)
        else:
            known_by = session.secrets.hash("form", incoming.identities[index])
        yield writer, width, image, label, known_by


def _rows(
    session: Session, incoming: Incoming, number: int, sides: dict[int, tuple[int, bool | None]]
) -> Iterator[tuple[object, ...]]:
    """The rows of the samples that are not passed over, sealed."""
    height, kind = incoming.dataset.samples.images.shape[1], incoming.task.kind
    secrets, row = session.secrets, session.next_id("samples")
    for writer, width, image, label, known_by in _pictures(session, incoming):
        if writer not in sides:
            continue
        entered, side = sides[writer]
        yield (
            row,
            number,
            entered,
            kind,
            height,
            width,
            secrets.seal("samples", "image", row, image),
            secrets.seal("samples", "label", row, label),
            known_by,
            image_is_held_out(secrets, image) if side is None else side,
        )
        row += 1


def _insert(
    session: Session, statement: str, rows: Iterator[tuple[object, ...]], progress: Callable[[int], None]
) -> int:
    """Writes rows by a statement, but for those that are there; returns how many were looked at."""
    looked_at = 0

    def counted() -> Iterator[tuple[object, ...]]:
        nonlocal looked_at
        for row in rows:
            yield row
            looked_at += 1
            if looked_at % _AT_ONCE == 0:
                progress(looked_at)

    session.connection.executemany(statement, counted())
    progress(looked_at)
    return looked_at


def _settle(session: Session, number: int, samples: int) -> None:
    """Puts the count on record; an import that brought nothing, and writers of nothing, do not stay."""
    run = session.connection.execute
    if samples:
        run("UPDATE imports SET count = ? WHERE id = ?", (samples, number))
    else:
        run("DELETE FROM imports WHERE id = ?", (number,))
    run(f"DELETE FROM writers WHERE name IS NULL AND {WROTE_NOTHING}")  # noqa: S608 - words of ours
