"""What the registry has on the disk, and how it changes in one step.

    <data directory>/registry/      mode 0700
    ├── metadata/                   what devices fetch: timestamp.json, and <version>.<role>.json of the other roles
    ├── targets/                    likewise: releases/0003/<sha256>.<name>, channels/..., pins/...
    ├── keys/                       private keys (`keys`)
    ├── pending/                    <role>.json that waits for a signature from elsewhere
    ├── restored                    it came out of a backup, and is to be signed anew
    ├── change.json                 a change that has happened and is not written out yet
    └── lock

Rules:
1. A change is several files that count together. All of them are first written into `change.json` in one step: from
   then on the change has happened, and whoever comes next writes the rest. Before that, nothing has happened. What a
   change names of `targets/` is there before it.
2. Of a change the root comes last and the timestamp before it, so that what a device finds meanwhile holds together
   wherever the keys of the old root are here (`draft`, rule 3).
3. One process changes at a time; another one waits, and gives up after a while.
4. A version of metadata is written once. Roots are kept for ever, as a device that was away for years comes by them
   from the one it knows to the newest. Others go a day after a newer one has taken their place.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from handfed.shared.errors import SettingError, StorageError
from handfed.shared.files import held, make_private, sync_directory, write_atomically

METADATA: Final = "metadata"
TARGETS: Final = "targets"
KEYS: Final = "keys"
PENDING: Final = "pending"
TIMESTAMP_FILE: Final = f"{METADATA}/timestamp.json"
RESTORED: Final = "restored"
LONGEST_WAIT_S: Final = 10.0
_CHANGE: Final = "change.json"
_FORMAT: Final = 1
_LOCK: Final = "lock"
_KEPT: Final = timedelta(days=1)  # what a device that is slow may still ask for
_ROOT: Final = re.compile(r"([0-9]{1,9})\.root\.json")


def registry_in(data_directory: Path) -> Path:
    """Where the registry is, within a data directory."""
    return data_directory / "registry"


def metadata_file(role: str, version: int) -> str:
    """Where a version of a role's metadata is, within the registry."""
    return TIMESTAMP_FILE if role == "timestamp" else f"{METADATA}/{version}.{role}.json"


def target_file(path: str, sha256: str) -> str:
    """Where a target is, within the registry."""
    folder, _, name = path.rpartition("/")
    return f"{TARGETS}/{folder}/{sha256}.{name}"


def newest_root(directory: Path) -> bytes | None:
    """The newest root; None where there is no registry. Nothing is locked or changed.

    Raises:
        StorageError: It cannot be read.
    """
    try:
        found = [_ROOT.fullmatch(entry.name) for entry in (directory / METADATA).iterdir()]
        versions = [int(match[1]) for match in found if match]
        return (directory / metadata_file("root", max(versions))).read_bytes() if versions else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {directory}: {error.strerror}; run this as the server's user") from error


