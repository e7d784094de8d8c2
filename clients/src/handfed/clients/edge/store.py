"""The releases that a device holds, and which one it uses.

    <device's folder>/recogniser/
    ├── state.json      which release is used, and what happened (`handfed.clients.edge.state`)
    ├── releases/       verified and tried: `NNNN-<12 digits of its manifest's SHA-256>`, a release directory each
    ├── incoming/       what is being fetched, likewise named
    ├── trust/          what the device knows of the registry (`handfed.clients.edge.trust`)
    └── *.lock          held while somebody pulls, or writes state.json

Rules:
1. A switch is one atomic write of state.json. Before it, every file of the release is on the disk, and synced.
2. The last two good releases stay. One that is being tried stays beside them.
3. A release that has not proved itself is opened, and reads its first picture, under a mark: a process that does not
   come back from there has crashed. After two crashes the release is quarantined and the one before is used. Marks of
   one process are one crash; one of an earlier start of the machine is none: the power was cut.
4. Nothing here is a symbolic link; one is refused, wherever it leads.
5. The last release that is left is given up for nothing but a withdrawal.
6. Whoever reads needs no disk that can be written: what it decides then holds for it alone, in memory, and is written
   with the next change that can be.

Source: flock(2), rename(2), fsync(2).
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from handfed.clients.edge.marks import Mark
from handfed.clients.edge.state import Quarantine, Reason, State
from handfed.shared.errors import ManifestError, StorageError
from handfed.shared.files import make_private, sync_directory, write_atomically

DIRECTORY: Final = "recogniser"
CRASHES: Final = 2
STATE: Final = "state.json"
_STATE_LOCK: Final = "state.lock"
_NAME: Final = re.compile(r"([0-9]{4,9})-[0-9a-f]{12}")


class LinkError(StorageError):
    """A symbolic link is in the place of a file or directory of the store."""


@dataclass(frozen=True)
class _Unwritten:
    """What was decided while the disk could not be written.

    Attributes:
        over: The content of state.json at that time; what another process writes counts more.
        state: What holds here instead.
    """

    over: bytes | None
    state: State


class Store:
    """What one device holds, for any number of processes; an object is one thread's.

    Attributes:
        directory: Where it is.

    Args:
        folder: The device's folder; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.directory = folder / DIRECTORY
        self.releases = self.directory / "releases"
        self.incoming = self.directory / "incoming"
        self.trust = self.directory / "trust"
        self._unwritten: _Unwritten | None = None

    def make(self) -> None:
        """Makes the directories, which only their owner may enter.

        Raises:
            LinkError: One of them is a symbolic link.
            StorageError: They cannot be made.
        """
        for directory in (self.directory, self.releases, self.incoming, self.trust):
            refuse_link(directory)
            make_private(directory)
        sync_directory(self.directory)
        sync_directory(self.directory.parent)
        with self._alone():
            refuse_link(self.directory / STATE)
            if not (self.directory / STATE).exists():
                write_atomically(self.directory / STATE, State().encode())

    def state(self) -> State:
        """What is used, and what happened.

        Where the file is damaged, the newest release on the disk counts as the one in use: it is tested when opened.

        Raises:
            LinkError: The file is a symbolic link.
            StorageError: It cannot be read, or is of a newer format.
        """
        content = self._content()
        if self._unwritten is not None and self._unwritten.over == content:
            return self._unwritten.state
        self._unwritten = None
        if content is None:
            return State()
        try:
            return State.decode(content)
        except ValueError:
            found = sorted(self.on_disk(), key=number_of)
            return State(current=found[-1] if found else None, previous=tuple(found[-2:-1]))

    def _content(self) -> bytes | None:
        path = self.directory / STATE
        refuse_link(self.directory)
        refuse_link(path)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}; run this as the user who pulls") from error

    def change(self, change: Callable[[State], State]) -> State:
        """Changes the state in one step, whoever else wants to.

        Args:
            change: Makes the new state of the present one.

        Raises:
            LinkError: A file is a symbolic link.
            StorageError: It cannot be written; what was before holds.
        """
        with self._alone():
            before = self.state()
            after = change(before)
            if after != before or self._unwritten is not None:
                write_atomically(self.directory / STATE, after.encode())
                self._unwritten = None
            return after

    def decide(self, change: Callable[[State], State]) -> State:
        """As `change`, for whoever reads: where the disk cannot be written, what comes of it holds here (rule 6).

        Args:
            change: Makes the new state of the present one.

        Raises:
            LinkError: The file is a symbolic link.
            StorageError: It cannot be read, or is of a newer format.
        """
        before = self.state()
        if change(before) == before:
            return before
        try:
            return self.change(change)
        except StorageError:
            self._unwritten = _Unwritten(self._content(), change(self.state()))
            return self._unwritten.state

    @contextmanager
    def _alone(self) -> Iterator[None]:
        path = self.directory / _STATE_LOCK
        refuse_link(path)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}; run this as the user who pulls") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def on_disk(self) -> list[str]:
        """Names of the releases whose directories are here, used or not."""
        try:
            entries = list(self.releases.iterdir())
        except OSError:
            return []
        return [entry.name for entry in entries if _NAME.fullmatch(entry.name) and not entry.is_symlink()]

    def path(self, name: str) -> Path:
        """The directory of a release, all of whose files are real ones.

        Raises:
            ManifestError: The name is none.
            LinkError: A symbolic link is there.
        """
        if not _NAME.fullmatch(name):
            raise ManifestError(f"{name!r} is no release of this device; see handfed edge list")
        directory = self.releases / name
        for path in (self.releases, directory):
            refuse_link(path)
        with suppress(OSError):  # what is missing is said when it is read
            for path in directory.iterdir():
                refuse_link(path)
        return directory

    def settle(self, name: str) -> None:
        """Puts a release in its place, whose files are in `incoming`, synced; one that is there already stays.

        Raises:
            LinkError: A symbolic link is in the way.
            StorageError: The disk cannot be written.
        """
        incoming, directory = self.incoming / name, self.releases / name
        try:
            if incoming.exists():
                remove(directory)
                incoming.rename(directory)
                sync_directory(self.releases)
                sync_directory(self.incoming)
        except OSError as error:
            raise StorageError(f"cannot write {self.releases}: {error.strerror}; free space") from error

    def switch(self, name: str, task: str) -> None:
        """Uses another release, whose files are in `incoming`, synced, or in `releases`.

        Raises:
            LinkError: A symbolic link is in the way.
            StorageError: The disk cannot be written; what was used is used.
        """
        self.settle(name)
        self.change(lambda state: state.switched(name, task).with_fact("switched", name, None, now()))

    def give_up(self, name: str, reason: Reason) -> str | None:
        """Uses a release no more, and goes back where it was in use.

        Args:
            name: The release.
            reason: Why. What is damaged may be fetched again; else it is quarantined.

        Returns:
            What is used now; None where nothing is left (rule 5: only after a withdrawal).

        Raises:
            ManifestError: It is the last one, which stays.
            StorageError: The disk cannot be written.
        """
        return self.change(lambda state: given_up(state, name, reason)).current

    def is_quarantined(self, name: str) -> Reason | None:
        """Why a release is not to be tried; None where it may be."""
        found = self.state().quarantined.get(name)
        if found is None or (found.reason is not Reason.BY_HAND and found.software != software()):
            return None
        return found.reason

    def next_to_use(self) -> str:
        """The release to open now. A crash of the process before is counted, and the second one leads back.

        Raises:
            ManifestError: There is none.
            StorageError: The state cannot be read.
        """
        current = self.decide(_guarded).current
        if current is None:
            raise ManifestError(f"this device holds no release ({self.directory}): run handfed edge pull")
        return current

    @contextmanager
    def marked(self, name: str) -> Iterator[None]:
        """Marks this process as at work with a release that has not proved itself (rule 3)."""
        mark = Mark.here(name)

        def begin(state: State) -> State:
            state = _counted(state)
            return state if state.proved or state.current != name else replace(state, marks=(*state.marks, mark))

        self.decide(begin)
        try:
            yield
        finally:  # whatever Python lives to see is no crash
            self.decide(lambda state: replace(state, marks=tuple(each for each in state.marks if each != mark)))

    def prove(self, name: str) -> None:
        """Says that a release has read a picture; those older than the one before it go with the next pull."""
        self.decide(lambda state: state.proven() if state.current == name and not state.proved else state)

    def tidy(self) -> None:
        """Removes what no longer counts, of releases and of fetches that broke off; for whoever pulls.

        Raises:
            LinkError: A directory of the store is a symbolic link.
            StorageError: Something cannot be removed.
        """
        kept = self.state().kept
        for directory in (self.releases, self.incoming):
            refuse_link(directory)
            for entry in directory.iterdir():
                if directory == self.incoming or entry.name not in kept:
                    remove(entry)


