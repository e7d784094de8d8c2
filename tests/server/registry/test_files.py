"""A change of the registry happens as a whole or not at all, whenever it breaks off and whoever else is at it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from handfed.server.registry.custody import KeyCustody
from handfed.server.registry.files import RegistryFiles, metadata_file, newest_root, registry_in, target_file
from handfed.server.registry.service import Registry
from handfed.shared.errors import SettingError, StorageError
from handfed.shared.registry import Channel

if TYPE_CHECKING:
    from tests.server.registry.conftest import Device, Server

NewDevice = Callable[..., "Device"]
Releases = Callable[..., Path]


class _PowerCutError(BaseException):
    pass


class Cut:
    """Lets so many changes of the file system pass, and none after them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, disk_is_full: bool = False) -> None:
        self._monkeypatch = monkeypatch
        self._error = OSError(28, "No space left on device") if disk_is_full else _PowerCutError()
        writing = [(Path, "replace"), (Path, "rename"), (os, "link"), (os, "mkdir")]
        self._stopped = writing if disk_is_full else [*writing, (Path, "unlink")]

    def after(self, left: int) -> None:
        remaining = [left]

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def do(*given: Any, **more: Any) -> Any:
                if not remaining[0]:
                    raise self._error
                remaining[0] -= 1
                return real(*given, **more)

            return do

        for owner, name in self._stopped:
            self._monkeypatch.setattr(owner, name, counted(getattr(owner, name)))

    def over(self) -> None:
        self._monkeypatch.undo()


def rotate(role: str) -> Callable[[Registry, Releases], object]:
    return lambda registry, _: KeyCustody(registry.repository).rotate(role)


def lose_and_revoke(registry: Registry, _: Releases) -> None:
    key = registry.status()[-1].keys[0].keyid
    registry.repository.keys.path(key).unlink(missing_ok=True)
    KeyCustody(registry.repository).revoke(key)


CHANGES: dict[str, Callable[[Registry, Releases], object]] = {
    "add a release": lambda registry, release: registry.add_release(2, release(2, "words"), task="words"),
    "set a channel": lambda registry, _: registry.set_channel(Channel("digits", None, None, (1,))),
    "rotate root": rotate("root"),
    "rotate targets": rotate("targets"),
    "rotate timestamp": rotate("timestamp"),
    "revoke a key that was lost": lose_and_revoke,
}


def state(registry: Registry, known: set[str]) -> object:
    """All that a change can change but times and versions; of keys, how many a role has, and how many of the known."""
    keys = [(len(one.keys), len(known & {key.keyid for key in one.keys})) for one in registry.status()]
    pins = sorted(registry.repository.current()["channels"].signed.targets)
    return registry.releases(), registry.channels(), keys, pins


def has_keys_that_match(registry: Registry) -> bool:
    return all(one.signs_here for one in registry.status())