class RegistryFiles:
    """The files of a registry.

    Args:
        directory: `registry/` of the data directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def exists(self) -> bool:
        """Whether there is a registry."""
        return (self.directory / TIMESTAMP_FILE).exists() or (self.directory / _CHANGE).exists()

    @contextmanager
    def changing(self, longest_wait_s: float = LONGEST_WAIT_S) -> Iterator[None]:
        """Keeps other processes from changing anything while the block runs; an earlier change is finished first.

        Raises:
            SettingError: Another process keeps at it for too long.
            StorageError: The directory cannot be written, or what is written there would be another user's.
        """
        self._check_owner()
        lock, deadline = self.directory / _LOCK, time.monotonic() + longest_wait_s
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(held(lock, what=f"the registry in {self.directory}"))
                    break
                except SettingError:
                    if time.monotonic() >= deadline:
                        raise
                    time.sleep(0.02)
            self.finish()
            yield

    def _check_owner(self) -> None:
        """Refuses another user, root included: the server could not read what they leave."""
        try:
            owner = self.directory.stat().st_uid
        except OSError as error:
            raise StorageError(f"cannot read {self.directory}: {error.strerror}") from error
        if owner != os.geteuid():
            raise StorageError(f"{self.directory} belongs to the user with number {owner}: run this as that user")

    def read(self, name: str) -> bytes | None:
        """A file's content; None where there is none.

        Raises:
            StorageError: It cannot be read.
        """
        path = self.directory / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}; run this as the server's user") from error

    def remove(self, name: str) -> None:
        """Removes a file that says something to us alone.

        Raises:
            StorageError: The directory cannot be written.
        """
        try:
            (self.directory / name).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot write {self.directory}: {error.strerror}; run this as its owner") from error

    def commit(self, written: Mapping[str, bytes], removed: Iterable[str] = ()) -> None:
        """Makes a change happen, and writes it out.

        Args:
            written: Content by name within the registry, UTF-8, in the order in which it is to be written.
            removed: Names of files that go, after that.

        Raises:
            StorageError: The disk is full or cannot be written; where `change.json` is there, the change has happened.
        """
        texts = {name: content.decode() for name, content in written.items()}
        change = {"format": _FORMAT, "written": texts, "removed": sorted(removed)}
        write_atomically(self.directory / _CHANGE, json.dumps(change).encode())
        self.finish()

    def finish(self) -> None:
        """Writes out a change that has happened.

        Raises:
            StorageError: The directory cannot be written.
        """
        content = self.read(_CHANGE)
        if content is None:
            return
        change: Any = json.loads(content)  # it was written in one step, by us
        if change["format"] != _FORMAT:
            raise StorageError(f"{self.directory / _CHANGE} was written by a newer Handfed: update this software")
        try:
            for name, text in change["written"].items():
                path = self.directory / name
                make_private(path.parent)
                write_atomically(path, text.encode())
            for name in change["removed"]:
                (self.directory / name).unlink(missing_ok=True)
            (self.directory / _CHANGE).unlink()
            sync_directory(self.directory)
        except OSError as error:
            raise StorageError(f"cannot write {self.directory}: {error.strerror}; free space") from error

    def put_target(self, path: str, sha256: str, source: Path | bytes) -> None:
        """Lays a target where devices will look for it, once a change names it.

        Args:
            path: The target path.
            sha256: Of its content.
            source: A file, which is linked where the file system can; or the content.

        Raises:
            StorageError: It cannot be written.
        """
        place = self.directory / target_file(path, sha256)
        if place.exists():
            if isinstance(source, bytes):
                with suppress(OSError):
                    os.utime(place)  # it counts anew, so that it does not go with what is old
            return
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if isinstance(source, bytes):
                write_atomically(place, source)
                return
            partial = place.with_name(f".{place.name}")
            partial.unlink(missing_ok=True)
            try:
                os.link(source, partial)
            except OSError:  # another file system, or one without links
                shutil.copyfile(source, partial)
            partial.replace(place)
            sync_directory(place.parent)
        except OSError as error:
            raise StorageError(f"cannot write {place}: {error.strerror}; free space") from error

    def touch(self, names: Iterable[str]) -> None:
        """Has files count as changed now: they stay for a while, whatever takes their place."""
        for name in names:
            with suppress(OSError):  # then it may go sooner
                os.utime(self.directory / name)

    def prune(self, kept: Collection[str], *, now: datetime) -> None:
        """Removes what no device can ask for any more: no root or release, nor what counted within the last day.

        Args:
            kept: Names of what is in force.
            now: The time, aware.
        """
        folders = (METADATA, f"{TARGETS}/channels", f"{TARGETS}/pins")
        for path in [path for folder in folders for path in (self.directory / folder).glob("*")]:
            if path.relative_to(self.directory).as_posix() in kept or _ROOT.fullmatch(path.name):
                continue
            with suppress(OSError):  # another day
                if now.timestamp() - path.stat().st_mtime > _KEPT.total_seconds():
                    path.unlink()
