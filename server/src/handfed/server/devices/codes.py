"""The code of an invitation: where the server is, how to know it, and the secret that lets one device in."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

from handfed.server.settings import ServerSettings
from handfed.shared.errors import StorageError


def code_of(secret: bytes, settings: ServerSettings) -> str:
    """What `handfed join` takes.

    Args:
        secret: The invitation's 32 bytes.
        settings: Where the server is, and where its CA's certificate is.

    Raises:
        StorageError: There is no certificate yet, or it cannot be read.
    """
    from handfed.shared.invitation import Invitation

    return Invitation(settings.address, fingerprint(read_authority(settings.authority)), secret).encode()


def read_authority(path: Path) -> str:
    """The certificate of the federation's CA, PEM.

    Raises:
        StorageError: There is none yet, or it cannot be read.
    """
    try:
        return path.read_text("ascii")
    except FileNotFoundError as error:
        raise StorageError(f"there is no {path}: start the server once, with handfed serve") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"cannot read {path}: check what it is and who may read it") from error


def fingerprint(certificate: str) -> bytes:
    """SHA-256 of a certificate's DER.

    Raises:
        StorageError: It is no certificate.
    """
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest()
    except ValueError as error:
        raise StorageError("the certificate of the federation's CA is none: restore authority/ca.pem") from error
