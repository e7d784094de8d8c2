"""What a device keeps of its membership, and how it changes in one step.

    <folder>/
    ├── enrolment.json      whose device it is, and where the server is; no secret
    ├── device.key          its private key (`keys`)
    ├── ca.pem              the CA that it trusts, and no other
    ├── registry-root.json  the root by which it knows releases (TUF); not there where the server has no registry
    ├── joining-*.key       a key whose enrolment was not answered yet; so a repeat sends the same one
    ├── rotating-*.key      likewise of a rotation
    └── *.new               a change that is being made

Every file has mode 0600, the folder 0700.

Rules:
1. Four files change as one, by a redo log: first `device.key.new`, `ca.pem.new` and `registry-root.json.new` are
   written, then `enrolment.json.new`. Once that is there, the change has happened, and whoever comes next finishes the
   renames, in the same order. Before it is there, nothing has happened. An empty `registry-root.json.new` says that
   there is none.
2. `enrolment.json` has a format number. Fields that are not known are ignored; a newer format is refused.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

from handfed.clients.device import keys
from handfed.clients.device.folder import make_private
from handfed.shared.address import Address
from handfed.shared.errors import CertificateError, EnrolmentError, HandfedError, StorageError
from handfed.shared.files import held, sync_directory, write_atomically

Purpose = Literal["joining", "rotating"]

FORMAT: Final = 1
ENROLMENT: Final = "enrolment.json"
KEY: Final = "device.key"
CA: Final = "ca.pem"
REGISTRY_ROOT: Final = "registry-root.json"
_LOCK: Final = "enrolment.lock"
_NEW: Final = ".new"
_PENDING_DIGITS: Final = 16  # of a digest, to tell attempts apart
# Where `write_atomically` was on its way to one of our files.
_UNFINISHED: Final = (f".{KEY}*", f".{CA}*", f".{REGISTRY_ROOT}*", f".{ENROLMENT}*", ".joining-*", ".rotating-*")
_REQUIRED: Final = {"server": str, "fingerprint": str, "device": int, "name": str, "organisation": str}


class NotJoinedError(EnrolmentError):
    """The device is in no federation."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"this device is in no federation ({folder} holds no {ENROLMENT}): ask its operator for an invitation, "
            "and run handfed join CODE"
        )


@dataclass(frozen=True)
class Enrolment:
    """A device's membership.

    Attributes:
        server: Address of the server, with its port.
        fingerprint: SHA-256 of the DER of the CA's certificate, hex.
        device: Its number.
        name: What it is called.
        organisation: Name of the school or clinic that it belongs to.
        max_samples: How many samples a round may count for at most; None where there is no cap.
        enrolled_at: When it joined, RFC 3339.
        key_since: When its key became its key, RFC 3339.
    """

    server: str
    fingerprint: str
    device: int
    name: str
    organisation: str
    max_samples: int | None
    enrolled_at: str
    key_since: str

    @property
    def address(self) -> Address:
        """Where the server's API is."""
        return Address.parse(self.server)

    def encode(self) -> bytes:
        """The file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2).encode() + b"\n"

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Reads the file.

        Raises:
            EnrolmentError: It is damaged, or of a newer Handfed.
        """
        damaged = EnrolmentError(
            f"{ENROLMENT} is damaged: restore it, or ask for an invitation and run handfed join --again"
        )
        try:
            document: Any = json.loads(content)
        except ValueError:
            raise damaged from None
        if not isinstance(document, dict) or type(document.get("format")) is not int:
            raise damaged
        if document["format"] > FORMAT:
            raise EnrolmentError(f"{ENROLMENT} was written by a newer Handfed: update this software")
        if any(type(document.get(name)) is not kind for name, kind in _REQUIRED.items()):
            raise damaged
        try:
            return cls(**{name: document[name] for name in cls.__dataclass_fields__})
        except KeyError:
            raise damaged from None


def is_joined(folder: Path) -> bool:
    """Whether the device is in a federation."""
    return (folder / ENROLMENT).exists() or (folder / (ENROLMENT + _NEW)).exists()


def load(folder: Path) -> Enrolment:
    """The membership; a change that a break interrupted is finished first.

    Raises:
        NotJoinedError: There is none.
        EnrolmentError: It is damaged.
        SettingError: Another process is changing it.
        StorageError: It cannot be read.
    """
    if not is_joined(folder):
        raise NotJoinedError(folder)
    if (folder / (ENROLMENT + _NEW)).exists():
        with changing(folder):
            pass
    return Enrolment.decode(read(folder, ENROLMENT))


