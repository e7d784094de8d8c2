"""Who signs what: rotation and revocation of keys, thresholds, and keys that are kept elsewhere.

Rules:
1. A key has one role. A role that signs with every change, or has to be renewed every few days, keeps its keys here.
2. Who has which key is said by the root; of the role `channels`, by the role `targets`. So a change of keys waits where
   the key of that is kept elsewhere.
3. A key is taken away from here only when its copy was written elsewhere and read back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from securesystemslib.signer import Key
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets

from handfed.server.registry import keys as role_keys
from handfed.server.registry.draft import ONLINE, ROLES, AnyMetadata, delegated, keyids_of
from handfed.server.registry.repository import RegistryRepository
from handfed.shared.errors import ConflictError, SettingError, StorageError
from handfed.shared.files import write_atomically
from handfed.shared.registry import CHANNELS_ROLE


class KeyCustody:
    """The keys of a registry's roles.

    Every method raises a `StorageError` where a file cannot be read or written, and a `SettingError` where another
    process keeps changing the registry.

    Args:
        repository: The registry.
    """

    def __init__(self, repository: RegistryRepository) -> None:
        self._repository = repository

    def role_of(self, said: str) -> tuple[str, str]:
        """The role and the id of the key that a person means.

        Raises:
            SettingError: There is no such key, or several.
        """
        by_key = {keyid: role for metadata in self._known() for role in ROLES for keyid in _keys(metadata, role)}
        keyid = role_keys.chosen(said, tuple(by_key))
        return by_key[keyid], keyid

    def rotate(self, role: str, *, old: str | None = None, new: Key | None = None) -> Key:
        """Puts a new key in the place of an old one.

        Args:
            role: Whose key.
            old: Which of them; None where there is one.
            new: What takes its place; None for one that is made here.

        Returns:
            The new key.

        Raises:
            SettingError: The role has several keys, or not this one.
            ConflictError: The new key is in use.
        """
        has = _keys(self._known()[-1], role)
        if old is None and len(has) != 1:
            raise SettingError(f"{role} has {len(has)} keys: say which one, as handfed keys list names them")
        leaves = has[0] if old is None else role_keys.chosen(old, has)
        return self._change(role, (leaves,), [new])[0]

    def revoke(self, said: str, *, new: Key | None = None) -> tuple[str, Key | None]:
        """Takes a key its role away: it was lost, or somebody else has it.

        Args:
            said: Its id, or the beginning of that.
            new: What takes its place; None for one that is made here, where the role would have too few.

        Returns:
            The role, and the key that took the old one's place.

        Raises:
            SettingError: There is no such key.
            ConflictError: The new key is in use.
        """
        role, keyid = self.role_of(said)
        ahead = self._known()[-1]
        too_few = len(_keys(ahead, role)) - 1 < _over(ahead, role).get_delegated_role(role).threshold
        added = self._change(role, (keyid,), [new] if too_few or new is not None else [])
        return role, next(iter(added), None)

    def add(self, role: str, *, new: Key | None = None, threshold: int | None = None) -> Key:
        """Gives a role another key.

        Args:
            role: Which.
            new: The key; None for one that is made here.
            threshold: How many have to sign from then on; None for as many as before.

        Raises:
            SettingError: The role does not have so many keys.
            ConflictError: The key is in use.
        """
        return self._change(role, (), [new], threshold)[0]

    def set_threshold(self, role: str, threshold: int) -> None:
        """Says how many keys of a role have to sign.

        Raises:
            SettingError: The role does not have so many.
        """
        self._change(role, (), [], threshold)

    def export(self, role: str, file: Path, *, passphrase: str | None, said: str | None = None) -> str:
        """Moves a private key to a file, and away from here.

        Args:
            role: Whose key.
            file: Where it goes; it must not be there.
            passphrase: What will open it; None for a file that needs none.
            said: Which key; None where there is one here.

        Returns:
            The key's id.

        Raises:
            SettingError: The role needs its keys here, there is no such key here, or the file is there.
        """
        if role in ONLINE:
            raise SettingError(
                f"the key of {role} signs every day and stays here; root, targets and channels can leave"
            )
        its = dict.fromkeys(keyid for metadata in self._known() for keyid in _keys(metadata, role))
        here = tuple(keyid for keyid in its if self._repository.keys.has(keyid))
        if said is None and len(here) != 1:
            raise SettingError(f"{len(here)} keys of {role} are here: say which one")
        keyid = here[0] if said is None else role_keys.chosen(said, here)
        if file.exists():
            raise SettingError(f"{file} is there already; name another file")
        with self._repository.files.changing():
            write_atomically(file, role_keys.encode(self._repository.keys.signer(keyid), passphrase))
            if role_keys.decode(_content(file), passphrase).public_key.keyid != keyid:
                raise StorageError(f"{file} was not written as it should be: the key is still here")
            self._repository.keys.remove(keyid)
        return keyid

    def bring_back(self, content: bytes, *, passphrase: str | None) -> tuple[str, str]:
        """Keeps a private key here again, which a role has or will have.

        Returns:
            The role, and the key's id.

        Raises:
            CertificateError: It is no key, or the passphrase is wrong.
            SettingError: No role has it.
        """
        signer = role_keys.decode(content, passphrase)
        keyid = signer.public_key.keyid
        for metadata in self._known():
            for role in ROLES:
                if keyid in _keys(metadata, role):
                    self._repository.keys.add(signer)
                    self._repository.settle_pending()
                    return role, keyid
        raise SettingError(f"no role has the key {keyid[: role_keys.SHOWN]}: handfed keys add gives one to a role")

    def accept(self, content: bytes) -> str:
        """Takes signatures from a file that was carried away and signed; its role.

        Raises:
            SettingError: It is not what waits, or holds no new signature of a key of its role.
        """
        return self._repository.accept(content)

    def _known(self) -> tuple[Mapping[str, AnyMetadata], Mapping[str, AnyMetadata]]:
        """What is in force, and what would be if all that waits were signed."""
        current = self._repository.current()
        return current, {**current, **self._repository.pending(current)}

    def _change(
        self, role: str, out: Sequence[str], given: Sequence[Key | None], threshold: int | None = None
    ) -> list[Key]:
        """Takes keys away from a role and gives it others; each of None is made here."""
        self._check(role, [key for key in given if key is not None])
        made = [self._repository.keys.add(role_keys.make()) for key in given if key is None]
        added = [*made, *(key for key in given if key is not None)]
        try:
            with self._repository.drafting() as draft:
                edited = draft.targets_edited() if role == CHANNELS_ROLE else draft.root_edited()
                with edited as over:
                    _replace(over, role, out, added, threshold)
        except SettingError:  # of any other error, the change may have happened, and the keys be in force
            for key in made:
                self._repository.keys.remove(key.keyid)
            raise
        return added

    def _check(self, role: str, given: Sequence[Key]) -> None:
        """Refuses keys that a role cannot be given."""
        taken = {keyid for metadata in self._known() for each in ROLES for keyid in _keys(metadata, each)}
        if taken & {key.keyid for key in given}:
            raise ConflictError("a role has this key already: make another one")
        if role in ONLINE and given:
            raise SettingError(f"a key of {role} has to be here: let it be made here")


def sign(content: bytes, key: bytes, passphrase: str | None) -> bytes:
    """Signs what waits, on the machine that has the key.

    Args:
        content: The file that was carried here.
        key: The private key's file.
        passphrase: What opens it; None where it needs none.

    Returns:
        The file, with the signature.

    Raises:
        SettingError: The file holds no metadata.
        CertificateError: The key cannot be read, or the passphrase is wrong.
    """
    metadata = read(content)
    metadata.sign(role_keys.decode(key, passphrase), append=True)
    return metadata.to_bytes()


def read(content: bytes) -> AnyMetadata:
    """Reads what was carried here.

    Raises:
        SettingError: It is no metadata.
    """
    try:
        return Metadata[Any].from_bytes(content)
    except RepositoryError as error:
        raise SettingError("this is no metadata of a registry: it comes from the server's registry/pending/") from error


def _replace(over: Root | Targets, role: str, out: Sequence[str], added: Sequence[Key], threshold: int | None) -> None:
    for keyid in out:
        if keyid in keyids_of(over, role):
            over.revoke_key(keyid, role)
    for key in added:
        over.add_key(key, role)
    its = over.roles[role] if isinstance(over, Root) else delegated(over)
    its.threshold = its.threshold if threshold is None else threshold
    if not 1 <= its.threshold <= len(its.keyids):
        raise SettingError(f"{role} has {len(its.keyids)} keys: from 1 to that many can be asked to sign")


def _over(metadata: Mapping[str, AnyMetadata], role: str) -> Root | Targets:
    signed: Root | Targets = metadata[Targets.type if role == CHANNELS_ROLE else Root.type].signed
    return signed


def _keys(metadata: Mapping[str, AnyMetadata], role: str) -> tuple[str, ...]:
    return keyids_of(_over(metadata, role), role)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
