"""A change of the registry in memory: what is edited, and what follows from it.

Rules:
1. A role's version grows by one for the root, since devices count roots; for others it is the time in seconds since
   1970, or one more than before where that is larger. So a server that was restored from an old backup goes on with
   versions that no device has seen yet.
2. What an edit makes invalid is signed anew in the same change: after a key of a role was replaced, what that role has
   signed; and always the snapshot and the timestamp.
3. While a key is being replaced, old and new one both sign, where both are here. So a device in the midst of a
   refresh can verify what it finds by the old root and by the new one.
4. A root counts when both it and the one before it say so: the thresholds of both are met (TUF 5.3.4).
5. What lacks signatures is never written where devices look; it waits (`repository`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    Targets,
    Timestamp,
)
from tuf.repository import Repository

from handfed.server.registry.keys import Keyring
from handfed.server.registry.lifetimes import Lifetimes
from handfed.shared.errors import StorageError
from handfed.shared.registry import CHANNELS_ROLE, DELEGATED

LASTING: Final = (
    Root.type,
    Targets.type,
    CHANNELS_ROLE,
)  # what can wait; in the order in which one vouches for the next
ONLINE: Final = (Snapshot.type, Timestamp.type)  # what has to be signed with every change
ROLES: Final = (*LASTING, *ONLINE)
_KINDS: Final[Mapping[str, Callable[[], Root | Targets | Snapshot | Timestamp]]] = {
    Root.type: Root,
    Targets.type: Targets,
    CHANNELS_ROLE: Targets,
    Snapshot.type: Snapshot,
    Timestamp.type: Timestamp,
}

AnyMetadata = Metadata[Any]
Kind = TypeVar("Kind", Root, Targets)


class MissingKeyError(StorageError):
    """A key that has to be on the server is not there."""


class Draft(Repository):
    """A change in memory.

    Attributes:
        staged: Metadata that the change replaces, by role.
        current: What is in force, by role.
        pending: What waits for a signature, by role; an edit goes on from it.

    Args:
        current: What is in force; nothing for a new registry.
        pending: What waits.
        keys: What signs.
        lifetimes: How long a signature is valid.
        now: The time, aware, in UTC.
    """

    def __init__(
        self,
        current: Mapping[str, AnyMetadata],
        pending: Mapping[str, AnyMetadata],
        *,
        keys: Keyring,
        lifetimes: Lifetimes,
        now: datetime,
    ) -> None:
        self.current, self.pending = current, pending
        self.staged: dict[str, AnyMetadata] = {}
        self._keys, self._lifetimes, self._now = keys, lifetimes, now

    def open(self, role: str) -> AnyMetadata:
        """A role's metadata as the change has it by now; one that is edited belongs to the change."""
        if role in self.staged:
            return self.staged[role]
        return deepcopy(self.current[role]) if role in self.current else Metadata(_KINDS[role]())

    def close(self, role: str, md: AnyMetadata) -> None:
        """Takes an edited role into the change."""
        if role not in self.staged:
            md.signed.version = self._next_version(role)
        md.signed.expires = self._now + self._lifetimes.of(role)
        md.signatures.clear()
        self.staged[role] = md
        self.sign(role)

    def take_up(self, role: str) -> None:
        """Takes what waits of a role into the change, if anything does."""
        if role in self.pending and role not in self.staged:
            self.staged[role] = deepcopy(self.pending[role])

    @contextmanager
    def root_edited(self) -> Iterator[Root]:
        """The root, to be changed."""
        self.take_up(Root.type)
        with self.edit_root() as root:
            yield root

    @contextmanager
    def targets_edited(self, role: str = Targets.type) -> Iterator[Targets]:
        """Targets, or another role that lists some, to be changed."""
        self.take_up(role)
        with self.edit_targets(role) as targets:
            yield targets

    def renew(self, role: str) -> None:
        """Has a role sign anew what it says."""
        self.take_up(role)
        with self.edit(role):
            pass

    def sign(self, role: str) -> None:
        """Adds the signatures of all keys of a role that are here, by the root in force and by the new one."""
        metadata = self.staged[role]
        for keyid in sorted({*self._keyids(role)} - set(metadata.signatures)):
            if self._keys.has(keyid):
                metadata.sign(self._keys.signer(keyid), append=True)

    def lacks(self, role: str) -> int:
        """How many signatures a role still lacks."""
        metadata = self.open(role)
        signed, payload = metadata.signed, metadata.signed_bytes
        if role == Root.type:
            if role not in self.staged:
                return 0
            previous = self.current[role].signed if role in self.current else None
            found = signed.get_root_verification_result(previous, payload, metadata.signatures)
            return int(max(found.first.missing, found.second.missing))
        return self.delegator(role).get_verification_result(role, payload, metadata.signatures).missing

    def delegator(self, role: str) -> Root | Targets:
        """What says which keys a role has, as the change has it by now."""
        return self.targets() if role == CHANNELS_ROLE else self.root()

    def settle(self) -> tuple[str, ...]:
        """Signs anew whatever the change makes necessary.

        Returns:
            The roles that lack signatures; where there is none, the change is whole.

        Raises:
            MissingKeyError: A key that signs with every change is not here.
        """
        for role in LASTING:
            if self.lacks(role):
                self.take_up(role)
            if role in self.staged:
                self.sign(role)
            elif self.lacks(role):
                self.renew(role)
        lacking = tuple(role for role in LASTING if self.lacks(role))
        if not lacking:
            self.do_snapshot()
            self.do_timestamp()
            for role in ONLINE:
                if self.lacks(role):
                    raise MissingKeyError(
                        f"the registry's {role} key is not on this server, and nothing can be published without it:"
                        " bring it back from a backup, or replace it with handfed keys revoke"
                    )
        return lacking

    @property
    def targets_infos(self) -> dict[str, MetaFile]:
        """What the snapshot will say of the roles that list targets."""
        return {f"{role}.json": self._info(role) for role in (Targets.type, CHANNELS_ROLE)}

    @property
    def snapshot_info(self) -> MetaFile:
        """What the timestamp will say of the snapshot."""
        return self._info(Snapshot.type)

    def _info(self, role: str) -> MetaFile:
        metadata = self.open(role)
        return MetaFile.from_data(metadata.signed.version, metadata.to_bytes(), ["sha256"])

    def _next_version(self, role: str) -> int:
        before = self.current[role].signed.version if role in self.current else 0
        return before + 1 if role == Root.type else max(before + 1, int(self._now.timestamp()))

    def _keyids(self, role: str) -> Iterator[str]:
        over = Targets.type if role == CHANNELS_ROLE else Root.type
        for metadata in (self.current.get(over), self.staged.get(over)):
            if metadata is not None:
                yield from keyids_of(metadata.signed, role)