@pytest.fixture
def begun(registry: Registry, release: Releases, server: Server, tmp_path: Path) -> Callable[[], Registry]:
    """Makes the same registry again and again."""
    registry.add_release(1, release(1), task="digits")
    shutil.copytree(server.registry, tmp_path / "begun")

    def again() -> Registry:
        shutil.rmtree(server.registry)
        shutil.copytree(tmp_path / "begun", server.registry)
        return Registry(server.registry)

    return again


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_breaks_off_anywhere_leaves_the_old_state_or_the_new(
    begun: Callable[[], Registry],
    release: Releases,
    new_device: NewDevice,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    registry = begun()
    known = {key.keyid for one in registry.status() for key in one.keys}
    before = state(registry, known)
    CHANGES[change](registry, release)
    states = [before, state(registry, known)]
    whole, passed = False, 0
    while not whole:
        registry, cut = begun(), Cut(pytest.MonkeyPatch())
        device = new_device()
        cut.after(passed)
        try:
            CHANGES[change](registry, release)
            whole = True
        except _PowerCutError:
            passed += 1
        finally:
            cut.over()
        if change != "revoke a key that was lost":  # only that leaves a moment in which nothing verifies
            device.updater()
        with registry.repository.files.changing():  # whoever comes next
            pass
        assert state(registry, known) in states
        assert has_keys_that_match(registry) or (change, state(registry, known)) == (change, before)
        device.updater()
        CHANGES[change](registry, release)
        assert has_keys_that_match(registry)
        assert device.channel() == registry.channels()["digits"]
        assert not (registry.repository.files.directory / "change.json").exists()
    assert passed >= 3


def test_a_disk_that_is_full_at_any_write_costs_no_key(
    begun: Callable[[], Registry], new_device: NewDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    whole, passed = False, 0
    while not whole:
        registry, cut = begun(), Cut(pytest.MonkeyPatch(), disk_is_full=True)
        device = new_device()
        cut.after(passed)
        try:
            KeyCustody(registry.repository).rotate("root")
            whole = True
        except StorageError:
            passed += 1
        finally:
            cut.over()
        with registry.repository.files.changing():
            pass
        assert has_keys_that_match(registry)
        registry.renew(["root"])
        device.updater()
    assert passed >= 4


LOOP = """
import sys; from pathlib import Path; from handfed.server.registry.service import Registry
from handfed.server.registry.custody import KeyCustody; from handfed.shared.registry import Channel
registry = Registry(Path(sys.argv[1])); custody = KeyCustody(registry.repository)
while True:
    registry.set_channel(Channel("digits", 1, None, ()))
    registry.set_channel(Channel("digits", 1, None, (2,)))
    custody.rotate("timestamp"); custody.rotate("root")
    print("once", flush=True)
"""


def test_a_process_that_is_killed_leaves_a_registry_that_verifies(
    registry: Registry, release: Releases, server: Server, new_device: NewDevice
) -> None:
    registry.add_release(1, release(1), task="digits")
    device = new_device()
    for rounds in range(3):
        command = [sys.executable, "-c", LOOP, str(server.registry)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(rounds + 1):
                assert process.stdout.readline() == "once\n"
            process.send_signal(signal.SIGKILL)
        device.updater()
        registry.renew(["timestamp"])
        assert device.channel() in {Channel("digits", 1), Channel("digits", 1, None, (2,))}


CHANNELS = """
import sys; from pathlib import Path; from handfed.server.registry.service import Registry
from handfed.shared.registry import Channel
registry = Registry(Path(sys.argv[1]))
for number in range(8):
    registry.set_channel(Channel(f"{sys.argv[2]}{number}", 1))
"""


def test_two_processes_at_once_lose_nothing_of_each_other(
    registry: Registry, release: Releases, server: Server, new_device: NewDevice
) -> None:
    registry.add_release(1, release(1), task="digits")
    processes = [subprocess.Popen([sys.executable, "-c", CHANNELS, str(server.registry), name]) for name in "ab"]
    assert [process.wait() for process in processes] == [0, 0]
    assert registry.channels().keys() == {"digits", *(f"{name}{number}" for name in "ab" for number in range(8))}
    assert new_device().channel("a0") == Channel("a0", 1)


def test_a_process_that_waits_too_long_is_told_why(registry: Registry) -> None:
    files = registry.repository.files
    with (
        files.changing(),
        pytest.raises(SettingError, match="another process is at the registry"),
        files.changing(0.05),
    ):
        pass
    with files.changing(0.05):
        pass


def test_a_registry_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    whole, passed = False, 0
    while not whole:
        directory, cut = registry_in(tmp_path / str(passed)), Cut(pytest.MonkeyPatch())
        cut.after(passed)
        try:
            Registry(directory).ensure()
            whole = True
        except _PowerCutError:
            passed += 1
        finally:
            cut.over()
        assert directory.exists() == Registry(directory).repository.files.exists()
        Registry(directory).ensure()
        assert has_keys_that_match(Registry(directory))
    assert passed > 10


def test_only_its_owner_may_enter_the_registry_or_read_a_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        registry = Registry(tmp_path / "registry")
        registry.ensure()
        registry.renew(["root", "timestamp"])
    finally:
        os.umask(before)
    paths = [registry.repository.files.directory, *(registry.repository.files.directory / "keys").iterdir()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in paths)


def test_another_user_changes_nothing_that_the_server_could_not_read_then(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(StorageError, match="run this as that user"):
        registry.renew(["timestamp"])


def test_a_change_that_a_newer_handfed_left_is_not_guessed_at(registry: Registry) -> None:
    log = registry.repository.files.directory / "change.json"
    log.write_text('{"format": 2, "deeds": []}')
    with pytest.raises(StorageError, match="update this software"):
        registry.renew(["timestamp"])
    assert log.exists()


def test_a_full_disk_is_said(registry: Registry, monkeypatch: pytest.MonkeyPatch, release: Releases) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(StorageError, match="No space left"):
        registry.add_release(1, release(1), task="digits")
    assert registry.releases() == frozenset()


def test_where_the_file_system_has_no_links_files_are_copied(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, release: Releases, new_device: NewDevice
) -> None:
    def none(*_: Any, **__: Any) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    registry.add_release(1, release(1), task="digits")
    assert new_device().model(1) == (release(1) / "model.tflite").read_bytes()


def test_names_of_files(tmp_path: Path) -> None:
    assert metadata_file("timestamp", 7) == "metadata/timestamp.json"
    assert metadata_file("root", 7) == "metadata/7.root.json"
    assert target_file("releases/0003/manifest.json", "ab") == "targets/releases/0003/ab.manifest.json"
    assert newest_root(tmp_path) is None
    assert not RegistryFiles(tmp_path).exists()


def test_the_newest_root_is_the_one_with_the_highest_number(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    for number in (2, 10, 9):
        (tmp_path / "metadata" / f"{number}.root.json").write_text(str(number))
    assert newest_root(tmp_path) == b"10"
