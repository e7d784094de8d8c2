"""Power cuts: what a program wrote and synced, recorded by strace, and what a disk may hold after a cut at each point.

Rules:
1. What was synced is there. Of what was written since, any part may be: here nothing, all of it, and a random half of
   the writes with one of them torn at a sector.
2. A new or removed name is certain when its directory was synced; before, it is there or not.
3. What programs share in memory (`-shm` files of SQLite) is no record: it is gone.

Source: POSIX fsync(2), and what SQLite takes for granted of disks (https://sqlite.org/atomiccommit.html, 2);
strace(1), options -y and -xx.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from handfed.shared.errors import HandfedError, MissingExtraError

SECTOR: Final = 512
Tree = dict[str, bytes | None]  # contents of files by path, each after its directory, which has none

_CALLS: Final = "open,openat,creat,write,pwrite64,ftruncate,fsync,fdatasync,unlink,unlinkat,rename,mkdir,mkdirat"
_KINDS: Final = {
    "pwrite64": "write", "ftruncate": "truncate", "fsync": "sync", "fdatasync": "sync", "mkdir": "mkdir",
    "mkdirat": "mkdir", "unlink": "remove", "unlinkat": "unknown", "rename": "rename",
}  # fmt: skip
_LINE: Final = re.compile(r"^\d+ +(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_PATH: Final = re.compile(r"<(?P<hex>(?:\\x[0-9a-f]{2})+)>")
_TEXT: Final = re.compile(r'"(?P<hex>(?:\\x[0-9a-f]{2})*)"')
_NUMBER: Final = re.compile(r", (\d+)$")


@dataclass(frozen=True)
class Change:
    """One change of the file system, in order.

    Attributes:
        kind: create, mkdir, write, append, truncate, remove, rename, sync; or say, on its standard output.
        path: Of what; empty of what was said.
        content: What was written or said; of `rename`, the new path.
        offset: Where; of `truncate`, the length that is left.
    """

    kind: str
    path: str = ""
    content: bytes = b""
    offset: int = 0


def recorded(command: Sequence[str], log: Path) -> list[Change]:
    """Runs a program, and tells what it changed.

    Args:
        command: The program.
        log: A file to record in.

    Raises:
        MissingExtraError: There is no strace here.
        HandfedError: The program failed, or did something that is not understood.
    """
    strace = shutil.which("strace")
    if strace is None:
        raise MissingExtraError("strace", "apt install strace")
    watched = [strace, "-f", "-y", "-xx", "-s", "100000000", "-e", f"trace={_CALLS}", "-o", str(log)]
    done = subprocess.run([*watched, *command], capture_output=True, check=False)  # noqa: S603 - a program of ours
    if done.returncode:
        raise HandfedError(f"the program that is recorded failed: {done.stderr.decode(errors='replace')}")
    return [change for line in _whole_lines(log) if (change := _change(line)) is not None]


def _whole_lines(log: Path) -> Iterator[str]:
    """The lines, with calls put together that another thread's interrupted."""
    begun: dict[str, str] = {}
    for line in log.read_text(encoding="ascii").splitlines():
        process = line.split(maxsplit=1)[0]
        if line.endswith(" <unfinished ...>"):
            begun[process] = line.removesuffix(" <unfinished ...>")
        elif " resumed>" in line:
            yield begun.pop(process) + line.partition(" resumed>")[2]
        else:
            yield line


def _change(line: str) -> Change | None:
    found = _LINE.match(line)
    if found is None or int(found["result"]) < 0:
        return None
    arguments, kind = found["arguments"], _KINDS.get(found["call"])
    if found["call"] == "write":
        kind = "say" if arguments.startswith("1<") else "append"
    elif "O_CREAT" in arguments:
        kind = "create"
    if kind is None:
        return None
    texts = [_decoded(each["hex"]) for each in _TEXT.finditer(arguments)]
    if kind == "rename":
        return Change(kind, texts[0].decode(), texts[1])
    on, number = _PATH.search(arguments), _NUMBER.search(arguments)
    path = _decoded(on["hex"]) if on else b""
    return Change(
        kind,
        (texts[-1] if kind in {"create", "mkdir", "remove"} else path).decode(),
        texts[0] if kind in {"say", "write", "append"} else b"",
        int(number[1]) if number and kind in {"write", "truncate"} else 0,
    )


