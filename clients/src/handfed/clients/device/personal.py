"""Learns this device's personal layer (`handfed.shared.personal`) from its store, where that is wanted.

Rules:
1. It is learnt anew where the release in use, or the handwriting, is another than it was learnt of.
2. It goes at once where it is no longer wanted, or a writer is forgotten; what is learnt after that knows only what is
   left.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from handfed.clients.device.store.session import PERSONAL, set_setting, setting
from handfed.clients.device.store.store import Store as Handwriting
from handfed.clients.edge import personal
from handfed.clients.edge.personal import Learnt
from handfed.clients.edge.recogniser import Recogniser
from handfed.clients.edge.store import Store
from handfed.shared.personal import personal_layer

_MOST: Final = 5_000  # samples that it is learnt from, the newest


def is_wanted(handwriting: Handwriting) -> bool:
    """Whether a layer is to be learnt here."""
    with handwriting.plain() as connection:
        return bool(setting(connection, PERSONAL))


def want(handwriting: Handwriting, folder: Path, *, wanted: bool) -> None:
    """Sets whether a layer is to be learnt, and removes the one that is there where not.

    Args:
        handwriting: The device's store.
        folder: The device's folder.
        wanted: Whether.

    Raises:
        StorageError: The store cannot be written.
    """
    with handwriting.session(writes=True) as session:
        set_setting(session.connection, PERSONAL, int(wanted))
    if not wanted:
        personal.discard(folder)


def learn(handwriting: Handwriting, folder: Path) -> Learnt | None:
    """Learns the layer anew where something has changed.

    Args:
        handwriting: The device's store.
        folder: The device's folder.

    Returns:
        What was learnt; None where nothing has changed, none is wanted, or there is no release of characters in use.

    Raises:
        HandfedError: The store or the release cannot be used.
    """
    store = Store(folder)
    name = store.state().current
    if name is None or not is_wanted(handwriting):
        return None
    before, revision = personal.read(folder), handwriting.revision()
    if before is not None and (before.release, before.revision) == (name, revision):
        return None
    recogniser = Recogniser.open(store.path(name))
    if recogniser.task.of_texts:
        return None
    found = handwriting.handwriting(recogniser.task, recogniser.alphabet)
    newest = found.training.take(np.arange(len(found.training))[-_MOST:])
    (logits, labels), others = ((recogniser.logits(side), side.labels) for side in (newest, found.held_out))
    learnt = Learnt(name, revision, personal_layer(logits, labels, *others))
    personal.write(folder, learnt)
    return learnt
