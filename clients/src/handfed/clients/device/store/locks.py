"""What stands between a person and the keys of an encrypted store: a passphrase, or the keyring of the system.

The store's keys are random and stay as they are; a lock holds them, sealed with a key that only the passphrase or the
keyring gives. So a new passphrase changes one row. A lock is kept as JSON, format 1:

    {"format": 1, "kind": "passphrase", "n": 65536, "r": 8, "p": 2, "salt": hex, "keys": hex, "sha256": hex}
    {"format": 1, "kind": "keyring", "entry": name, "keys": hex, "sha256": hex}

`keys` is the sealed sealing key and hashing key, one after the other; `sha256` is that of the other fields. It tells
damage from a wrong passphrase: where the fields are as they were written and the keys do not open, the passphrase is
another.

Source: scrypt is RFC 7914; n, r and p are OWASP's for 64 MiB of memory (Password Storage Cheat Sheet).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from handfed.clients.device.store.sealing import KEY_BYTES, Secrets, seal, unseal
from handfed.shared.errors import DamagedStoreError, LockedStoreError, MissingExtraError, SettingError, StorageError

PASSPHRASE: Final = "passphrase"  # noqa: S105 - a kind of lock
KEYRING: Final = "keyring"
PASSPHRASE_FILE: Final = "HANDFED_PASSPHRASE_FILE"  # noqa: S105 - the name of a variable
LEAST_LETTERS: Final = 12  # of a new passphrase

_FORMAT: Final = 1
_BOUND_TO: Final = b"handfed store keys"
_SERVICE: Final = "handfed-device"
_SALT_BYTES: Final = 16
_ENTRY_BYTES: Final = 8
_MOST_MEMORY: Final = 2**30  # bytes: a damaged lock must not ask for more


@dataclass(frozen=True)
class Cost:
    """What one try at a passphrase costs: 128 n r bytes of memory, and time in proportion to n r p (RFC 7914)."""

    n: int = 2**16
    r: int = 8
    p: int = 2


class Lock(Protocol):
    """A way to lock a store's keys."""

    def close(self, keys: Secrets) -> str:
        """Locks a store's keys.

        Args:
            keys: The keys; the sealing key is among them.

        Returns:
            The lock as it is kept.

        Raises:
            MissingExtraError: A library is not installed.
            StorageError: The keyring cannot be used.
        """
        ...


@dataclass(frozen=True)
class PassphraseLock:
    """A passphrase.

    Attributes:
        passphrase: What the person says.
        cost: What a try costs.

    Raises:
        SettingError: It is too short.
    """

    passphrase: str
    cost: Cost = Cost()

    def __post_init__(self) -> None:
        if len(self.passphrase) < LEAST_LETTERS:
            raise SettingError(f"a passphrase has at least {LEAST_LETTERS} letters; a few words that you keep are good")

    def close(self, keys: Secrets) -> str:
        """As of `Lock`."""
        salt = secrets.token_bytes(_SALT_BYTES)
        key = _stretched(self.passphrase, salt, self.cost)
        cost = {"n": self.cost.n, "r": self.cost.r, "p": self.cost.p}
        return _encoded({"kind": PASSPHRASE, **cost, "salt": salt.hex(), "keys": _locked(keys, key)})


@dataclass(frozen=True)
class KeyringLock:
    """A random key in the keyring that the system opens when its user logs in."""

    def close(self, keys: Secrets) -> str:
        """As of `Lock`."""
        # An entry a lock: the old one opens the store until the new one is on record.
        key, entry = secrets.token_bytes(KEY_BYTES), secrets.token_hex(_ENTRY_BYTES)
        _in_keyring(lambda ring: ring.set_password(_SERVICE, entry, key.hex()))
        return _encoded({"kind": KEYRING, "entry": entry, "keys": _locked(keys, key)})


