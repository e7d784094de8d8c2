"""Changes of the registry: which take force, and which wait for a signature from elsewhere.

Rules:
1. A change that is whole takes force in one step (`files`). One that lacks a signature of the root, of targets or of
   channels, because a key is kept elsewhere or because it takes several people, waits in `pending/`, and devices see
   nothing of it.
2. What waits is the next version of its role, and there is one of each. A later change of the role goes on from it, and
   so needs to be signed anew.
3. A signature that comes back counts for what waits, byte for byte, and for nothing else.
4. As soon as what waits is whole, alone or with what else waits, it takes force.
5. A private key that no role has any more goes when the change takes force.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import Final

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from handfed.server.clock import Clock, now
from handfed.server.registry import draft as drafts
from handfed.server.registry import keys as role_keys
from handfed.server.registry.draft import LASTING, ROLES, AnyMetadata, Draft, keyids_of
from handfed.server.registry.files import (
    KEYS,
    PENDING,
    TIMESTAMP_FILE,
    RegistryFiles,
    metadata_file,
    newest_root,
    target_file,
)
from handfed.server.registry.keys import Keyring
from handfed.server.registry.lifetimes import DEFAULT, Lifetimes
from handfed.shared.errors import SettingError, StorageError
from handfed.shared.files import make_private, remove_unfinished, sync_directory, write_atomically
from handfed.shared.registry import CHANNELS_ROLE

_WRITTEN: Final = (CHANNELS_ROLE, Targets.type, Snapshot.type, Timestamp.type, Root.type)  # in this order


class MissingRegistryError(StorageError):
    """There is no registry."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"there is no registry in {directory}: handfed serve makes one, --data-dir names another")


class RegistryRepository:
    """The repository of a federation.

    Every method raises a `StorageError` where a file cannot be read, cannot be written or is damaged.

    Args:
        directory: `registry/` of the data directory.
        lifetimes: How long a signature is valid.
        clock: Tells the time.
    """

    def __init__(self, directory: Path, lifetimes: Lifetimes = DEFAULT, clock: Clock = now) -> None:
        self.files = RegistryFiles(directory)
        self.keys = Keyring(directory / KEYS)
        self.lifetimes = lifetimes
        self._clock = clock

    def ensure(self) -> None:
        """Makes a registry where there is none: whole, or not at all.

        Raises:
            StorageError: It cannot be made, or a part of one is there.
        """
        directory = self.files.directory
        remove_unfinished(directory.parent, f".{directory.name}.*")
        if self.files.exists():
            return
        if directory.exists():
            raise StorageError(
                f"{directory} holds a part of a registry; it is not made anew, as every device trusts the old one:"
                " restore it from a backup"
            )
        make_private(directory.parent)
        building = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))  # mode 0700
        try:
            self._make(building)
            building.rename(directory)
            sync_directory(directory.parent)
        except OSError as error:
            if not self.files.exists():  # another process was faster
                raise StorageError(f"cannot make {directory}: {error.strerror}; free space") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def current(self) -> dict[str, AnyMetadata]:
        """What is in force, by role.

        Raises:
            MissingRegistryError: There is no registry.
        """
        timestamp = self._read(TIMESTAMP_FILE)
        root = newest_root(self.files.directory)
        if timestamp is None or root is None:
            raise MissingRegistryError(self.files.directory)
        snapshot = self._expected("snapshot", timestamp.signed.snapshot_meta.version)
        versions = {role: snapshot.signed.meta[f"{role}.json"].version for role in (Targets.type, CHANNELS_ROLE)}
        return {
            Root.type: _parsed(root, "the newest root"),
            Timestamp.type: timestamp,
            Snapshot.type: snapshot,
            **{role: self._expected(role, version) for role, version in versions.items()},
        }

    def pending(self, current: Mapping[str, AnyMetadata]) -> dict[str, AnyMetadata]:
        """What waits for a signature, by role; what was overtaken by what is in force does not count."""
        found = {role: self._read(f"{PENDING}/{role}.json") for role in LASTING}
        return {
            role: metadata
            for role, metadata in found.items()
            if metadata is not None and metadata.signed.version > current[role].signed.version
        }

    @contextmanager
    def drafting(self) -> Iterator[Draft]:
        """A change, which takes force or waits when the block ends, unless that raises or edits nothing.

        Raises:
            MissingRegistryError: There is no registry.
            MissingKeyError: A key that signs with every change is not here.
            SettingError: Another process keeps changing the registry.
        """
        if not self.files.exists():
            raise MissingRegistryError(self.files.directory)
        with self.files.changing():
            draft = self._draft()
            yield draft
            if draft.staged and self._write(draft):
                self._settle_pending()

    def accept(self, content: bytes) -> str:
        """Takes signatures from a file that was carried away and signed.

        Returns:
            Its role.

        Raises:
            SettingError: It is not what waits, or holds no new signature of a key of its role.
        """
        with self.files.changing():
            draft, signed = self._draft(), _parsed(content, "the file", of_ours=False)
            payload = signed.signed_bytes
            role = next((role for role, waits in draft.pending.items() if waits.signed_bytes == payload), None)
            if role is None:
                raise SettingError(
                    "this is not what waits for a signature: it was changed since it was carried away, or is in force"
                    " already; handfed keys list shows what waits"
                )
            draft.take_up(role)
            fresh = _valid(draft, role, signed)
            known = set(draft.staged[role].signatures)
            draft.staged[role].signatures.update(fresh)
            self.files.commit({f"{PENDING}/{role}.json": draft.staged[role].to_bytes()})
            self._settle_pending()  # also of a file that was signed where it waits
            if not fresh.keys() - known and role in self._draft().pending:
                raise SettingError(
                    "the file holds no signature by a key of its role that is not here already: handfed keys list shows"
                    " whose it waits for, and handfed keys sign signs it"
                )
        return role

    def settle_pending(self) -> None:
        """Signs what waits with the keys that are here, and has it take force where that is enough."""
        with self.files.changing():
            self._settle_pending()

    def cancel(self) -> tuple[str, ...]:
        """Drops all that waits; the roles of it."""
        with self.files.changing():
            current = self.current()
            pending = self.pending(current)
            useless = _named(pending.values()) - _named(current.values())
            gone = [f"{PENDING}/{role}.json" for role in LASTING]
            self.files.commit({}, [*gone, *(f"{KEYS}/{keyid}.pem" for keyid in useless)])
        return tuple(pending)

    def _make(self, directory: Path) -> None:
        keyring, moment = Keyring(directory / KEYS), self._clock().astimezone(UTC)
        keys = {role: keyring.add(role_keys.make()) for role in ROLES}
        draft = drafts.first(keys, keyring=keyring, lifetimes=self.lifetimes, now=moment)
        for name, content in _files_of(draft).items():
            make_private((directory / name).parent)
            write_atomically(directory / name, content)
        sync_directory(directory)

    def _draft(self) -> Draft:
        current = self.current()
        moment = self._clock().astimezone(UTC)
        return Draft(current, self.pending(current), keys=self.keys, lifetimes=self.lifetimes, now=moment)

    def _write(self, draft: Draft) -> bool:
        """Has a change take force, or wait; whether it did the former while others wait, which may not fit it."""
        if draft.settle():
            lasting = {role: metadata for role, metadata in draft.staged.items() if role in LASTING}
            written = {f"{PENDING}/{role}.json": metadata.to_bytes() for role, metadata in lasting.items()}
            removed = set[str]()
            current, pending = draft.current, {**draft.pending, **lasting}
        else:
            self.files.touch(names_in_force(draft.current))  # what is replaced stays for a while from now on
            written, removed = _files_of(draft), {f"{PENDING}/{role}.json" for role in draft.staged if role in LASTING}
            current = {**draft.current, **draft.staged}
            pending = {role: metadata for role, metadata in draft.pending.items() if role not in draft.staged}
        named = _named([*draft.current.values(), *draft.pending.values()])
        useless = named - _named([*current.values(), *pending.values()])
        self.files.commit(written, removed | {f"{KEYS}/{keyid}.pem" for keyid in useless})
        return bool(removed and pending)

    def _settle_pending(self) -> None:
        """Has take force what is whole by now, and notes what follows of the rest."""
        while any(self._try(role) for role in self._draft().pending):
            pass
        draft = self._draft()
        for role in draft.pending:
            draft.take_up(role)
        if draft.staged:
            self._write(draft)  # still waiting: with the signatures of keys that came back, and what follows from it

    def _try(self, role: str) -> bool:
        """Whether what waits of a role is whole, alone or with what waits beside it; then it takes force."""
        draft = self._draft()
        draft.take_up(role)
        if draft.settle():
            return False
        self._write(draft)
        return True

    def _expected(self, role: str, version: int) -> AnyMetadata:
        found = self._read(metadata_file(role, version))
        if found is None:
            raise StorageError(
                f"{self.files.directory} lacks version {version} of {role}: restore the registry from a backup"
            )
        return found

    def _read(self, name: str) -> AnyMetadata | None:
        content = self.files.read(name)
        return None if content is None else _parsed(content, str(self.files.directory / name))