def keyids_of(delegator: Root | Targets, role: str) -> tuple[str, ...]:
    """The ids of the keys of a role; none where it is not delegated."""
    try:
        return tuple(delegator.get_delegated_role(role).keyids)
    except ValueError:
        return ()


def first(keys: Mapping[str, Key], *, keyring: Keyring, lifetimes: Lifetimes, now: datetime) -> Draft:
    """A new registry that holds nothing yet.

    Args:
        keys: Of each role.
        keyring: Where their private halves are.
        lifetimes: How long a signature is valid.
        now: The time, aware, in UTC.
    """
    draft = Draft({}, {}, keys=keyring, lifetimes=lifetimes, now=now)
    draft.staged[Root.type] = Metadata(Root())  # so that `settle` looks at it
    with draft.edit_root() as root:
        for role in set(ROLES) - {CHANNELS_ROLE}:
            root.add_key(keys[role], role)
    key = keys[CHANNELS_ROLE]
    channels = DelegatedRole(CHANNELS_ROLE, [key.keyid], 1, terminating=True, paths=list(DELEGATED))
    with draft.edit_targets() as targets:
        targets.delegations = Delegations({key.keyid: key}, {CHANNELS_ROLE: channels})
    with draft.edit_targets(CHANNELS_ROLE):
        pass
    draft.settle()
    return draft


def delegated(targets: Targets) -> Role:
    """Who signs channels and pins."""
    delegations = cast("Delegations", targets.delegations)
    return cast("Mapping[str, Role]", delegations.roles)[CHANNELS_ROLE]
