"""Which labels of the store are set aside for a second look, and what the others weigh in training.

Rules:
1. Only what is trained on is assessed. What releases are judged with stays as it is: set aside by a model, it would be
   easier than what people write.
2. Labels that a person has looked at once more are evidence, and are not assessed again.
3. An assessment is of everything at once, and takes back what an earlier one found, where more is known now.
4. Feedback is set aside sooner than imports (`DOUBTED`): people correct what is hard to read, and in passing.
5. Words and lines are not assessed: no cheap model reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.device.labels.judging import NOTHING, Judgement, Labelled, judge
from handfed.clients.device.store import session as settings
from handfed.clients.device.store.handwriting import CONSENTED
from handfed.clients.device.store.session import Session, set_setting, setting
from handfed.clients.device.store.store import Store
from handfed.shared.geometry import SIDE

DOUBTED: Final = {True: 0.85, False: 0.65}  # below which probability of being right, of feedback and of imports
CONTRADICTED: Final = "contradicted"
SAME_KEY: Final = "same key"
UNLIKELY: Final = "unlikely"
MOST: Final = 20_000  # samples that are looked at, 200 MB; feedback and the newest first
_LEAST_CHANGE: Final = 0.05  # of a weight, that is worth to be written

_QUERY: Final = (
    "SELECT s.id, s.writer, s.source <> 'import', s.label, s.image, s.reviewed, s.doubt, s.weight, max(f.id), f.reading"  # noqa: S608 - words of ours
    " FROM samples s JOIN writers w ON w.id = s.writer"
    " LEFT JOIN feedback f ON f.sample = s.id AND f.kind = 'correction'"
    f" WHERE s.kind = 'characters' AND s.height = {SIDE} AND s.width = {SIDE} AND NOT s.held_out AND {CONSENTED}"
    " GROUP BY s.id ORDER BY s.source = 'import', s.id DESC LIMIT :most"
)


@dataclass(frozen=True)
class Assessment:
    """What came of it.

    Attributes:
        samples: How many labels were looked at.
        doubted: How many are set aside now.
        changed: How many were set aside, taken back or weighed anew.
    """

    samples: int
    doubted: int
    changed: int


@dataclass(frozen=True)
class _Known:
    rows: list[int]
    labelled: Labelled
    names: list[str]
    reviewed: NDArray[np.bool_]
    before: list[tuple[str | None, float]]


def assess(store: Store) -> Assessment:
    """Assesses the labels of a store, and writes what came of it.

    Args:
        store: Where.

    Raises:
        LockedStoreError: The passphrase or key is wrong.
        StorageError: The store cannot be used.
    """
    with store.session(writes=False) as session:
        known = _known(session)
    found = _found(known, judge(known.labelled))
    before = {row: each for row, each, seen in zip(known.rows, known.before, known.reviewed, strict=True) if not seen}
    changed = [(row, *now) for row, now in found.items() if _differ(before[row], now)]
    with store.plain(writes=True) as connection:
        connection.executemany(
            "UPDATE samples SET doubt = ?, weight = ? WHERE id = ? AND NOT reviewed",
            ((doubt, weight, row) for row, doubt, weight in changed),
        )
        # The transaction counts up when it ends.
        set_setting(connection, settings.ASSESSED, int(setting(connection, settings.REVISION) or 0) + 1)
    doubted = sum(doubt is not None for doubt, _ in found.values())
    return Assessment(len(known.rows), doubted, len(changed))


def is_due(store: Store) -> bool:
    """Whether there is feedback, and something has changed since the last assessment."""
    with store.plain() as connection:
        feedback = connection.execute("SELECT 1 FROM feedback LIMIT 1").fetchone()
        assessed = setting(connection, settings.ASSESSED)
    return feedback is not None and assessed != store.revision()


def _known(session: Session) -> _Known:
    require = int(setting(session.connection, settings.REQUIRE_CONSENT) or 0)
    rows: list[int] = []
    texts: list[tuple[str, str | None]] = []
    images, writers, feedback, reviewed, before = [], [], [], [], []
    cursor = session.connection.execute(_QUERY, {"require": require, "most": MOST})
    for row, writer, is_feedback, label, image, seen, doubt, weight, of_feedback, reading in cursor:
        rows.append(row)
        read = None if reading is None else session.unsealed("feedback", "reading", of_feedback, reading)
        texts.append((session.unsealed("samples", "label", row, label), read))
        images.append(np.frombuffer(session.secrets.unseal("samples", "image", row, image), np.uint8))
        writers.append(writer)
        feedback.append(bool(is_feedback))
        reviewed.append(bool(seen))
        before.append((doubt, float(weight)))
    names = sorted({text for text, _ in texts})
    place = {name: index for index, name in enumerate(names)}
    rejected = [NOTHING if read is None or read == text else place.get(read, NOTHING) for text, read in texts]
    labelled = Labelled(
        np.stack(images).reshape(-1, SIDE, SIDE) if images else np.zeros((0, SIDE, SIDE), np.uint8),
        np.array([place[text] for text, _ in texts], np.int64),
        np.array(writers, np.int64),
        np.array(feedback, np.bool_),
        np.array(rejected, np.int64),
    )
    return _Known(rows, labelled, names, np.array(reviewed, np.bool_), before)


def _found(known: _Known, judged: Judgement) -> dict[int, tuple[str | None, float]]:
    """Doubt and weight of each label that nobody has looked at, by number."""
    found: dict[int, tuple[str | None, float]] = {}
    for index in np.flatnonzero(~known.reviewed):
        right = float(judged.right[index])
        least = DOUBTED[bool(known.labelled.is_feedback[index])]
        doubt = None
        if judged.contradicted[index]:
            doubt = CONTRADICTED
        elif right < least:
            doubt = SAME_KEY if judged.pressed[index] else UNLIKELY
        found[known.rows[index]] = doubt, 1.0 if doubt else round(right, 2)
    return found


def _differ(before: tuple[str | None, float], now: tuple[str | None, float]) -> bool:
    return before[0] != now[0] or abs(before[1] - now[1]) >= _LEAST_CHANGE