def names_in_force(metadata: Mapping[str, AnyMetadata]) -> set[str]:
    """The files of metadata, and of the channels and pins that it names."""
    named = metadata[CHANNELS_ROLE].signed.targets.values() if CHANNELS_ROLE in metadata else ()
    return {
        *(metadata_file(role, each.signed.version) for role, each in metadata.items()),
        *(target_file(file.path, file.hashes["sha256"]) for file in named),
    }


def _files_of(draft: Draft) -> dict[str, bytes]:
    staged = [(role, draft.staged[role]) for role in _WRITTEN if role in draft.staged]
    return {metadata_file(role, metadata.signed.version): metadata.to_bytes() for role, metadata in staged}


def _named(metadata: Iterable[AnyMetadata]) -> set[str]:
    """The ids of keys that metadata gives a role."""
    delegators = [each.signed for each in metadata if isinstance(each.signed, (Root, Targets))]
    return {keyid for delegator in delegators for role in ROLES for keyid in keyids_of(delegator, role)}


def _valid(draft: Draft, role: str, signed: AnyMetadata) -> dict[str, Signature]:
    """The signatures of keys that a role has, by what is in force or by what waits."""
    over = Targets.type if role == CHANNELS_ROLE else Root.type
    found = {}
    for delegator in (each[over].signed for each in (draft.current, draft.pending) if over in each):
        for keyid in set(keyids_of(delegator, role)) & set(signed.signatures):
            with suppress(UnverifiedSignatureError, VerificationError, ValueError):
                delegator.get_key(keyid).verify_signature(signed.signatures[keyid], signed.signed_bytes)
                found[keyid] = signed.signatures[keyid]
    return found


def _parsed(content: bytes, what: str, *, of_ours: bool = True) -> AnyMetadata:
    try:
        return Metadata.from_bytes(content)
    except RepositoryError as error:
        if not of_ours:
            raise SettingError(f"{what} is no metadata of a registry") from error
        raise StorageError(f"{what} is damaged: restore the registry from a backup") from error
