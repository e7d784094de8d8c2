"""Writing files so that a reader sees the whole old file or the whole new one, also after a power cut.

Source: POSIX rename(2) is atomic within a file system; fsync(2) of the file, then of its directory, makes it last.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from handfed.shared.errors import StorageError


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces `path` by `content` in one step.

    Args:
        path: The file to write; its directory must exist.
        content: The new content, whole.

    Raises:
        StorageError: The directory cannot be written, or the disk is full; the old file is still there.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_directory(path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; free space or choose another folder") from error


def sync_directory(directory: Path) -> None:
    """Makes renames within `directory` last through a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(content: bytes) -> str:
    """The SHA-256 of `content` in lower-case hex (FIPS 180-4)."""
    return hashlib.sha256(content).hexdigest()
