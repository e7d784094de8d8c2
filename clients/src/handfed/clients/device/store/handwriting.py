"""What a trainer gets of the store: the handwriting of a run's task, in the run's classes.

Rules:
1. Only samples of the task's kind and height whose label is made of the alphabet's classes.
2. Only those whose writers' consent allows it (`handfed.clients.device.store.writers`); that holds for what is held out
   too.
3. Only what is trained on or judged with (`handfed.clients.device.store.split`, rules 4 and 5), and of training nothing
   that is set aside for a second look.
4. The order is that in which samples came in, so the same store gives the same arrays.

Memory: a byte a pixel; of texts, of the widest, and the same once more while they are put together. 100,000 characters
are 78 MB.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets.texts import characters
from handfed.clients.device.store import unlabelled
from handfed.clients.device.store.session import REQUIRE_CONSENT, Session, setting
from handfed.clients.device.store.split import JUDGED_WITH, TRAINED_ON
from handfed.shared import alphabets, planes
from handfed.shared.alphabet import Alphabet
from handfed.shared.continual.memory import MOST_DRAWN, NEVER, Seen
from handfed.shared.disclosure import UNKNOWN
from handfed.shared.errors import DamagedStoreError, SettingError
from handfed.shared.inputs import parse
from handfed.shared.samples import WIDTH_STEP, Samples
from handfed.shared.tasks import Task

USED: Final = f"(({TRAINED_ON}) OR ({JUDGED_WITH}))"
CONSENTED: Final = "(w.consent = 'given' OR (w.consent = 'unknown' AND NOT :require))"
_OF_TASK: Final = (
    "FROM samples s JOIN writers w ON w.id = s.writer"
    f" WHERE s.kind = :kind AND s.height = :height AND {USED}"
    f" AND {CONSENTED}"
)


@dataclass(frozen=True)
class Usable:
    """Handwriting that may be used, and how much else there is of the same kind.

    Attributes:
        training: What is trained on.
        held_out: What is only evaluated with.
        passed_over: Samples with a class that is not in the alphabet.
        without_consent: Samples whose writers' consent does not allow it.
        held_out_writers: int32 (n,), who wrote each of `held_out`, counted from 0; `UNKNOWN` for who has no name.
        feedback: Numbers of the samples in `training` that are feedback.
        rows: int64 (n,), the store's number of each of `training`.
        seen: What of `training` was trained on before.
        unlabelled: What has no label; None of words and lines, and where there is nothing.
    """

    training: Samples
    held_out: Samples
    passed_over: int
    without_consent: int
    held_out_writers: NDArray[np.int32]
    feedback: tuple[int, ...]
    rows: NDArray[np.int64]
    seen: Seen
    unlabelled: Samples | None = None


def handwriting(session: Session, task: Task, alphabet: Alphabet, inputs: str = "") -> Usable:
    """The handwriting of a task.

    Args:
        session: That reads.
        task: Its kind and height count; its alphabet does not.
        alphabet: The classes that labels count in.
        inputs: What is seen beside the ink, as `handfed.shared.inputs` names it; planes of strokes stay empty.

    Raises:
        DamagedStoreError: A sample is not as it was written.
        SettingError: There are no such inputs, or the task is of texts, of which recognisers see the ink alone.
    """
    kinds = parse(inputs)
    if kinds and task.of_texts:
        raise SettingError("of words and lines a recogniser sees the ink alone; leave inputs out")
    labels: dict[int, list[int]] = {}
    sides: tuple[list[int], list[int]] = ([], [])
    passed_over = 0
    position = {name: index for index, name in enumerate(alphabet.names)}
    writers: dict[int, int] = {}
    held_out_writers: list[int] = []
    feedback: list[int] = []
    for row, side, source, writer, text in _labels(session, task):
        tokens = alphabet.tokenise(text) if task.of_texts else [text]
        if tokens and all(token in position for token in tokens):
            labels[row] = [position[token] for token in tokens]
            sides[side].append(row)
            if not side and source != "import":
                feedback.append(row)
            if side:
                held_out_writers.append(UNKNOWN if writer is None else writers.setdefault(writer, len(writers)))
        else:
            passed_over += 1
    training, held_out = (_with_planes(side, kinds) for side in _samples(session, task, labels, sides))
    training = replace(training, weights=_weights(session, sides[0]))
    without_consent = _of_kind(session, task) - len(labels) - passed_over
    rows = np.array(sides[0], np.int64)
    return Usable(
        training,
        held_out,
        passed_over,
        without_consent,
        np.array(held_out_writers, np.int32),
        tuple(feedback),
        rows,
        _seen(session, rows),
        _unlabelled(session, task, kinds),
    )


def _unlabelled(session: Session, task: Task, kinds: tuple[str, ...]) -> Samples | None:
    if task.of_texts:
        return None
    found = unlabelled.samples(session, task.height, CONSENTED, _parameters(session, task))
    return _with_planes(found, kinds) if len(found) else None


@dataclass(frozen=True)
class ByWriter:
    """Samples of writers with names, the first few of each.

    Attributes:
        samples: In the order in which they came.
        writers: int64 (n,), who wrote each, by numbers that mean nothing elsewhere.
        unseen: bool (n,), whether the writer is one of whom nothing was trained on.
    """

    samples: Samples
    writers: NDArray[np.int64]
    unseen: NDArray[np.bool_]


@dataclass(frozen=True)
class Survey:
    """The handwriting that may be used, as runs had it and as it came later.

    Attributes:
        fresh: How many samples came later, those of writers without names among them.
        known: Of what came before.
        recent: Of what came later.
        feedback: Of the fresh samples, those of which a person said what they are.
        feedback_used: Of such, those that runs could train on.
    """

    fresh: int
    known: ByWriter
    recent: ByWriter
    feedback: int = 0
    feedback_used: int = 0


def survey(session: Session, task: Task, alphabet: Alphabet, *, up_to: int, each: int) -> Survey:
    """The handwriting of a task, by whether runs had it.

    Args:
        session: That reads.
        task: Its kind and height count; its alphabet does not.
        alphabet: The classes that labels count in.
        up_to: Number of the last sample that a finished run could train on.
        each: Samples of a writer that are taken, of either side: the first.

    Raises:
        DamagedStoreError: A sample is not as it was written.
    """
    position = {name: index for index, name in enumerate(alphabet.names)}
    rows: tuple[list[int], list[int]] = ([], [])
    labels: dict[int, list[int]] = {}
    written: dict[int, int] = {}
    taken: Counter[tuple[bool, int]] = Counter()
    trained: set[int] = set()
    counted: Counter[str] = Counter()
    for row, held_out, source, writer, text in _labels(session, task):
        tokens = alphabet.tokenise(text) if task.of_texts else [text]
        if not tokens or not all(token in position for token in tokens):
            continue
        came_later = row > up_to
        is_feedback = source != "import"
        counted["fresh"] += came_later
        counted["feedback"] += came_later and is_feedback
        counted["feedback_used"] += not came_later and not held_out and is_feedback
        if writer is None:
            continue
        if not came_later and not held_out:
            trained.add(writer)
        taken[came_later, writer] += 1
        if taken[came_later, writer] <= each:
            rows[came_later].append(row)
            labels[row], written[row] = [position[token] for token in tokens], writer
    known, recent = (
        ByWriter(
            samples,
            np.array([written[row] for row in side], np.int64),
            np.array([written[row] not in trained for row in side], np.bool_),
        )
        for samples, side in zip(_samples(session, task, labels, rows), rows, strict=True)
    )
    return Survey(counted["fresh"], known, recent, counted["feedback"], counted["feedback_used"])


def remember(session: Session, rows: NDArray[np.int64], start_from: int) -> None:
    """Notes what was trained on; what was noted before stays as it is, and what is gone meanwhile is passed over.

    Args:
        session: That writes.
        rows: The store's numbers of the samples.
        start_from: The run that the run which trained on them had started from; 0 for none.
    """
    session.connection.executemany(
        "INSERT OR IGNORE INTO trained (sample, base, draw) SELECT id, ?, ? FROM samples WHERE id = ?",
        ((start_from, secrets.randbelow(MOST_DRAWN), row) for row in rows.tolist()),
    )


def _seen(session: Session, rows: NDArray[np.int64]) -> Seen:
    """What of these samples was trained on."""
    noted = {row: kept for row, *kept in session.connection.execute("SELECT sample, base, draw FROM trained")}
    base, draw = np.array([noted.get(row, (NEVER, 0)) for row in rows.tolist()], np.int64).reshape(-1, 2).T
    return Seen(base, draw)


def alphabet_of(session: Session, task: Task) -> Alphabet:
    """The task's own alphabet, or else the classes of the handwriting that may be used, in code point order.

    Args:
        session: That reads.
        task: The task.

    Raises:
        DatasetError: There are fewer than two classes.
    """
    named = alphabets.find(task.alphabet)
    if named is not None:
        return named
    texts = {text for *_, text in _labels(session, task)}
    found = [name for text in texts for name in (characters(text) if task.of_texts else [text])]
    return Alphabet.from_labels(found, where="the device's store")


def _parameters(session: Session, task: Task) -> dict[str, str | int]:
    require = setting(session.connection, REQUIRE_CONSENT)
    return {"kind": task.kind, "height": task.height, "require": int(require or 0)}


def _labels(session: Session, task: Task) -> Iterator[tuple[int, int, str, int | None, str]]:
    """The number, side, source, writer (None for one without a name) and label of each sample that may be used."""
    query = (
        "SELECT s.id, s.held_out, s.source, CASE WHEN w.name IS NULL THEN NULL ELSE w.id END, s.label"
        f" {_OF_TASK} ORDER BY s.id"
    )
    for row, held_out, source, writer, label in session.connection.execute(query, _parameters(session, task)):
        yield row, held_out, source, writer, session.unsealed("samples", "label", row, label)


def _of_kind(session: Session, task: Task) -> int:
    query = f"SELECT count(*) FROM samples s WHERE kind = ? AND height = ? AND {USED}"  # noqa: S608 - words of ours
    (count,) = session.connection.execute(query, (task.kind, task.height)).fetchone()
    return int(count)


def _images(session: Session, task: Task, wanted: dict[int, list[int]]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The pixels of each wanted sample, uint8 (height, width)."""
    query = f"SELECT s.id, s.width, s.image {_OF_TASK} ORDER BY s.id"
    for row, width, image in session.connection.execute(query, _parameters(session, task)):
        if row not in wanted:
            continue
        pixels = np.frombuffer(session.secrets.unseal("samples", "image", row, image), np.uint8)
        if pixels.size != task.height * width:
            raise DamagedStoreError(f"the store is damaged: sample {row} is not of its size; put a backup in its place")
        yield row, pixels.reshape(task.height, width)