def _decoded(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


@dataclass
class File:
    """A file: what is synced, and the writes since, each with its offset; a truncation has no content."""

    synced: bytes = b""
    since: list[tuple[int, bytes | None]] = field(default_factory=list)

    def content(self, kept: Sequence[tuple[int, bytes | None]]) -> bytes:
        """What the file holds when these writes have reached the disk."""
        found = bytearray(self.synced)
        for offset, content in kept:
            if content is None:
                del found[offset:]
            found.extend(bytes(max(0, offset - len(found))))
            if content is not None:
                found[offset : offset + len(content)] = content
        return bytes(found)


@dataclass
class Directory:
    """Names as programs see them, and as they were when the directory was synced last."""

    seen: dict[str, File | Directory] = field(default_factory=dict)
    synced: dict[str, File | Directory] = field(default_factory=dict)


class Disk:
    """A disk that may forget what was not synced.

    Args:
        root: The directory that it holds, as it is now; changes elsewhere are passed over.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.top = _read(root)

    def apply(self, change: Change) -> None:
        """Makes a change.

        Raises:
            HandfedError: It is of a kind that is not understood.
        """
        place = self._place(change.path)
        if place is None:
            return
        directory, name = place
        node = directory.seen.get(name) if name else directory
        if change.kind == "create":
            directory.seen.setdefault(name, File())
        elif change.kind == "mkdir":
            directory.seen.setdefault(name, Directory())
        elif change.kind == "remove":
            directory.seen.pop(name)
        elif node is not None and change.kind == "rename" and (to := self._place(change.content.decode())):
            to[0].seen[to[1]] = directory.seen.pop(name)
        elif isinstance(node, File) and change.kind == "append":
            node.since.append((len(node.content(node.since)), change.content))
        elif isinstance(node, File) and change.kind in {"write", "truncate"}:
            node.since.append((change.offset, change.content if change.kind == "write" else None))
        elif isinstance(node, File) and change.kind == "sync":
            node.synced, node.since = node.content(node.since), []
        elif isinstance(node, Directory) and change.kind == "sync":
            node.synced = dict(node.seen)
        else:
            raise HandfedError(f"{change.kind} of {change.path} is not understood")

    def _place(self, path: str) -> tuple[Directory, str] | None:
        """The directory of a path, and its name there, empty of the root; None of what is elsewhere.

        Raises:
            HandfedError: It is in no directory.
        """
        try:
            parts = Path(path).relative_to(self._root).parts
        except ValueError:
            return None
        directory: Directory = self.top
        for part in parts[:-1]:
            found = directory.seen[part]
            if not isinstance(found, Directory):
                raise HandfedError(f"{path} is in no directory")
            directory = found
        return directory, parts[-1] if parts else ""

    def after_a_cut(self, chance: random.Random) -> Iterator[Tree]:
        """What it may hold after a power cut now."""
        for names_kept in (False, True):
            yield self._tree(lambda _: [], names_kept=names_kept)
        yield self._tree(lambda file: file.since, names_kept=True)
        yield self._tree(lambda file: _half(file.since, chance), names_kept=True)

    def _tree(self, kept: Callable[[File], Sequence[tuple[int, bytes | None]]], *, names_kept: bool) -> Tree:
        found: Tree = {}

        def read(directory: Directory, at: str) -> None:
            for name, node in (directory.seen if names_kept else directory.synced).items():
                if isinstance(node, Directory):
                    found[f"{at}{name}"] = None
                    read(node, f"{at}{name}/")
                elif not name.endswith("-shm"):
                    found[f"{at}{name}"] = node.content(kept(node))

        read(self.top, "")
        return found


def _read(path: Path) -> Directory:
    entries: dict[str, File | Directory] = {
        each.name: _read(each) if each.is_dir() else File(each.read_bytes()) for each in path.iterdir()
    }
    return Directory(entries, dict(entries))


def _half(writes: Sequence[tuple[int, bytes | None]], chance: random.Random) -> list[tuple[int, bytes | None]]:
    """A random half of the writes, one of them torn."""
    kept = [write for write in writes if chance.random() < 0.5]  # noqa: PLR2004 - half
    if kept:
        place = chance.randrange(len(kept))
        offset, content = kept[place]
        if content is not None and len(content) > SECTOR:
            kept[place] = offset, content[: SECTOR * chance.randrange(1, 1 + len(content) // SECTOR)]
    return kept


def write(tree: Tree, to: Path) -> Path:
    """Writes what a disk holds into a new directory."""
    to.mkdir()
    for name, content in tree.items():
        if content is None:
            (to / name).mkdir()
        else:
            (to / name).write_bytes(content)
    return to
