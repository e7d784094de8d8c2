"""A data set's files, in a folder or in a zip archive, read through one interface.

What comes from elsewhere may be damaged or hostile, so these rules hold before any file is read:

1. No name leaves the tree: absolute names, `..` and symbolic links out of the folder are refused, and so are links to
   folders, which could go round in circles; in a zip every symbolic link is.
2. A zip unpacks to at most `MAX_TOTAL_BYTES`, and one file to at most `MAX_FILE_BYTES`, by the sizes in its
   directory. Python's zipfile never unpacks a file beyond the size stated there, so the bounds hold for archives that
   lie; every file's CRC is checked as it is read.
3. What operating systems leave behind (`.DS_Store`, `__MACOSX`, `Thumbs.db`, other dot files) is not part of a tree.

A zip of a folder holds that folder as its only top entry: `step_into_only_folder` takes it for the root.
Source: APPNOTE.TXT 6.3.10 (the zip format).
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from handfed.shared.errors import DatasetError

MAX_TOTAL_BYTES: Final = 2 << 30  # of one archive, unpacked; MNIST's 60,000 images are 47 MB
MAX_FILE_BYTES: Final = 256 << 20  # of one picture or one labels.tsv
_LEFT_BEHIND: Final = ("__MACOSX", "Thumbs.db", "desktop.ini")


class FileTree(Protocol):
    """Files below one root, by their names relative to it with forward slashes."""

    @property
    def where(self) -> str:
        """What is read, for the message of an error."""

    def names(self) -> list[str]:
        """The files, sorted."""

    def folders(self) -> list[str]:
        """The folders directly below the root, sorted; empty ones too."""

    def has(self, name: str) -> bool:
        """Whether there is such a file; a name that leaves the tree is an error."""

    def read(self, name: str) -> bytes:
        """The content of a file."""


class FolderTree:
    """A `FileTree` over a folder on disk."""

    def __init__(self, root: Path) -> None:
        """Opens a folder.

        Args:
            root: The folder.
        """
        self.where = str(root)
        self._root = root
        self._resolved = root.resolve()

    def names(self) -> list[str]:
        """The files, sorted."""
        return sorted(self._walk())

    def folders(self) -> list[str]:
        """The folders directly below the root, sorted."""
        return sorted(entry.name for entry in self._entries(self._root) if self._is(stat.S_ISDIR, entry.name))

    def top_files(self) -> list[str]:
        """The files directly below the root, sorted."""
        return sorted(entry.name for entry in self._entries(self._root) if self._is(stat.S_ISREG, entry.name))

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return self._is(stat.S_ISREG, name)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        if not self.has(name):
            raise DatasetError(f"{self.where}: the file {name!r} is missing")
        path = self._path(name)
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise DatasetError(f"{self.where}: {name!r} is larger than {MAX_FILE_BYTES:,} bytes")
            return path.read_bytes()
        except OSError as error:
            raise DatasetError(f"{self.where}: {name!r} cannot be read ({error.strerror})") from error

    def archive(self, name: str) -> ZipTree:
        """The archive of that name in the folder, as a tree of its own."""
        return ZipTree(self._path(name))

    def _path(self, name: str) -> Path:
        _refuse_escape(name, self.where)
        try:
            path = (self._root / name).resolve()
        except (OSError, RuntimeError) as error:  # a link that leads to itself
            raise DatasetError(f"{self.where}: {name!r} cannot be followed: {error}") from error
        if not path.is_relative_to(self._resolved):
            raise DatasetError(f"{self.where}: {name!r} is a link out of the folder; copy the file into it")
        return path

    def _is(self, kind: Callable[[int], bool], name: str) -> bool:
        """Whether there is something of that name and kind; a named pipe is no file, and would be waited for."""
        try:
            return kind(self._path(name).stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:  # a folder that may not be entered, a name too long for the file system
            raise DatasetError(f"{self.where}: {name!r} cannot be looked up ({error.strerror})") from error

    def _entries(self, folder: Path) -> list[Path]:
        try:
            return [entry for entry in folder.iterdir() if not _left_behind(entry.name)]
        except OSError as error:
            raise DatasetError(f"{folder}: cannot be read ({error.strerror})") from error

    def _walk(self) -> list[str]:
        found: list[str] = []
        waiting = [self._root]
        while waiting:
            for entry in self._entries(waiting.pop()):
                name = entry.relative_to(self._root).as_posix()
                if not self._is(stat.S_ISDIR, name):
                    found.append(name)
                elif entry.is_symlink():
                    raise DatasetError(f"{self.where}: {name!r} is a link to a folder; copy the folder itself")
                else:
                    waiting.append(entry)
        return found


class ZipTree:
    """A `FileTree` over a zip archive; the archive stays in memory, packed."""

    def __init__(self, path: Path, *, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        """Reads an archive and checks its directory.

        Args:
            path: The archive.
            max_file_bytes: The most that one file in it may unpack to.

        Raises:
            DatasetError: It is not a zip archive, or breaks one of this module's rules.
        """
        self.where = str(path)
        self._below = ""  # the folder in the archive that is the root, ending in `/`
        self._archive = _open_archive(read_bounded(path), self.where)
        members = self._archive.infolist()
        _check_members(members, self.where, max_file_bytes)
        self._files = {m.filename: m for m in members if not m.is_dir() and not _left_behind(m.filename)}
        self._folders = {m.filename for m in members if m.is_dir() and not _left_behind(m.filename)}

    def names(self) -> list[str]:
        """The files, sorted."""
        return sorted(name[len(self._below) :] for name in self._files if name.startswith(self._below))

    def folders(self) -> list[str]:
        """The folders directly below the root, sorted."""
        paths = [name for name in (*self._files, *self._folders) if name.startswith(self._below)]
        tails = [path[len(self._below) :] for path in paths]
        return sorted({tail.split("/")[0] for tail in tails if "/" in tail})

    def step_into_only_folder(self, marker: str) -> None:
        """Makes the top folder the root, where it is the only top entry and holds `marker` or folders."""
        folders = self.folders()
        if len(folders) != 1 or any("/" not in name for name in self.names()):
            return
        self._below = f"{folders[0]}/"
        if not self.has(marker) and not self.folders():
            self._below = ""

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        _refuse_escape(name, self.where)
        return self._below + name in self._files

    def read(self, name: str) -> bytes:
        """The content of a file, with its CRC checked."""
        if not self.has(name):
            raise DatasetError(f"{self.where}: the file {name!r} is missing")
        try:
            return self._archive.read(self._files[self._below + name])
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise DatasetError(
                f"{self.where}: {name!r} is damaged ({error}); copy or download the archive again"
            ) from error
        except (NotImplementedError, RuntimeError) as error:  # a compression that Python lacks; a password
            raise DatasetError(f"{self.where}: {name!r} cannot be unpacked: {error}; pack it anew") from error


def read_bounded(path: Path) -> bytes:
    """The content of a file that holds a whole data set, or one split of it.

    Raises:
        DatasetError: It cannot be read, or has more than `MAX_TOTAL_BYTES`.
    """
    try:
        if path.stat().st_size > MAX_TOTAL_BYTES:
            raise DatasetError(f"{path}: is larger than {MAX_TOTAL_BYTES:,} bytes; split it into several data sets")
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def _open_archive(content: bytes, where: str) -> zipfile.ZipFile:
    try:
        try:  # some packers (macOS's) write names in UTF-8 without saying so
            return zipfile.ZipFile(io.BytesIO(content), metadata_encoding="utf-8")
        except UnicodeDecodeError:
            return zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError, struct.error) as error:
        raise DatasetError(
            f"{where}: is not a whole zip archive ({error}); it may be cut off: copy or download it again"
        ) from error


def _check_members(members: list[zipfile.ZipInfo], where: str, max_file_bytes: int) -> None:
    seen: set[str] = set()
    for member in members:
        if not member.filename:
            raise DatasetError(f"{where}: holds a file without a name; pack it anew")
        _refuse_escape(member.filename, where)
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DatasetError(f"{where}: {member.filename!r} is a symbolic link; pack the file itself")
        if member.filename in seen:
            raise DatasetError(f"{where}: holds {member.filename!r} twice; pack it anew")
        if member.file_size > max_file_bytes:
            raise DatasetError(f"{where}: {member.filename!r} unpacks to more than {max_file_bytes:,} bytes")
        seen.add(member.filename)
    if sum(member.file_size for member in members) > MAX_TOTAL_BYTES:
        raise DatasetError(f"{where}: unpacks to more than {MAX_TOTAL_BYTES:,} bytes; split it into several data sets")


def _refuse_escape(name: str, where: str) -> None:
    """Refuses a name that could point outside its tree, on this system or another."""
    windows_drive = len(name) > 1 and name[1] == ":"
    if "\\" in name or "\0" in name or windows_drive or name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise DatasetError(f"{where}: the name {name!r} leads out of the data set; use names relative to it")


def _left_behind(name: str) -> bool:
    return any(part.startswith(".") or part in _LEFT_BEHIND for part in PurePosixPath(name).parts)
