"""What a trainer gets of the store: the handwriting of a run's task, in the run's classes.

Rules:
1. Only samples of the task's kind and height whose label is made of the alphabet's classes.
2. Only those whose writers' consent allows it (`handfed.clients.device.store.writers`); that holds for what is held out
   too.
3. The order is that in which samples came in, so the same store gives the same arrays.

Memory: a byte a pixel; of texts, of the widest, and the same once more while they are put together. 100,000 characters
are 78 MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets.texts import characters
from handfed.clients.device.store.session import REQUIRE_CONSENT, Session, setting
from handfed.shared import alphabets, planes
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import DamagedStoreError, SettingError
from handfed.shared.inputs import parse
from handfed.shared.samples import WIDTH_STEP, Samples
from handfed.shared.tasks import Task

_OF_TASK: Final = (
    "FROM samples s JOIN writers w ON w.id = s.writer"
    " WHERE s.kind = :kind AND s.height = :height"
    " AND (w.consent = 'given' OR (w.consent = 'unknown' AND NOT :require))"
)


@dataclass(frozen=True)
class Usable:
    """Handwriting that may be used, and how much else there is of the same kind.

    Attributes:
        training: What is trained on.
        held_out: What is only evaluated with.
        passed_over: Samples with a class that is not in the alphabet.
        without_consent: Samples whose writers' consent does not allow it.
    """

    training: Samples
    held_out: Samples
    passed_over: int
    without_consent: int


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
    for row, side, text in _labels(session, task):
        tokens = alphabet.tokenise(text) if task.of_texts else [text]
        if tokens and all(token in position for token in tokens):
            labels[row] = [position[token] for token in tokens]
            sides[side].append(row)
        else:
            passed_over += 1
    training, held_out = (_with_planes(side, kinds) for side in _samples(session, task, labels, sides))
    return Usable(training, held_out, passed_over, _of_kind(session, task) - len(labels) - passed_over)


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
    texts = {text for _, _, text in _labels(session, task)}
    found = [name for text in texts for name in (characters(text) if task.of_texts else [text])]
    return Alphabet.from_labels(found, where="the device's store")


def _parameters(session: Session, task: Task) -> dict[str, str | int]:
    require = setting(session.connection, REQUIRE_CONSENT)
    return {"kind": task.kind, "height": task.height, "require": int(require or 0)}


def _labels(session: Session, task: Task) -> Iterator[tuple[int, int, str]]:
    """The number, side and label of each sample that may be used."""
    query = f"SELECT s.id, s.held_out, s.label {_OF_TASK} ORDER BY s.id"
    for row, held_out, label in session.connection.execute(query, _parameters(session, task)):
        yield row, held_out, session.unsealed("samples", "label", row, label)


def _of_kind(session: Session, task: Task) -> int:
    query = "SELECT count(*) FROM samples WHERE kind = ? AND height = ?"
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


def _with_planes(samples: Samples, kinds: tuple[str, ...]) -> Samples:
    return replace(samples, planes=planes.seen(samples.images, kinds)[..., 1:]) if kinds else samples


def _texts(task: Task, rows: list[tuple[NDArray[np.uint8], list[int]]]) -> Samples:
    if rows:
        return Samples.of_texts([image for image, _ in rows], [label for _, label in rows])
    nothing = np.zeros((0, task.height, WIDTH_STEP), np.uint8)
    return Samples(nothing, np.zeros((0, 1), np.int32), np.zeros(0, np.int32))