def opened(lock: str, ask: Callable[[], str]) -> Secrets:
    """The keys behind a lock.

    Args:
        lock: As it is kept.
        ask: Gives the passphrase; asked only where the lock is one of a passphrase.

    Raises:
        LockedStoreError: The passphrase is wrong, or the keyring does not have the key.
        DamagedStoreError: The lock is not as it was written.
        MissingExtraError: A library is not installed.
        StorageError: The keyring cannot be used.
    """
    fields = _decoded(lock)
    if fields["kind"] == PASSPHRASE:
        cost = Cost(fields["n"], fields["r"], fields["p"])
        key = _stretched(ask(), bytes.fromhex(fields["salt"]), cost)
        wrong = "the passphrase of the store is wrong; try again"
    else:
        kept = _in_keyring(lambda ring: ring.get_password(_SERVICE, fields["entry"]))
        key = bytes.fromhex(kept) if kept else bytes(KEY_BYTES)
        wrong = (
            "the keyring of this user does not have the store's key; run the command as the user who encrypted the"
            " store, and log in so that the keyring is open"
        )
    keys = unseal(key, bytes.fromhex(fields["keys"]), _BOUND_TO)
    if keys is None:
        raise LockedStoreError(wrong)
    return Secrets(sealing=keys[:KEY_BYTES], hashing=keys[KEY_BYTES:])


def kind_of(lock: str) -> str:
    """Whether a passphrase or the keyring opens it.

    Raises:
        DamagedStoreError: The lock is not as it was written.
    """
    return str(_decoded(lock)["kind"])


def discard(lock: str) -> None:
    """Takes from the keyring what opened a lock that is no longer in use; where that fails, it opens nothing any more.

    Raises:
        DamagedStoreError: The lock is not as it was written.
    """
    fields = _decoded(lock)
    if fields["kind"] == KEYRING:
        with contextlib.suppress(StorageError):
            _in_keyring(lambda ring: ring.delete_password(_SERVICE, fields["entry"]))


def passphrase_from_file() -> str:
    """The passphrase of a service: the first line of the file that HANDFED_PASSPHRASE_FILE names.

    Raises:
        LockedStoreError: No file is named.
        StorageError: It cannot be read.
    """
    named = os.environ.get(PASSPHRASE_FILE)
    if not named:
        raise LockedStoreError(f"the store is encrypted; name a file that holds its passphrase in {PASSPHRASE_FILE}")
    return read_passphrase(Path(named))


def read_passphrase(path: Path) -> str:
    """The first line of a file.

    Raises:
        StorageError: It cannot be read, or is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise StorageError(f"the file of the passphrase, {path}, cannot be read: {reason}") from error
    if not lines or not lines[0]:
        raise StorageError(f"the file of the passphrase, {path}, is empty; write the passphrase on its first line")
    return lines[0]


def _stretched(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    try:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    except ImportError:
        raise MissingExtraError("cryptography", "handfed-clients[device]") from None
    # The same letters may be typed as different code points.
    typed = unicodedata.normalize("NFC", passphrase).encode()
    return Scrypt(salt=salt, length=KEY_BYTES, n=cost.n, r=cost.r, p=cost.p).derive(typed)


def _locked(keys: Secrets, key: bytes) -> str:
    if keys.sealing is None:
        raise ValueError("a store that is not encrypted has no key to lock")
    return seal(key, keys.sealing + keys.hashing, _BOUND_TO).hex()


def _encoded(fields: Mapping[str, Any]) -> str:
    stated = {"format": _FORMAT, **fields}
    return json.dumps({**stated, "sha256": _sum(stated)})


def _decoded(lock: str) -> dict[str, Any]:
    damaged = DamagedStoreError("the store's lock is damaged, so nothing opens it; put a backup of the store in place")
    try:
        fields = json.loads(lock)
        stated = {name: value for name, value in fields.items() if name != "sha256"}
        if fields["sha256"] != _sum(stated):
            raise damaged
        if fields["format"] != _FORMAT:
            raise StorageError("the store's lock was made by a newer Handfed; update Handfed on this device")
        if fields["kind"] == PASSPHRASE and 128 * fields["n"] * fields["r"] * fields["p"] > _MOST_MEMORY:
            raise damaged
    except (ValueError, KeyError, TypeError, AttributeError):
        raise damaged from None
    return stated


def _sum(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _in_keyring(use: Callable[[Any], str | None]) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise MissingExtraError("keyring", "handfed-clients[keyring]") from None
    try:
        return use(keyring)
    except KeyringError as error:
        raise StorageError(
            f"the keyring of this system cannot be used ({type(error).__name__}); use a passphrase instead"
        ) from error
