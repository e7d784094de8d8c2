"""All that a server is fits one file, and comes out of it whole."""

from __future__ import annotations

import os
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handfed.server import backup
from handfed.server.authority import files as authority
from handfed.server.database import open_database
from handfed.server.people.organisations import Organisations
from handfed.server.people.principals import Principal
from handfed.server.registry.files import RESTORED, registry_in
from handfed.server.registry.service import Registry
from handfed.shared.data_directory import RUNNING
from handfed.shared.errors import SettingError
from handfed.shared.registry import Channel

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ADA = Principal("Ada", "admin")


@pytest.fixture
def server(tmp_path: Path, release_files: Callable[[int, str], dict[str, bytes]]) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    authority.ensure(authority.authority_in(directory), ["server.example"], now=NOW)
    (directory / "superlink").mkdir()
    with closing(sqlite3.connect(directory / "superlink" / "link.sqlite")) as link:
        link.execute("CREATE TABLE node (id INTEGER)")
    (directory / "releases" / "0001").mkdir(parents=True)
    for name, content in release_files(1, "digits").items():
        (directory / "releases" / "0001" / name).write_bytes(content)
    with open_database(f"sqlite:///{directory}/handfed.db") as database:
        Organisations(database).add(ADA, "Clinic North")
    registry = Registry(registry_in(directory))
    registry.ensure()
    registry.add_release(1, directory / "releases" / "0001", task="digits")
    registry.set_channel(Channel("digits", 1))
    return directory


def write(server: Path, file: Path, *, elsewhere: bool = False) -> Path:
    backup.write(server, file, elsewhere=elsewhere, now=NOW)
    return file


def test_a_server_is_the_same_after_it_was_restored(server: Path, tmp_path: Path) -> None:
    with open_database(f"sqlite:///{server}/handfed.db") as running:  # a server may run meanwhile
        file = write(server, tmp_path / "server.tar.gz")
        assert Organisations(running).named(ADA, "Clinic North")
    elsewhere = tmp_path / "new" / "data"
    backup.read(file, elsewhere)
    with open_database(f"sqlite:///{elsewhere}/handfed.db") as database:
        assert Organisations(database).named(ADA, "Clinic North")
    for name in ("authority/ca.pem", "authority/ca.key", "releases/0001/model.tflite"):
        assert (elsewhere / name).read_bytes() == (server / name).read_bytes()
    assert (elsewhere / "superlink" / "link.sqlite").exists()
    assert elsewhere.stat().st_mode & 0o077 == 0
    assert (elsewhere / "authority" / "ca.key").stat().st_mode & 0o077 == 0
    again = authority.ensure(authority.authority_in(elsewhere), ["other.example"], now=NOW)
    assert again.fingerprint == authority.load(authority.authority_in(server), now=NOW).fingerprint


def test_the_registry_goes_on_where_it_was_and_is_to_be_signed_anew(server: Path, tmp_path: Path) -> None:
    write(server, tmp_path / "server.tar.gz")
    elsewhere = tmp_path / "new"
    backup.read(tmp_path / "server.tar.gz", elsewhere)
    before, after = Registry(registry_in(server)), Registry(registry_in(elsewhere))
    assert after.root() == before.root()
    assert after.status() == before.status()
    assert after.channels() == before.channels() == {"digits": Channel("digits", 1)}
    (model,) = (registry_in(elsewhere) / "targets" / "releases" / "0001").glob("*.model.tflite")
    assert model.read_bytes() == b"model 1"
    assert (registry_in(elsewhere) / RESTORED).exists()
    assert not (registry_in(server) / RESTORED).exists()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (registry_in(elsewhere) / "keys").iterdir())


def test_a_change_of_the_registry_is_in_a_backup_whole(server: Path, tmp_path: Path) -> None:
    log = registry_in(server) / "change.json"
    log.write_text('{"format": 1, "written": {"metadata/9.root.json": "{}"}, "removed": []}')
    with tarfile.open(write(server, tmp_path / "server.tar.gz")) as archive:
        names = archive.getnames()
    assert "registry/metadata/9.root.json" in names  # what had happened is whole
    assert "registry/change.json" not in names


