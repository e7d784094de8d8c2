"""What a real device answers with: the one `ClientApp`, over the handwriting of the device's private store.

The store is looked at for each message, and read again when it has changed: who is forgotten, and what is imported,
counts from the next message on. Feedback that is kept to learn from and then erased goes when it was trained with. The
store is also told what was trained on, since runs that go on from an earlier one may have a device rehearse only a part
of that (`handfed.shared.continual.memory`).
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable
from numpy.typing import NDArray

from handfed.clients.device.folder import store_in
from handfed.clients.device.store.retention import learned
from handfed.clients.device.store.store import Store
from handfed.clients.trainer.app import Handwriting, create_app
from handfed.clients.trainer.discretion import DeviceError
from handfed.shared import wire
from handfed.shared.continual.memory import NEVER
from handfed.shared.errors import DamagedStoreError, LockedStoreError, StorageError
from handfed.shared.subject import Subject
from handfed.shared.tasks import KINDS, TASKS, Task
from handfed.shared.tf.runtime import configure

_log = logging.getLogger(__name__)


def create(folder: Path, threads: int) -> ClientApp:
    """Builds a device's app.

    Args:
        folder: The device's folder.
        threads: Threads of one operation; 0 lets TensorFlow use every core.
    """
    configure(threads)
    stored = StoredHandwriting(store_in(folder))
    return create_app(stored.of, mods=[stored.noting])


class StoredHandwriting:
    """The handwriting in a store, of one subject at a time.

    Args:
        store: The store's folder.
    """

    def __init__(self, store: Path) -> None:
        self._folder = store
        self._store: Store | None = None
        self._kept: tuple[tuple[int, Subject], Handwriting] | None = None
        self._newest = 0  # sample that was there when `_kept` was read

    def of(self, _: Context, subject: Subject) -> Handwriting:
        """What is trained on and what is held out, as the store is now.

        Args:
            subject: What the run is of.

        Raises:
            DeviceError: There is no store, or it cannot be read.
        """
        try:
            return self._read(subject)
        except LockedStoreError:
            raise DeviceError("the device's handwriting is locked, and its passphrase is not at hand") from None
        except DamagedStoreError:
            raise DeviceError("the device's handwriting is damaged") from None
        except StorageError:
            raise DeviceError("the device has no handwriting yet, or cannot read it") from None

    def noting(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        """A Flower mod: after a round of a run on record, notes up to which sample it trained."""
        reply = call_next(message, context)
        config = message.content.config_records.get(wire.CONFIG)
        run = None if config is None else config.get(wire.RUN)
        if message.metadata.message_type == wire.TRAIN and isinstance(run, int) and run > 0 and self._store is not None:
            with suppress(StorageError):  # as of a full disk; then what was trained on counts as new once more
                self._store.note_trained(run, self._newest)
        return reply

    def close(self) -> None:
        """Closes the store."""
        if self._store is not None:
            self._store.close()

    @property
    def _opened(self) -> Store:
        self._store = self._store or Store.open(self._folder, make=False)
        return self._store

    def _read(self, subject: Subject) -> Handwriting:
        store = self._opened
        key = store.revision(), subject
        if self._kept is None or self._kept[0] != key:
            self._kept = None  # not twice in memory
            self._newest = store.newest_sample()
            task = _task_of(subject)
            found = store.handwriting(task, subject.alphabet, ",".join(subject.inputs))
            self._kept = (
                key,
                Handwriting(
                    subject.alphabet,
                    found.training,
                    found.held_out,
                    found.held_out_writers,
                    found.seen,
                    found.unlabelled,
                    partial(self._trained, found.rows[found.seen.base == NEVER], found.feedback),
                ),
            )
        return self._kept[1]

    def _trained(self, new: NDArray[np.int64], feedback: tuple[int, ...], start_from: int) -> None:
        """Has the store note what was trained on for the first time, and erase feedback that was kept for that.

        A full disk does not undo the training: the update is worth more than the note, and a round is to come.

        Args:
            new: Numbers of the samples that no run trained on before.
            feedback: Numbers of those that are feedback, old and new.
            start_from: The run that this one had started from.
        """
        try:
            if len(new):
                self._opened.remember(new, start_from)
            learned(self._opened, feedback)
        except StorageError:
            _log.warning("what was trained on cannot be noted or erased now; it is tried again after the next round")


def _task_of(subject: Subject) -> Task:
    """The kind and height of a run, as a task; the kind comes from a server, and must not name a file here."""
    if subject.kind not in KINDS:
        raise DeviceError("the run is of a kind that this device does not know; update it")
    return replace(TASKS[subject.kind], height=subject.height)
