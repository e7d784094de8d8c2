"""Where a federation's CA and its server's certificate lie, and how the latter is renewed.

    <data directory>/authority/     mode 0700
    ├── ca.pem, ca.key              made once; whoever loses them loses the federation: they belong into a backup
    └── server.pem, server.key      made anew whenever it is time

Every file has mode 0600.

Rules:
1. They are made on first use, all four or none: the directory is made under another name and renamed.
2. The CA is never made a second time beside what is left of a first one: every device would be stranded.
3. The server's certificate is renewed with a new key when less than a third of its life is left, when its names
   changed, or when it is gone or its key is not its own (a power cut came between the two files). The CA stays, so
   every enrolment stays.
4. Only the process that serves calls `ensure`; all others call `load`, which changes nothing.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from handfed.server.authority import certificates
from handfed.server.authority.certificates import Credential, ExpiredCertificateError, KeyMismatchError, WrongNamesError
from handfed.shared.errors import StorageError
from handfed.shared.files import sync_directory, write_atomically

CA_CERTIFICATE: Final = "ca.pem"
CA_KEY: Final = "ca.key"
SERVER_CERTIFICATE: Final = "server.pem"
SERVER_KEY: Final = "server.key"
# Flower's own processes, and commands on the server, reach it by these.
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Authority:
    """A federation's CA and its server's certificate, as they lie on the disk.

    Attributes:
        directory: Where the files are.
        ca: The CA.
        server: The server's certificate and key.
    """

    directory: Path
    ca: Credential
    server: Credential

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the CA certificate's DER: what an invitation names."""
        return certificates.fingerprint(self.ca.certificate)

    @property
    def ca_path(self) -> Path:
        """File of the CA's certificate."""
        return self.directory / CA_CERTIFICATE

    @property
    def certificate_path(self) -> Path:
        """File of the server's certificate."""
        return self.directory / SERVER_CERTIFICATE

    @property
    def key_path(self) -> Path:
        """File of the server's private key."""
        return self.directory / SERVER_KEY


def authority_in(data_directory: Path) -> Path:
    """Where the CA is, within a data directory."""
    return data_directory / "authority"


def ensure(directory: Path, names: Iterable[str], *, now: datetime, title: str = "Handfed federation") -> Authority:
    """The CA and a server certificate that holds for these names; made or renewed where there is need.

    Args:
        directory: `authority/` of the data directory, which exists or can be made.
        names: Host names and IP addresses by which devices reach the server; those of this machine are added.
        now: The time, aware.
        title: What a new CA is called.

    Raises:
        SettingError: A name cannot stand in a certificate.
        StorageError: The files cannot be read or written, or a part of the CA is missing.
        CertificateError: The CA is damaged or expired, or the server's certificate is somebody else's.
    """
    wanted = sorted({*names, *LOCAL_NAMES})
    if not directory.exists() or not any(directory.iterdir()):
        _make(directory, wanted, now, title)
    ca = _load_ca(directory, now)
    server = _load_server(directory)
    if server is None or _needs_renewal(server, ca, wanted, now):
        server = certificates.make_server_certificate(ca, wanted, now=now)
        _write(directory, {SERVER_KEY: server.key, SERVER_CERTIFICATE: server.certificate})
    certificates.check_server(server, ca.certificate, wanted, now=now)
    return Authority(directory, ca, server)


def load(directory: Path, *, now: datetime) -> Authority:
    """The CA and the server's certificate as they are; nothing is changed.

    Raises:
        StorageError: A file is missing or cannot be read.
        CertificateError: A certificate or key is not what it should be; a server that lacks a name passes.
    """
    ca, server = _load_ca(directory, now), _load_server(directory)
    if server is None:
        raise StorageError(f"{directory} holds no certificate of a server: start the server, which makes one")
    certificates.check_server(server, ca.certificate, (), now=now)
    return Authority(directory, ca, server)


def _needs_renewal(server: Credential, ca: Credential, names: list[str], now: datetime) -> bool:
    try:
        certificates.check_server(server, ca.certificate, names, now=now)
    except (ExpiredCertificateError, KeyMismatchError, WrongNamesError):
        return True
    changed = certificates.names_of(server.certificate) != tuple(names)
    return changed or certificates.renewal_is_due(server.certificate, now=now)


def _make(directory: Path, names: list[str], now: datetime, title: str) -> None:
    """Makes all four files, and then the directory appears; one that another process made first stays."""
    ca = certificates.make_authority(title, now=now)
    server = certificates.make_server_certificate(ca, names, now=now)
    temporary = _temporary_beside(directory)
    try:
        _write(temporary, {CA_KEY: ca.key, CA_CERTIFICATE: ca.certificate})
        _write(temporary, {SERVER_KEY: server.key, SERVER_CERTIFICATE: server.certificate})
        temporary.rename(directory)
        sync_directory(directory.parent)
    except OSError as error:
        if not directory.exists():
            raise StorageError(f"cannot make {directory}: {error.strerror}; choose another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary_beside(directory: Path) -> Path:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))  # mode 0700
    except OSError as error:
        raise StorageError(f"cannot make {directory}: {error.strerror}; choose another folder") from error


def _write(directory: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        write_atomically(directory / name, content)


def _load_ca(directory: Path, now: datetime) -> Credential:
    certificate, key = _read(directory / CA_CERTIFICATE), _read(directory / CA_KEY)
    if certificate is None or key is None:
        gone = CA_CERTIFICATE if certificate is None else CA_KEY
        raise StorageError(
            f"{directory / gone} is missing; it is not made anew, as every device trusts the old one: "
            "restore it from a backup"
        )
    ca = Credential(certificate, key)
    certificates.check_authority(ca, now=now)
    return ca


def _load_server(directory: Path) -> Credential | None:
    certificate, key = _read(directory / SERVER_CERTIFICATE), _read(directory / SERVER_KEY)
    return None if certificate is None or key is None else Credential(certificate, key)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}; run this as the user who owns it") from error