def read(folder: Path, name: str) -> bytes:
    """A file of the folder.

    Raises:
        StorageError: It is missing or cannot be read.
    """
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise StorageError(
            f"cannot read {folder / name}: {error.strerror}; run this as the user who joined, or join anew"
        ) from error


def registry_root(folder: Path) -> bytes | None:
    """The root by which the device knows releases; None where it joined a server without a registry.

    Raises:
        StorageError: It cannot be read.
    """
    return read(folder, REGISTRY_ROOT) if (folder / REGISTRY_ROOT).exists() else None


def fingerprint_of(ca: bytes) -> str:
    """SHA-256 of the DER of a certificate in PEM, hex.

    Raises:
        CertificateError: It is no PEM of a certificate.
    """
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca.decode("ascii").strip())).hexdigest()
    except ValueError:
        raise CertificateError("ca.pem is damaged: restore it, or ask for an invitation and join anew") from None


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Keeps others from changing the membership while the block runs; an interrupted change is finished first.

    Raises:
        SettingError: Another process is changing it.
        StorageError: The folder cannot be made or written.
    """
    make_private(folder)
    with held(folder / _LOCK, what=f"the membership of this device in {folder}"):
        _finish(folder)
        yield


def pending_key(folder: Path, purpose: Purpose, about: bytes) -> bytes:
    """The key of this attempt: that of an earlier try of the same one, or a new one, on the disk before it is used.

    Args:
        folder: The device's folder, which `changing` keeps.
        purpose: What the key is for.
        about: The invitation's secret, or the public key that goes: an attempt about another has another key.

    Raises:
        StorageError: The folder cannot be written.
    """
    path = _pending_path(folder, purpose, about)
    try:
        key = path.read_bytes()
        keys.public_key_of(key)
    except (OSError, HandfedError):  # none yet, or what a failing disk left of one
        key = keys.make_key()
        write_atomically(path, key)
    return key


def drop_pending(folder: Path, purpose: Purpose) -> None:
    """Forgets the keys of attempts, after the server refused them for good, or took one."""
    for path in folder.glob(f"{purpose}-*.key"):
        path.unlink(missing_ok=True)


def has_pending_rotation(folder: Path) -> bool:
    """Whether a rotation was begun whose answer never came: the server may know the new key already.

    Raises:
        StorageError: The device's key cannot be read.
        CertificateError: It is damaged.
    """
    about = keys.public_key_of(read(folder, KEY)).encode("ascii")
    return _pending_path(folder, "rotating", about).exists()


def _pending_path(folder: Path, purpose: Purpose, about: bytes) -> Path:
    return folder / f"{purpose}-{hashlib.sha256(about).hexdigest()[:_PENDING_DIGITS]}.key"


def commit(folder: Path, enrolment: Enrolment, key: bytes, ca: bytes, registry_root: bytes | None = None) -> None:
    """Makes a membership the device's own, in one step.

    Args:
        folder: The device's folder, which `changing` keeps.
        enrolment: The membership.
        key: The private key, PEM.
        ca: The CA's certificate, PEM.
        registry_root: The root by which the device knows releases; None where the server has no registry.

    Raises:
        StorageError: The disk is full; what was before holds.
    """
    write_atomically(folder / (KEY + _NEW), key)
    write_atomically(folder / (CA + _NEW), ca)
    write_atomically(folder / (REGISTRY_ROOT + _NEW), registry_root or b"")
    write_atomically(folder / (ENROLMENT + _NEW), enrolment.encode())
    _finish(folder)


def _finish(folder: Path) -> None:
    """Finishes a change that has happened; one that has not, leaves no trace, nor does a write that was killed."""
    try:
        for pattern in _UNFINISHED:
            for path in folder.glob(pattern):
                path.unlink(missing_ok=True)
        if not (folder / (ENROLMENT + _NEW)).exists():
            for name in (KEY, CA, REGISTRY_ROOT):
                (folder / (name + _NEW)).unlink(missing_ok=True)
            return
        for name in (KEY, CA, REGISTRY_ROOT, ENROLMENT):
            new = folder / (name + _NEW)
            if new.exists() and not new.stat().st_size:
                (folder / name).unlink(missing_ok=True)
                new.unlink()
            elif new.exists():
                new.replace(folder / name)
        sync_directory(folder)
        drop_pending(folder, "joining")
        drop_pending(folder, "rotating")
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}; run this as the user who joined") from error
