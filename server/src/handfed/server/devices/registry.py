"""What lets keys in, and how the database and it come to agree.

Rules:
1. The database says what is wanted. A change is written there first, then made in the registry, then confirmed in the
   database. So whatever breaks in between, the wish is on record, and `reconcile` sees to it.
2. One process has the registry. Another (the command line, say) only writes what is wanted.
3. What the registry is asked to do does no harm when it is done already.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from sqlalchemy import select

from handfed.server.database import Database
from handfed.server.devices.models import DeviceKeyRow
from handfed.shared.errors import HandfedError

_log = logging.getLogger(__name__)


class RegistryError(HandfedError):
    """The key registry cannot be reached, or did not do what it was asked."""


class KeyRegistry(Protocol):
    """Which public keys may connect. Every method raises a `RegistryError` where it cannot be reached."""

    def register(self, public_key: str) -> int:
        """Lets a key in.

        Args:
            public_key: P-384, PEM of SubjectPublicKeyInfo.

        Returns:
            The node id, 0 to 2**64 - 1; for a key that is let in already, the id that it has.
        """

    def find(self, public_key: str) -> int | None:
        """The node id of a key that is let in; None for one that is not."""

    def unregister(self, node_id: int) -> None:
        """Lets a key in no more, and breaks off its node; a node that is gone already is no error."""


class Registrar:
    """Makes the registry as the database wants it.

    Args:
        database: Where it is written what is wanted.
        registry: What lets keys in; None in a process that only writes what is wanted.
    """

    def __init__(self, database: Database, registry: KeyRegistry | None) -> None:
        self._database = database
        self._registry = registry
        self._lock = threading.Lock()  # so that an older wish never overtakes a newer one

    def try_to_settle(self, *keys: int) -> None:
        """Makes the registry as is wanted for these keys; what fails is left to `reconcile`."""
        try:
            for key in keys:
                self._settle(key)
        except HandfedError as error:
            _log.warning("the key registry is behind: %s", error)

    def reconcile(self, *, thoroughly: bool = False) -> int:
        """Makes the registry as is wanted.

        Args:
            thoroughly: Also for keys that the registry has confirmed: it may have been restored from an older copy.

        Returns:
            How many keys are left to settle, as the registry cannot be reached.
        """
        if self._registry is None:
            return 0
        query = select(DeviceKeyRow.number).order_by(DeviceKeyRow.number)
        with self._database.read() as session:
            keys = list(session.scalars(query if thoroughly else query.where(DeviceKeyRow.settled.is_(False))))
        for place, key in enumerate(keys):
            try:
                self._settle(key)
            except RegistryError as error:
                _log.warning("the key registry is behind by %d keys: %s", len(keys) - place, error)
                return len(keys) - place
        return 0

    def _settle(self, key: int) -> None:
        if self._registry is None:
            return
        with self._lock:
            while not self._done(self._registry, key):
                pass  # the wish changed meanwhile

    def _done(self, registry: KeyRegistry, key: int) -> bool:
        """Does once what is wanted for a key, and says whether it still is."""
        with self._database.read() as session:
            row = session.get_one(DeviceKeyRow, key)
            wanted, public_key = row.wanted, row.public_key
        node_id = registry.register(public_key) if wanted else registry.find(public_key)
        if not wanted and node_id is not None:
            registry.unregister(node_id)
        with self._database.write() as session:
            row = session.get_one(DeviceKeyRow, key, with_for_update=True)
            if row.wanted != wanted:
                return False
            row.settled = True
            row.node_id = row.node_id if node_id is None else node_id
        return True