def number_of(name: str) -> int:
    """The number of the release in a directory of that name."""
    return int(name.partition("-")[0])


def name_of(release: int, manifest_sha256: str) -> str:
    """The directory's name of a release: a number that another federation uses too is no clash.

    Args:
        release: Its number.
        manifest_sha256: SHA-256 of its manifest, hex.
    """
    return f"{release:04d}-{manifest_sha256[:12]}"


def remove(path: Path) -> None:
    """Removes a file, a link or a directory, if it is there.

    Raises:
        StorageError: It cannot be removed.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror}; remove it by hand") from error


def refuse_link(path: Path) -> None:
    """Refuses a symbolic link.

    Raises:
        LinkError: It is one.
    """
    if path.is_symlink():
        raise LinkError(
            f"refused by the rule 'link': {path} is a symbolic link, and none is followed where this device keeps "
            "releases; remove it"
        )


def software() -> str:
    """What runs here, as far as a release may work or not because of it."""
    found = []
    for name in ("handfed-clients", "ai-edge-litert"):
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return ", ".join(found)


def now() -> str:
    """The time of this machine's clock, RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def given_up(state: State, name: str, reason: Reason) -> State:
    """With a release given up, as `Store.give_up` does it.

    Raises:
        ManifestError: It is the last one, which stays.
    """
    if state.current == name and not state.previous and reason is not Reason.WITHDRAWN:
        raise ManifestError(
            f"release {number_of(name)} is not well here ({reason}), and there is none to go back to; run "
            "handfed edge pull"
        )
    again = reason in {Reason.DAMAGED, Reason.WITHDRAWN}
    after = state.without(name, None if again else Quarantine(reason, software()))
    if state.current == name:
        after = after.with_fact("returned", name, reason, now())
    return after if again else after.with_fact("quarantined", name, reason, now())


def _guarded(state: State) -> State:
    """With crashes counted, and the release left that has had too many, where there is another."""
    state = _counted(state)
    if state.current is None or state.crashes < CRASHES or not state.previous:
        return state
    return given_up(state, state.current, Reason.CRASH)


def _counted(state: State) -> State:
    """With the marks of processes that have ended turned into crashes."""
    crashed = {
        (each.process, each.started) for each in state.marks if each.release == state.current and each.has_crashed
    }
    alive = tuple(each for each in state.marks if each.is_alive)
    return replace(state, marks=alive, crashes=state.crashes + len(crashed))
