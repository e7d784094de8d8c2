"""Reading what appears in a folder, such as a scanner's, and writing what it says beside it.

    scan.png            a picture; never changed, moved or removed
    scan.png.txt        what it says, UTF-8
    scan.png.json       {"handfed": 1, "sha256", "release", "text", "confidence", "alternatives"}, or of a page "boxes"
                        (`handfed.clients.edge.answers`); of one that cannot be read {"handfed": 1, "sha256", "error"},
                        and then there is no .txt

Rules:
1. A picture counts as written when two looks, an interval apart, find the same file with the same size and times.
2. It was read when the .json beside it has the SHA-256 of its content. So a new start reads nothing twice, a picture
   that was replaced is read again, and who removes a .json has its picture read again, at any time: that a .txt was
   written from here is known without it (`handfed.clients.edge.serving.texts`).
3. The .json is written last, each file in one step, and with the picture's own permissions: who may see the picture may
   know what it says.
4. A .json or .txt that was not written from here is left as it is; its picture is told of, and not read.
5. Hidden files, symbolic links and files without a picture's suffix are passed over, and so is what vanishes meanwhile.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from handfed.clients.edge.answers import Question, answer, as_json
from handfed.clients.edge.pictures import read_picture
from handfed.clients.edge.serving.supply import Supply
from handfed.clients.edge.serving.texts import Texts
from handfed.shared.errors import ImageError, StorageError
from handfed.shared.files import sha256_of, write_atomically

LOCK: Final = ".handfed-watch.lock"
SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"})
LARGEST_BYTES: Final = 256_000_000  # of a picture: 32 million pixels with 16 bits a channel
_FORMAT: Final = 1
_LARGEST_JSON: Final = 64_000_000
_log: Final = logging.getLogger(__name__)


class Seen(NamedTuple):
    """What a look shows of a file, which changes when its content does."""

    inode: int
    size: int
    modified_ns: int
    changed_ns: int


@dataclass(frozen=True)
class Look:
    """What came of a look.

    Attributes:
        read: Pictures that were read now.
        failed: Pictures that were found now to be unreadable, or cannot be told of.
        waiting: Pictures that were perhaps not written to their end.
    """

    read: int = 0
    failed: int = 0
    waiting: int = 0


class Entry(NamedTuple):
    """A picture file in the folder.

    Attributes:
        path: The file.
        seen: What a look shows of it.
        is_told: Whether its .json is beside it.
    """

    path: Path
    seen: Seen
    is_told: bool


class ForeignFileError(StorageError):
    """Somebody else's file has the name of one that would be written."""


