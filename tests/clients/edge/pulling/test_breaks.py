"""Wherever a pull is broken off, by SIGKILL or by a power cut, the device recognises, and the next pull ends well."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from handfed.clients.edge.store import number_of

if TYPE_CHECKING:
    from tests.clients.edge.pulling.conftest import Device

HERE = Path(__file__).parent
Tree = dict[str, bytes | None]  # contents of files by path, each after its directory, which has none


@pytest.fixture
def well(monkeypatch: pytest.MonkeyPatch) -> None:
    from handfed.clients.edge import updater
    from handfed.clients.edge.health import Health

    monkeypatch.setattr(updater, "examine", lambda _release, latency_ms: Health(None, latency_ms=latency_ms))


@dataclass
class File:
    """What the disk holds of a file for certain: what was synced last."""

    synced: bytes = b""


@dataclass
class Directory:
    """Names as programs see them, and as they were when the directory was synced last."""

    seen: dict[str, File | Directory] = field(default_factory=dict)
    synced: dict[str, File | Directory] = field(default_factory=dict)


class Disk:
    """A file system that forgets what was not synced.

    Source: POSIX fsync(2): data with the file's, names with their directory's.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.top = self._read(root)

    def _read(self, path: Path) -> Directory:
        entries: dict[str, File | Directory] = {
            each.name: self._read(each) if each.is_dir() else File(each.read_bytes()) for each in path.iterdir()
        }
        return Directory(entries, dict(entries))

    def _at(self, path: str) -> tuple[Directory, str] | None:
        """The directory of a path and its name there; None of a path elsewhere."""
        try:
            *parts, name = Path(path).relative_to(self.root).parts
        except ValueError:
            return None
        directory = self.top
        for part in parts:
            found = directory.seen[part]
            assert isinstance(found, Directory)
            directory = found
        return directory, name

    def apply(self, kind: str, path: str, more: Any = None) -> None:
        if kind == "sync" and path == str(self.root):
            self.top.synced = dict(self.top.seen)
            return
        place = self._at(path)
        if place is None:
            return
        directory, name = place
        if kind in {"create", "symlink"}:
            directory.seen[name] = File()
        elif kind == "mkdir":
            directory.seen.setdefault(name, Directory())
        elif kind == "remove":
            directory.seen.pop(name, None)
        elif kind == "rename":
            target = self._at(more)
            assert target is not None
            target[0].seen[target[1]] = directory.seen.pop(name)
        elif kind == "sync":
            node = directory.seen[name]
            if isinstance(node, Directory):
                node.synced = dict(node.seen)
            else:
                node.synced = more

    def after_a_cut(self, *, names_kept: bool) -> Tree:
        """No unsynced data; unsynced names are all there, or none is."""
        found: Tree = {}

        def read(directory: Directory, at: str) -> None:
            for name, node in (directory.seen if names_kept else directory.synced).items():
                found[f"{at}{name}"] = node.synced if isinstance(node, File) else None
                if isinstance(node, Directory):
                    read(node, f"{at}{name}/")

        read(self.top, "")
        return found


def write(tree: Tree, to: Path) -> Path:
    to.mkdir()
    for name, content in tree.items():
        if content is None:
            (to / name).mkdir()
        else:
            (to / name).write_bytes(content)
    return to


def after_each_cut(start: Disk, changes: list[tuple[Any, ...]], to: Path) -> Iterator[Path]:
    """What the disk holds after a power cut at each point of a recording, each different tree once."""
    known: list[Tree] = []
    for number, change in enumerate([("mkdir", "/nowhere"), *changes]):
        start.apply(*change)
        for names_kept in (False, True):
            tree = start.after_a_cut(names_kept=names_kept)
            if tree not in known:
                known.append(tree)
                yield write(tree, to / f"{number}-{names_kept}")


def reads_as_it_says(device: Device) -> int:
    """The release that reads; it is the one that the state names, which nobody had to go back from."""
    current = device.store.state().current
    assert current is not None
    assert device.reads() == number_of(current)
    return number_of(current)


def version_of(folder: Path, role: str) -> int:
    content = json.loads((folder / "recogniser" / "trust" / f"{role}.json").read_bytes())
    return int(content["signed"]["version"])


def test_after_a_power_cut_at_each_point_of_a_pull_it_recognises_and_forgets_no_version(
    device: Device, tmp_path: Path, well: None
) -> None:
    del well
    device.registry.rotate("timestamp")
    device.registry.offer(2)
    device.reads()
    options = device.options()
    alias = device.store.state().alias
    before = {role: version_of(device.folder, role) for role in ("timestamp", "snapshot")}
    start, log = Disk(device.folder), tmp_path / "log"
    subprocess.run([sys.executable, HERE / "record_pull.py", log, "pull", *options, "--json"], check=True, timeout=120)
    assert device.store.state().current == "".join(name for name in device.store.on_disk() if name.startswith("0002-"))
    changes = pickle.loads(log.read_bytes())  # noqa: S301 - written a moment ago
    assert len([change for change in changes if change[0] == "sync"]) > 20
    found, pulled = set(), 0
    (tmp_path / "trees").mkdir()
    for tree in after_each_cut(start, changes, tmp_path / "trees"):
        device.folder = tree
        found.add(reads_as_it_says(device))
        assert device.store.state().alias == alias  # nothing was made up for a damaged file
        for role, version in before.items():
            assert version_of(tree, role) >= version
        if int(tree.name.partition("-")[0]) % 12 == 0:
            assert device.pull().current == 2
            assert device.reads() == 2
            pulled += 1
    assert found == {1, 2}
    assert pulled > 3


@pytest.mark.parametrize(
    ("times", "tried"),
    [(20, False), pytest.param(100, False, marks=pytest.mark.slow), pytest.param(100, True, marks=pytest.mark.slow)],
)
def test_after_a_kill_at_any_moment_it_recognises(
    device: Device, tmp_path: Path, well: None, times: int, *, tried: bool
) -> None:
    del well
    device.registry.offer(2)
    device.reads()
    (device.folder / "ca.pem").write_bytes(device.source.ca)
    (device.folder / "root.json").write_bytes(device.source.root)
    copies = tmp_path / "copies"
    copies.mkdir()
    program: list[str | Path] = [sys.executable, HERE / "kill_pulls.py", device.folder, copies]
    program += [device.source.address.authority, str(times), "0", str(int(tried))]
    subprocess.run(program, check=True, timeout=600)
    found = []
    for number in range(times):
        device.folder = copies / str(number)
        found.append(reads_as_it_says(device))
        if number % 5 == 0:
            assert device.pull().current == 2
            assert device.reads() == 2
    assert set(found) == {1, 2}
