"""Opening the release that a device uses, and going back by itself from one that is not well.

A release that has not proved itself is opened and tested, and reads its first picture, under the store's mark: see
`handfed.clients.edge.store`, rule 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from handfed.clients.edge.state import Reason
from handfed.clients.edge.store import LinkError, Store, given_up
from handfed.shared.errors import ManifestError, SelfTestError

if TYPE_CHECKING:
    from handfed.clients.edge.recogniser import Recogniser

_Opened = TypeVar("_Opened", bound="Recogniser")


def open_in_use(store: Store, open_release: Callable[[Path], _Opened]) -> _Opened:
    """Opens the release in use, or the one before it where that is not well.

    Args:
        store: What the device holds.
        open_release: Opens a release directory.

    Raises:
        ManifestError: The device holds none that works.
        StorageError: What it holds cannot be read.
    """
    while True:
        name = store.next_to_use()
        proved = store.state().proved
        try:
            with nullcontext() if proved else store.marked(name):
                recogniser = open_release(store.path(name))
                recogniser.self_test()
        except (ManifestError, LinkError) as error:
            _go_back(store, name, error)
            continue
        if not proved:
            recogniser.first_reading = partial(_first_reading, store, name)
        return recogniser


@contextmanager
def _first_reading(store: Store, name: str) -> Iterator[None]:
    """Within it a release proves itself."""
    with store.marked(name):
        yield
    store.prove(name)


def _go_back(store: Store, name: str, error: Exception) -> None:
    """Goes back from a release that cannot be opened, or fails its test.

    Raises:
        ManifestError: There is none to go back to.
        StorageError: What the device holds cannot be read.
    """
    if store.state().current != name:  # somebody switched meanwhile, and removed it
        return
    reason = Reason.SELF_TEST if isinstance(error, SelfTestError) else Reason.DAMAGED
    try:
        store.decide(lambda state: given_up(state, name, reason))
    except ManifestError:
        raise error from None  # which says more