def _samples(
    session: Session, task: Task, labels: dict[int, list[int]], sides: tuple[list[int], list[int]]
) -> tuple[Samples, Samples]:
    """The samples of each side; `labels` and each side are in the order of the store."""
    if task.of_texts:
        images = dict(_images(session, task, labels))
        training, held_out = (_texts(task, [(images[row], labels[row]) for row in rows]) for rows in sides)
        return training, held_out
    stacks = [np.empty((len(rows), task.height, task.height), np.uint8) for rows in sides]
    place = {row: stack[index] for rows, stack in zip(sides, stacks, strict=True) for index, row in enumerate(rows)}
    for row, pixels in _images(session, task, labels):
        place[row][:] = pixels
    training, held_out = (
        Samples(stack, np.array([labels[row][0] for row in rows], np.int32))
        for rows, stack in zip(sides, stacks, strict=True)
    )
    return training, held_out


def _weights(session: Session, rows: list[int]) -> NDArray[np.float32] | None:
    """What the label of each of some samples counts; None where all count in full."""
    lighter = dict(session.connection.execute("SELECT id, weight FROM samples WHERE weight <> 1").fetchall())
    return np.array([lighter.get(row, 1.0) for row in rows], np.float32) if lighter else None


def _with_planes(samples: Samples, kinds: tuple[str, ...]) -> Samples:
    return replace(samples, planes=planes.seen(samples.images, kinds)[..., 1:]) if kinds else samples


def _texts(task: Task, rows: list[tuple[NDArray[np.uint8], list[int]]]) -> Samples:
    if rows:
        return Samples.of_texts([image for image, _ in rows], [label for _, label in rows])
    nothing = np.zeros((0, task.height, WIDTH_STEP), np.uint8)
    return Samples(nothing, np.zeros((0, 1), np.int32), np.zeros(0, np.int32))
