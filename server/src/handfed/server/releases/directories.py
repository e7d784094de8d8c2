"""The directories of releases: written whole, named by number, and never changed.

A release is written into a hidden directory beside its place and renamed there when every byte is on the
disk, so a directory with a release's name is complete. Its files are read-only.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from handfed.shared.errors import ManifestError, StorageError
from handfed.shared.files import remove_unfinished, sync_directory, write_atomically

_NAME = re.compile(r"[0-9]{4,}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def name_of(number: int) -> str:
    """The name of a release's directory."""
    return f"{number:04d}"


def highest(releases: Path) -> int:
    """The highest number that any directory there has, also one that is not on record; 0 without any.

    Raises:
        StorageError: The directory cannot be read.
    """
    try:
        names = [entry.name for entry in releases.iterdir()] if releases.exists() else []
    except OSError as error:
        raise StorageError(f"cannot read {releases}: {error.strerror}; check who owns it") from error
    return max((int(name) for name in names if _NAME.fullmatch(name)), default=0)


def write(releases: Path, number: int, files: Mapping[str, bytes]) -> Path:
    """Writes a release's directory in one step.

    Args:
        releases: The directory of all releases; made when there is none.
        number: The release's number; no directory may have it.
        files: Content by file name.

    Returns:
        The release's directory.

    Raises:
        ManifestError: A file has no plain name.
        StorageError: The directory cannot be written, or the number is taken; nothing new has its name.
    """
    for name in files:
        if not _FILE_NAME.fullmatch(name):
            raise ManifestError(f"a release cannot hold a file named {name!r}: use letters, digits, '.', '_' and '-'")
    target = releases / name_of(number)
    building = releases / f".{target.name}.{secrets.token_hex(4)}"
    try:
        releases.mkdir(parents=True, exist_ok=True)
        remove_unfinished(releases, ".????*.????????")
        building.mkdir()
        try:
            _fill(building, files)
            building.rename(target)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        sync_directory(releases)
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror}; free space or choose another folder") from error
    return target


def _fill(directory: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = directory / name
        write_atomically(path, content)
        path.chmod(0o444)  # nobody changes it by mistake; who may enter the directory may read it
    sync_directory(directory)
