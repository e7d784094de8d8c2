"""Handwriting in the store that nobody labelled: single characters that a run may have the model read and learn from.

Rules:
1. It is kept apart from samples, and nothing but a trainer gets it: it is not judged with, not surveyed, in no replay
   memory, and in no count that leaves the device.
2. It is of the training side alone. What falls on the other (`handfed.clients.device.store.split`) is not kept: without
   a label it cannot judge, and trained on it would spoil its writer for judging.
3. Consent and forgetting hold for it as for samples.
4. A picture that is a sample, whatever its label, is not here: it would be trained on where it is held out, and stay
   where its writer is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from handfed.clients.device.store.schema import WROTE_NOTHING
from handfed.clients.device.store.session import Session
from handfed.clients.device.store.split import image_is_held_out
from handfed.shared.errors import DamagedStoreError
from handfed.shared.samples import END, Samples

if TYPE_CHECKING:
    from handfed.clients.device.store.importing import Incoming

INSERT: Final = (
    "INSERT INTO unlabelled (id, import, writer, kind, height, width, image, fingerprint)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO NOTHING"
)


def rows(
    session: Session, incoming: Incoming, number: int, sides: dict[int, tuple[int, bool | None]]
) -> Iterator[tuple[object, ...]]:
    """The rows of an import for `INSERT`, sealed; of what is held out, none.

    Args:
        session: That writes.
        incoming: What is imported.
        number: The import's.
        sides: The store's number, and the side, of each writer of the data set who is not refused.
    """
    images, kind = incoming.dataset.images, incoming.task.kind
    whose = [0] * len(images) if incoming.dataset.writers is None else incoming.dataset.writers.tolist()
    row = session.next_id("unlabelled")
    for writer, pixels in zip(whose, images, strict=True):
        if writer not in sides:
            continue
        (entered, side), image = sides[writer], pixels.tobytes()
        if image_is_held_out(session.secrets, image) if side is None else side:
            continue
        height, width = pixels.shape
        sealed = session.secrets.seal("unlabelled", "image", row, image)
        yield row, number, entered, kind, height, width, sealed, session.fingerprint(kind, width, image, b"")
        row += 1


def of_samples(session: Session, kind: str) -> list[bytes]:
    """The fingerprints that the pictures of all samples of a kind would have here; none where nothing of it is here."""
    run = session.connection.execute
    if run("SELECT 1 FROM unlabelled WHERE kind = ? LIMIT 1", (kind,)).fetchone() is None:
        return []
    return [
        session.fingerprint(kind, width, session.secrets.unseal("samples", "image", row, image), b"")
        for row, width, image in run("SELECT id, width, image FROM samples WHERE kind = ?", (kind,))
    ]


def give_way(session: Session, fingerprints: Iterable[bytes]) -> None:
    """Deletes pictures that are samples now, and imports and writers without a name of whom nothing else is there.

    Args:
        session: That writes.
        fingerprints: Over an empty label.
    """
    run = session.connection.execute
    imports: set[int] = set()
    for fingerprint in fingerprints:
        imports |= {
            row for (row,) in run("DELETE FROM unlabelled WHERE fingerprint = ? RETURNING import", (fingerprint,))
        }
    for row in imports:
        run(
            "DELETE FROM imports WHERE id = :row AND id NOT IN (SELECT import FROM samples WHERE import = :row"
            " UNION ALL SELECT import FROM unlabelled WHERE import = :row)",
            {"row": row},
        )
    if imports:
        run(f"DELETE FROM writers WHERE name IS NULL AND {WROTE_NOTHING}")  # noqa: S608 - words of ours


def samples(session: Session, height: int, consented: str, parameters: dict[str, str | int]) -> Samples:
    """What may be used of a height; labels are `END`.

    Args:
        session: That reads.
        height: In pixels; pictures are as wide.
        consented: Whose handwriting `w` may be used, in SQL.
        parameters: Of that; and `kind` and `height`.

    Raises:
        DamagedStoreError: A picture is not as it was written.
    """
    query = (
        "SELECT u.id, u.image FROM unlabelled u JOIN writers w ON w.id = u.writer"  # noqa: S608 - words of ours
        f" WHERE u.kind = :kind AND u.height = :height AND {consented} ORDER BY u.id"
    )
    found = []
    for row, image in session.connection.execute(query, parameters):
        pixels = np.frombuffer(session.secrets.unseal("unlabelled", "image", row, image), np.uint8)
        if pixels.size != height * height:
            raise DamagedStoreError(f"the store is damaged: row {row} is not of its size; put a backup in its place")
        found.append(pixels.reshape(height, height))
    images = np.stack(found) if found else np.zeros((0, height, height), np.uint8)
    return Samples(images, np.full(len(images), END, np.int32))


def forget(session: Session, writer: int) -> tuple[int, list[int]]:
    """Deletes what a writer wrote; how many pictures went, and the imports that they were of."""
    run = session.connection.execute
    concerned = [row for (row,) in run("SELECT DISTINCT import FROM unlabelled WHERE writer = ?", (writer,))]
    return run("DELETE FROM unlabelled WHERE writer = ?", (writer,)).rowcount, concerned
