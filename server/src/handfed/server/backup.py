"""`handfed backup` and `handfed restore`: all that a server is, in one file.

    server.tar.gz
    ├── backup.json         {"format": 1, "made_at": ..., "database": "sqlite" or "elsewhere"}
    ├── handfed.db          the database, where it is the SQLite file of the data directory
    ├── superlink/          Flower's state
    ├── registry/           the registry of releases, and those of its keys that are on the server
    ├── authority/          the CA and its key: whoever has them is the federation
    ├── releases/, runs/    as they are in the data directory
    ├── alerts/             whom alerts are sent to, and the secrets of that
    └── server.json

Rules:
1. Databases are copied by SQLite's own backup (https://www.sqlite.org/backup.html), so a server may run meanwhile.
2. A backup holds every secret of the federation and has mode 0600; keep it as you would keep the server. What is in it,
   and what is made of it, is for its owner alone, whatever the umask.
3. It is restored into an empty data directory only, and whole or not at all. After that the server may be another
   machine at another address: devices know it by its CA.
4. What it holds of the registry is older than what it holds of the record, and that is older than the releases: so what
   the registry names is on record, and what is on record has its files.
5. A PostgreSQL database is not in it; its own tools (pg_dump) copy it.
"""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from handfed.server.registry.files import RESTORED, RegistryFiles, registry_in
from handfed.server.terminal import DatabaseUrl, DataDir
from handfed.shared import data_directory
from handfed.shared.errors import SettingError, StorageError
from handfed.shared.files import sync_directory

FORMAT: Final = 1
HEADER: Final = "backup.json"
_CHUNK: Final = 1 << 20
_DATABASES: Final = ("handfed.db", "superlink/link.sqlite")
_REST: Final = ("alerts", "authority", "releases", "runs", "server.json")


def backup(
    file: Annotated[Path, typer.Argument(help="Where the backup goes; it must not be there.", show_default=False)],
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
) -> None:
    """Copy all that a server is into one file; the server may run meanwhile."""
    directory = data_directory.locate(data_dir)
    elsewhere = data_directory.database_url(directory, database) != data_directory.database_url(directory, None)
    write(directory, file, elsewhere=elsewhere, now=datetime.now(UTC))
    typer.echo(f"{file} holds the federation and all its secrets: keep it as you keep the server.")
    if elsewhere:
        typer.echo("The database is not in it: copy it with pg_dump.")


def restore(
    file: Annotated[Path, typer.Argument(help="A file of handfed backup.", show_default=False)],
    data_dir: DataDir = None,
) -> None:
    """Make a data directory of a backup; it must be empty, or not be there."""
    directory = data_directory.locate(data_dir)
    read(file, directory)
    typer.echo(f"{directory} is as it was. Start the server with: handfed serve --data-dir {directory}")


def write(directory: Path, file: Path, *, elsewhere: bool, now: datetime) -> None:
    """Writes a backup.

    Args:
        directory: The data directory.
        file: The backup; appears when it is whole.
        elsewhere: Whether the database is not in the data directory.
        now: The time, for the header.

    Raises:
        SettingError: The file is there already, or no server was ever started in the directory.
        StorageError: Something cannot be read or written.
    """
    if file.exists():
        raise SettingError(f"{file} is there already; name another file")
    if not (directory / "authority").is_dir():
        raise SettingError(f"no server was ever started in {directory}: --data-dir names another")
    partial = file.with_name(f".{file.name}.part")
    try:
        partial.touch(mode=0o600)
        with tarfile.open(partial, "w:gz") as archive:
            header = {"format": FORMAT, "made_at": now.isoformat(), "database": "elsewhere" if elsewhere else "sqlite"}
            _add(archive, HEADER, json.dumps(header).encode())
            _add_registry(archive, directory)
            for name in _DATABASES[elsewhere:]:
                if (directory / name).exists():
                    _add_database(archive, directory / name, name)
            for name in _REST:
                if (directory / name).exists():
                    archive.add(directory / name, name, filter=_private)
        partial.replace(file)
        sync_directory(file.parent)
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise StorageError(f"cannot write {file}: {error}; free space or choose another folder") from error


