"""What a real device answers with: the one `ClientApp`, over the handwriting of the device's private store.

The store is looked at for each message, and read again when it has changed: who is forgotten, and what is imported,
counts from the next message on.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flwr.app import Context
from flwr.clientapp import ClientApp

from handfed.clients.device.folder import store_in
from handfed.clients.device.store.store import Store
from handfed.clients.trainer.app import Handwriting, create_app
from handfed.clients.trainer.discretion import DeviceError
from handfed.shared.errors import DamagedStoreError, LockedStoreError, StorageError
from handfed.shared.subject import Subject
from handfed.shared.tasks import KINDS, TASKS, Task
from handfed.shared.tf.runtime import configure


def create(folder: Path, threads: int) -> ClientApp:
    """Builds a device's app.

    Args:
        folder: The device's folder.
        threads: Threads of one operation; 0 lets TensorFlow use every core.
    """
    configure(threads)
    return create_app(StoredHandwriting(store_in(folder)).of)


class StoredHandwriting:
    """The handwriting in a store, of one subject at a time.

    Args:
        store: The store's folder.
    """

    def __init__(self, store: Path) -> None:
        self._folder = store
        self._store: Store | None = None
        self._kept: tuple[tuple[int, Subject], Handwriting] | None = None

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

    def close(self) -> None:
        """Closes the store."""
        if self._store is not None:
            self._store.close()

    def _read(self, subject: Subject) -> Handwriting:
        self._store = self._store or Store.open(self._folder, make=False)
        key = self._store.revision(), subject
        if self._kept is None or self._kept[0] != key:
            self._kept = None  # not twice in memory
            task = _task_of(subject)
            found = self._store.handwriting(task, subject.alphabet, ",".join(subject.inputs))
            self._kept = key, Handwriting(subject.alphabet, found.training, found.held_out)
        return self._kept[1]


def _task_of(subject: Subject) -> Task:
    """The kind and height of a run, as a task; the kind comes from a server, and must not name a file here."""
    if subject.kind not in KINDS:
        raise DeviceError("the run is of a kind that this device does not know; update it")
    return replace(TASKS[subject.kind], height=subject.height)