class Folder:
    """A folder whose pictures are read.

    Args:
        directory: The folder.
        supply: Gives the recogniser to use, and is asked once a picture.
        question: What is asked of each picture.
        recursive: Whether pictures in folders within it are read, too.
    """

    def __init__(self, directory: Path, supply: Supply, question: Question, *, recursive: bool = False) -> None:
        self._directory, self._supply, self._question, self._recursive = directory, supply, question, recursive
        self._before: dict[Path, Seen] = {}
        self._settled: dict[Path, Seen] = {}
        self._failing: dict[Path, Seen] = {}
        self._closed: set[Path] = set()
        self._texts = Texts(directory)

    def look(self, is_over: Callable[[], bool] = lambda: False) -> Look:
        """Reads what is new and was the same at the last look.

        Args:
            is_over: Whether to stop before the next picture.

        Raises:
            StorageError: The folder cannot be read.
            SettingError: A new release cannot do what is asked.
            ManifestError: The model breaks as it runs.
        """
        entries = list(self._pictures())
        seen = {entry.path: entry.seen for entry in entries}
        told = {entry.path: entry.seen for entry in entries if entry.is_told}
        before, self._before = self._before, seen
        for kept, now in ((self._settled, told), (self._failing, seen)):
            for path in [path for path, known in kept.items() if now.get(path) != known]:
                del kept[path]
        new = {path: found for path, found in seen.items() if path not in self._settled}
        read = failed = 0
        ready = sorted(path for path, found in new.items() if before.get(path) == found)
        for path in ready:
            if is_over():
                break
            done = self._take(path, seen[path])
            read, failed = read + (done is True), failed + (done is False)
        return Look(read, failed, len(new) - len(ready))

    def _take(self, path: Path, seen: Seen) -> bool | None:
        """Reads a picture and writes what it says: whether that succeeded; None where there was nothing to tell."""
        try:
            content = _content(path, LARGEST_BYTES)
            record = _record_of(path)
            is_new = record is None or record.get("sha256") != sha256_of(content)
            well = self._write(path, content, record) if is_new else None
        except FileNotFoundError:  # it was taken away meanwhile
            return None
        except (OSError, StorageError) as error:
            return self._complain(path, seen, error)
        self._settled[path] = seen
        return well

    def _write(self, path: Path, content: bytes, record: dict[str, Any] | None) -> bool:
        """Reads a picture's content and writes the files beside it: whether it can be read."""
        mode = (path.stat(follow_symlinks=False).st_mode & 0o666) | 0o600
        beside = _beside(path, ".txt")
        had = _existing(beside)
        ours = had is None or (record is not None and "text" in record) or self._texts.hold(path, had)
        result: dict[str, Any] = {"handfed": _FORMAT, "sha256": sha256_of(content)}
        try:
            result |= self._read(content)
        except ImageError as error:
            result["error"] = str(error)
            if ours:
                beside.unlink(missing_ok=True)
        else:
            text = f"{result['text']}\n".encode()
            if not ours and had != text:
                raise ForeignFileError("beside it is a .txt of somebody else's; move that")
            if had != text:
                self._texts.add(path, text)
            write_atomically(beside, text, mode=mode)
        write_atomically(_beside(path, ".json"), f"{json.dumps(result, indent=2)}\n".encode(), mode=mode)
        return "error" not in result

    def _read(self, content: bytes) -> dict[str, Any]:
        recogniser = self._supply()
        self._question.check(recogniser)
        picture = read_picture(content, where="the picture")
        return {"release": recogniser.release, **as_json(answer(recogniser, picture, self._question))}

    def _complain(self, path: Path, seen: Seen, error: OSError | StorageError) -> bool | None:
        """Tells once of what stands in the way; it is tried again with each look, as a disk may get room."""
        if self._failing.get(path) == seen:
            return None
        self._failing[path] = seen
        reason = str(error) if isinstance(error, ForeignFileError) else "it, or what is beside it, cannot be opened"
        _log.warning("a picture is not read: %s", reason)
        return False

    def _pictures(self) -> Iterator[Entry]:
        """Every picture file.

        Raises:
            StorageError: The folder cannot be read.
        """
        left = [self._directory]
        while left:
            directory = left.pop()
            try:
                with os.scandir(directory) as found:
                    entries = [entry for entry in found if not entry.name.startswith(".")]
                names = {entry.name for entry in entries}
                for entry in entries:
                    path = directory / entry.name
                    if self._recursive and entry.is_dir(follow_symlinks=False):
                        left.append(path)
                    elif path.suffix.lower() in SUFFIXES and entry.is_file(follow_symlinks=False):
                        seen = _seen(path)
                        if seen is not None:
                            yield Entry(path, seen, f"{entry.name}.json" in names)
            except OSError as error:
                if directory == self._directory:
                    raise StorageError(f"{directory}: cannot be read ({error.strerror}); see who owns it") from error
                if directory not in self._closed:
                    self._closed.add(directory)
                    _log.warning("a folder within cannot be read, or changed meanwhile")


def _seen(path: Path) -> Seen | None:
    """What a look shows of a file; None of one that has vanished since its folder was read."""
    try:
        found = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Seen(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _beside(picture: Path, suffix: str) -> Path:
    """The whole name counts: scan.png and scan.jpg are two pictures, and scan.txt is perhaps the scanner's own."""
    return picture.with_name(picture.name + suffix)


def _record_of(picture: Path) -> dict[str, Any] | None:
    """What was written of a picture before; None where nothing was.

    Raises:
        ForeignFileError: The file in its place is somebody else's.
        OSError: It cannot be read.
    """
    content = _existing(_beside(picture, ".json"))
    if content is None:
        return None
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or value.get("handfed") != _FORMAT:
        raise ForeignFileError("beside it is a .json of somebody else's; move that")
    return value


def _existing(path: Path) -> bytes | None:
    """The content of a file beside a picture; None where there is none.

    Raises:
        ForeignFileError: It is no file, or far too large to be of ours.
        OSError: It cannot be read.
    """
    try:
        return _content(path, _LARGEST_JSON)
    except FileNotFoundError:
        return None


def _content(path: Path, most: int) -> bytes:
    """The content of a regular file.

    Raises:
        ForeignFileError: It is no such file, such as a symbolic link, or larger than `most` bytes.
        OSError: It cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a FIFO would make us wait
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ForeignFileError("it, or what is beside it, is a symbolic link") from None
        raise
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise ForeignFileError(f"it, or what is beside it, is no file, or has more than {most:,} bytes")
        return file.read(most)