def test_only_its_owner_can_read_a_backup(server: Path, tmp_path: Path) -> None:
    assert write(server, tmp_path / "server.tar.gz").stat().st_mode & 0o077 == 0


def test_what_is_in_a_backup_and_comes_out_of_it_is_for_its_owner_alone(server: Path, tmp_path: Path) -> None:
    for path in (server, *server.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = os.umask(0o022)
    try:
        with tarfile.open(write(server, tmp_path / "server.tar.gz")) as archive:
            assert {entry.mode for entry in archive if entry.isfile()} == {0o600}
            assert {entry.mode for entry in archive if entry.isdir()} == {0o700}
        backup.read(tmp_path / "server.tar.gz", tmp_path / "new")
    finally:
        os.umask(before)
    made = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()} == {0o700}


def test_a_database_elsewhere_is_left_to_its_own_tools(server: Path, tmp_path: Path) -> None:
    with tarfile.open(write(server, tmp_path / "server.tar.gz", elsewhere=True)) as archive:
        assert "handfed.db" not in archive.getnames()
        assert "superlink/link.sqlite" in archive.getnames()


def test_nothing_is_overwritten(server: Path, tmp_path: Path) -> None:
    file = write(server, tmp_path / "server.tar.gz")
    with pytest.raises(SettingError, match="is there already"):
        write(server, file)
    with pytest.raises(SettingError, match="is not empty"):
        backup.read(file, server)


def test_where_no_server_was_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no server was ever started"):
        write(tmp_path, tmp_path / "server.tar.gz")


def cut(file: Path) -> bytes:
    return file.read_bytes()[:-200]


def damaged(file: Path) -> bytes:
    content = file.read_bytes()
    return content[:500] + bytes(100) + content[600:]


def foreign(file: Path) -> bytes:
    with tarfile.open(file.with_name("foreign"), "w:gz") as archive:
        archive.add(file, "file")
    return file.with_name("foreign").read_bytes()


def headed(file: Path) -> bytes:
    """A foreign archive that has a file by the name of a backup's header."""
    (file.parent / "header").write_text("[]")
    with tarfile.open(file.with_name("foreign"), "w:gz") as archive:
        archive.add(file.parent / "header", backup.HEADER)
    return file.with_name("foreign").read_bytes()


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("content", [cut, damaged, foreign, headed, lambda _: b"", lambda _: b"text"])
def test_what_is_no_whole_backup_is_wrong_input_and_leaves_all_as_it_was(
    server: Path, tmp_path: Path, content: Callable[[Path], bytes], *, there: bool
) -> None:
    broken, folder = tmp_path / "broken.tar.gz", tmp_path / "a" / "new"
    broken.write_bytes(content(write(server, tmp_path / "server.tar.gz")))
    if there:
        folder.mkdir(parents=True)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SettingError, match=r"broken.tar.gz is no (whole )?backup of a Handfed server.*: .*name a"):
        backup.read(broken, folder)
    assert sorted(tmp_path.iterdir()) == before
    assert folder.exists() == there
    assert not list((tmp_path / "a").glob("*/*"))


def test_a_backup_that_is_not_there_and_a_folder_that_is_a_file_are_wrong_input(server: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"there is no file .*: name a file"):
        backup.read(tmp_path / "missing.tar.gz", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    file = write(server, tmp_path / "server.tar.gz")
    with pytest.raises(SettingError, match="is no folder; name another"):
        backup.read(file, file)


def test_the_lock_of_a_server_that_could_not_be_started_is_in_nobodys_way(server: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / RUNNING).touch()
    backup.read(write(server, tmp_path / "server.tar.gz"), folder)
    assert (folder / "handfed.db").exists()
    assert not (folder / RUNNING).exists()
