"""Writing files so that a reader sees the whole old file or the whole new one, also after a power cut.

They have mode 0600 from their first byte, or the one that is asked for, whatever the umask.

Source: POSIX rename(2) is atomic within a file system; fsync(2) of the file, then of its directory, makes it last.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from handfed.shared.errors import SettingError, StorageError

_LONGEST_BUILD_S = 86_400


def write_atomically(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replaces `path` by `content` in one step.

    Args:
        path: The file to write; its directory must exist.
        content: The new content, whole.
        mode: The file's permissions.

    Raises:
        StorageError: The directory cannot be written, or the disk is full; the old file is still there.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                if mode != 0o600:  # noqa: PLR2004 - as mkstemp made it
                    os.fchmod(file.fileno(), mode)
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


def make_private(directory: Path) -> None:
    """Makes a directory that only its owner may enter (mode 0700); one that is there is closed to others.

    Raises:
        StorageError: It cannot be made, is no directory, or belongs to somebody else.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_mode & 0o077:
            directory.chmod(0o700)
    except OSError as error:
        raise StorageError(
            f"cannot make the private directory {directory}: {error.strerror}; choose another, or run this as its owner"
        ) from error


@contextlib.contextmanager
def held(path: Path, *, what: str) -> Iterator[None]:
    """Keeps a file locked while the block runs; the lock goes when its process ends, however it ends.

    Args:
        path: The file; made when there is none, and left.
        what: What it stands for, for the message.

    Raises:
        SettingError: Another process holds it.
        StorageError: The file cannot be made.

    Source: flock(2).
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; choose another folder") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingError(f"another process is at {what}; wait for it, or stop it") from None
        yield
    finally:
        os.close(handle)


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


def remove_unfinished(directory: Path, pattern: str) -> None:
    """Removes what a process that was killed left half built: nobody builds for a day.

    Args:
        directory: Where it is.
        pattern: Of the names of what is being built, which begin with a dot.
    """
    for path in directory.glob(pattern):
        with contextlib.suppress(OSError):  # another process was faster
            if time.time() - path.stat().st_mtime > _LONGEST_BUILD_S:
                shutil.rmtree(path, ignore_errors=True)