def read(file: Path, directory: Path) -> None:
    """Makes a data directory of a backup.

    Args:
        file: The backup.
        directory: The data directory; it must be empty, or not be there.

    Raises:
        SettingError: The directory is not empty or none at all, or the file is missing, no whole backup, or one of a
            newer Handfed.
        StorageError: Something cannot be read or written. In either case the directory is as it was.
    """
    place = directory.resolve()
    if place.exists() and not (place.is_dir() and all(path.name == data_directory.RUNNING for path in place.iterdir())):
        what = "is not empty" if place.is_dir() else "is no folder"
        raise SettingError(f"{directory} {what}; name another data directory")
    if not file.is_file():
        raise SettingError(f"there is no file {file}: name a file that handfed backup wrote")
    # Nothing is made in the folder's place before all of it is there.
    nearest = next(parent for parent in place.parents if parent.exists())
    try:
        with tempfile.TemporaryDirectory(dir=nearest, prefix=f".{place.name}.", ignore_cleanup_errors=True) as made:
            staging = Path(made)
            _extract(file, staging)
            if registry_in(staging).exists():
                (registry_in(staging) / RESTORED).touch(mode=0o600)
            place.parent.mkdir(parents=True, exist_ok=True)
            (place / data_directory.RUNNING).unlink(missing_ok=True)  # of a server that could not be started here
            staging.replace(place)  # an empty folder that is there goes
        sync_directory(place.parent)
    except OSError as error:
        raise StorageError(f"{file}: cannot be restored: {error}; free space or choose another folder") from error


def _extract(file: Path, folder: Path) -> None:
    """Unpacks a backup, each file of it for its owner alone.

    Raises:
        SettingError: The file is no backup, or not whole, or one of a newer Handfed.
        OSError: It cannot be read, or the folder cannot be written.
    """
    try:
        with gzip.open(file) as content, tarfile.open(fileobj=content, mode="r:") as archive:
            _check(archive, file)
            archive.extractall(folder, filter="data")
            while content.read(_CHUNK):  # a damaged header looks like the archive's end; the checksum comes last
                pass
    except (EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error) as error:
        raise SettingError(
            f"{file} is no whole backup of a Handfed server ({error}): copy it anew, or name another"
        ) from error
    (folder / HEADER).unlink()
    for path in folder.rglob("*"):  # an archive need not name its folders, and an older one has a database for all
        path.chmod(0o700 if path.is_dir() else 0o600)


def _check(archive: tarfile.TarFile, file: Path) -> None:
    try:
        header = archive.extractfile(HEADER)
        known = json.loads(header.read()) if header else None
    except (KeyError, ValueError):
        known = None
    if not isinstance(known, dict):
        raise SettingError(f"{file} is no backup of a Handfed server: name a file that handfed backup wrote")
    if known.get("format") != FORMAT:
        raise SettingError(f"{file} was written by a newer Handfed: update this software")


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(_private(entry), io.BytesIO(content))


def _private(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mode = 0o700 if entry.isdir() else 0o600
    return entry


def _add_registry(archive: tarfile.TarFile, directory: Path) -> None:
    """Adds the registry as it is between two changes."""
    registry = registry_in(directory)
    if registry.exists():
        with RegistryFiles(registry).changing():
            archive.add(registry, registry.name, filter=_private)


def _add_database(archive: tarfile.TarFile, source: Path, name: str) -> None:
    """Adds an SQLite file as it is at one moment."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        with closing(sqlite3.connect(source)) as opened, closing(sqlite3.connect(copy)) as target:
            opened.backup(target)
        archive.add(copy, name, filter=_private)
