"""Where a device pulls from: its federation's server, the CA that vouches for it, the root that its registry starts at.

A device that joined has them in its folder; one that only reads is told them. Neither asks anybody for leave: a
registry is open to whoever knows its root.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handfed.shared.address import Address
from handfed.shared.errors import SettingError, UpdateError
from handfed.shared.files import sha256_of

REGISTRY_ROOT: Final = "registry-root.json"  # beside the CA, from the enrolment
_LARGEST_BYTES: Final = 1_000_000


@dataclass(frozen=True)
class Source:
    """Where a device pulls from.

    Attributes:
        address: The server's.
        ca: The CA's certificate, PEM.
        root: The registry's root that the device starts from, a TUF metadata file.
        key_fingerprint: SHA-256 of the device's public key, hex; None of a device that has not joined.
    """

    address: Address
    ca: bytes
    root: bytes
    key_fingerprint: str | None = None

    @property
    def url(self) -> str:
        """The server's URL, without a path."""
        return f"https://{self.address.authority}"

    @property
    def registry(self) -> str:
        """Tells its registry from others."""
        return registry_of(self.root)


def locate(folder: Path, server: str | None = None, ca: Path | None = None, root: Path | None = None) -> Source:
    """Finds out where a device pulls from.

    Args:
        folder: The device's folder.
        server: What a person says instead: HOST:PORT.
        ca: Likewise, a file.
        root: Likewise, a file.

    Raises:
        SettingError: The device has not joined, and a person has not said it all; or a file cannot be read.
        UpdateError: The device joined a server that had no registry.
        EnrolmentError: The membership is damaged.
        StorageError: It cannot be read.
    """
    if server and ca and root:
        return Source(Address.parse(server), _read(ca), _read(root))
    if server or ca:
        raise SettingError("--server, --ca and --root go together: name all three, or none on a device that joined")
    from handfed.clients.device import credentials, keys  # light, but for the library of keys

    if not credentials.is_joined(folder):
        raise SettingError(
            f"this device is in no federation ({folder}): run handfed join CODE, or name --server HOST:PORT, --ca FILE "
            "and --root FILE"
        )
    enrolment = credentials.load(folder)
    own = folder / REGISTRY_ROOT
    if root is None and not own.is_file():
        raise UpdateError(
            f"{folder} holds no {REGISTRY_ROOT}: the server had no registry when this device joined. Ask its operator "
            "for the root (handfed keys root) and name it with --root FILE"
        )
    return Source(
        enrolment.address,
        credentials.read(folder, credentials.CA),
        _read(root or own),
        keys.key_fingerprint(credentials.read(folder, credentials.KEY)),
    )


def registry_of(root: bytes) -> str:
    """What tells a registry from others: the SHA-256 of the root that the device starts from, hex."""
    return sha256_of(root)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise SettingError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if len(content) > _LARGEST_BYTES:
        raise SettingError(f"{path}: this is no certificate and no root; check the path")
    return content
