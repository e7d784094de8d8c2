"""Handwriting in the store that nobody labelled: single characters that a run may have the model read and learn from.

Rules:
1. It is kept apart from samples, and nothing but a trainer gets it: it is not judged with, not surveyed, in no replay
   memory, and in no count that leaves the device.
2. It is of the training side alone. What falls on the other (`handfed.clients.device.store.split`) is not kept: without
   a label it cannot judge, and trained on it would spoil its writer for judging.
3. Consent and forgetting hold for it as for samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

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
