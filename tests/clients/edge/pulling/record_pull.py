"""Pulls once, and writes down each change of the file system in order, with what was synced: `record_pull LOG PULL...`.

PULL are the command's arguments. The log is a pickled list of tuples:

    ("create", path), ("mkdir", path), ("symlink", path), ("rename", from, to), ("remove", path),
    ("sync", path, content) of a file, ("sync", path, None) of a directory
"""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

changes: list[tuple[Any, ...]] = []
begun = False


def absolute(path: Any, directory: int = -1) -> str:
    name = Path(os.fsdecode(path))
    if directory not in {-1, None}:
        name = Path(f"/proc/self/fd/{directory}").readlink() / name
    return str(name if name.is_absolute() else Path.cwd() / name)


def heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not begun:
        return
    if event == "open" and not isinstance(arguments[0], int) and arguments[2] & (os.O_CREAT | os.O_TRUNC):
        if not Path(os.fsdecode(arguments[0])).is_dir():  # of tempfile: the file has an event of its own
            changes.append(("create", absolute(arguments[0])))
    elif event == "os.mkdir":
        changes.append(("mkdir", absolute(arguments[0], arguments[2])))
    elif event == "os.symlink":
        changes.append(("symlink", absolute(arguments[1], arguments[2])))
    elif event == "os.rename":
        changes.append(("rename", absolute(arguments[0], arguments[2]), absolute(arguments[1], arguments[3])))
    elif event in {"os.remove", "os.rmdir"}:
        changes.append(("remove", absolute(arguments[0], arguments[1])))


def main() -> None:
    global begun  # noqa: PLW0603 - a hook cannot be taken back
    from handfed.clients.edge.update_cli import commands

    sync = os.fsync

    def fsync(handle: Any) -> None:
        sync(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        changes.append(("sync", str(path), None if path.is_dir() else path.read_bytes()))

    vars(os)["fsync"] = fsync
    sys.addaudithook(heard)
    begun = True
    try:
        commands(sys.argv[2:], standalone_mode=False)
    finally:
        begun = False
        Path(sys.argv[1]).write_bytes(pickle.dumps(changes))


if __name__ == "__main__":
    main()
