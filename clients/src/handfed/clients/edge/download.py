"""Fetching a target: resumed where it broke off, and believed when it has the length and hashes that were signed.

Rules:
1. A part file grows; what is in it counts when the whole has the signed hashes, and not before.
2. A download that breaks off is taken up where it was, now or by a later pull, from the part file's last byte.
3. Whatever has the wrong hash is thrown away. Where part of it was here before, that part may be to blame (after a
   power cut, say), and the file is fetched once more, whole.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from tuf.api.exceptions import (
    DownloadLengthMismatchError,
    LengthOrHashMismatchError,
    RepositoryError,
    SlowRetrievalError,
)
from tuf.api.metadata import TargetFile

from handfed.clients.edge.fetcher import Fetcher, UnreachableError
from handfed.clients.edge.store import refuse_link, remove
from handfed.shared.errors import StorageError
from handfed.shared.registry import TARGETS

Progress = Callable[[int], None]  # is told how many bytes have come


def url_of(server: str, target: TargetFile) -> str:
    """Where a target is, whose URL holds its hash (consistent snapshots).

    Raises:
        RepositoryError: Its SHA-256 was not signed.
    """
    digest = target.hashes.get("sha256")
    if digest is None:
        raise RepositoryError(f"{target.path} has no SHA-256")
    directory, _, name = target.path.rpartition("/")
    return f"{server}{TARGETS}{directory}/{digest}.{name}"


def has(path: Path, target: TargetFile) -> bool:
    """Whether a file is the target's."""
    try:
        with path.open("rb") as file:
            target.verify_length_and_hashes(file)
    except (OSError, LengthOrHashMismatchError):
        return False
    return True


def fetch(fetcher: Fetcher, url: str, target: TargetFile, to: Path, progress: Progress = lambda _: None) -> None:
    """Fetches a target to a file, synced, beside which its part is kept until it is whole.

    Args:
        fetcher: Asks the registry.
        url: Where it is.
        target: What was signed of it.
        to: The file; its directory exists.
        progress: Is told of each piece that comes.

    Raises:
        DownloadError: It does not come, or not as it should.
        LengthOrHashMismatchError: It is not what was signed.
        LinkError: A symbolic link is in the place of a file.
        StorageError: The disk cannot be written.
    """
    part = to.with_name(f"{to.name}.part")
    refuse_link(to)
    refuse_link(part)
    resumed = part.exists()
    try:
        _complete(fetcher, url, target.length, part, progress)
        try:
            _verify(part, target)
        except LengthOrHashMismatchError:
            remove(part)
            if not resumed:
                raise
            _complete(fetcher, url, target.length, part, progress)
            _verify(part, target)
        part.replace(to)
    except LengthOrHashMismatchError:
        remove(part)
        raise
    except OSError as error:
        raise StorageError(f"cannot write {part}: {error.strerror}; free space") from error


def _verify(part: Path, target: TargetFile) -> None:
    """Syncs a file and compares it with what was signed."""
    with part.open("rb") as file:
        target.verify_length_and_hashes(file)
        os.fsync(file.fileno())


def _complete(fetcher: Fetcher, url: str, length: int, part: Path, progress: Progress) -> None:
    """Fetches what is missing, as often as something comes; pauses count for the least rate, too."""
    failures = 0
    size = first = _size(part)
    begun = time.monotonic()
    while size < length:
        before = size
        try:
            size = _append(fetcher, url, length, part, progress)
        except UnreachableError:
            size = _size(part)
            failures = 0 if size > before else failures + 1
            if failures >= fetcher.limits.attempts:
                raise
            took = time.monotonic() - begun
            if took > fetcher.limits.window_s and size - first < took * fetcher.limits.least_bytes_per_s:
                raise SlowRetrievalError(f"{size - first} bytes in {took:.0f} s") from None
            time.sleep(fetcher.limits.pause_s)


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _append(fetcher: Fetcher, url: str, length: int, part: Path, progress: Progress) -> int:
    """Appends what comes to a part file.

    Returns:
        Its size, which is that of the whole.

    Raises:
        UnreachableError: It breaks off; what came is kept.
        DownloadError: It is too slow, or longer than it should be; of the latter nothing is kept.
    """
    begin, chunks = fetcher.from_byte(url, _size(part))
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.truncate(begin)
        file.seek(begin)
        size = begin
        for chunk in chunks:
            size += len(chunk)
            if size > length:
                file.truncate(0)
                raise DownloadLengthMismatchError(f"more than {length} bytes")
            file.write(chunk)
            progress(len(chunk))
    if size < length:
        raise UnreachableError("the server ends a file before its end; try again")
    return size
