"""A PostgreSQL of one's own for a while, where one is installed: what is measured or tested there is nobody's data."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from handfed.shared.errors import HandfedError
from handfed.simulations.real import free_port

_PASSWORD: Final = "not:a/secret@"  # noqa: S105 - of a server that only this process reaches; hard to put into a URL
_QUOTED: Final = "not%3Aa%2Fsecret%40"
_START_S: Final = 120.0
_LOOK_S: Final = 0.05


class NoPostgresqlError(HandfedError):
    """PostgreSQL, or its driver, is not installed here."""


@contextmanager
def postgresql(*, fsync: bool = True) -> Iterator[str]:
    """Starts a PostgreSQL server, and removes it with all that is in it when the block ends.

    Args:
        fsync: Whether what is written is on the disk when it says so.

    Yields:
        Its URL, without a database.

    Raises:
        NoPostgresqlError: There is none here.
        HandfedError: It does not start.
    """
    binaries = _binaries()
    if binaries is None:
        raise NoPostgresqlError("PostgreSQL is not installed here: for example, apt-get install postgresql")
    try:
        import psycopg
    except ImportError:
        raise NoPostgresqlError("PostgreSQL's driver is not installed here: pip install 'psycopg[binary]'") from None
    directory, port = Path(tempfile.mkdtemp(prefix="handfed-postgresql-")), free_port()
    try:
        process = _start(binaries, directory, port, fsync=fsync)
        try:
            url = f"postgresql://handfed:{_QUOTED}@127.0.0.1:{port}"
            end = time.monotonic() + _START_S
            while True:
                try:
                    psycopg.connect(f"{url}/postgres").close()
                    break
                except psycopg.OperationalError:
                    if process.poll() is not None or time.monotonic() > end:
                        said = (directory / "log").read_text()
                        raise HandfedError(f"PostgreSQL did not start: {said}") from None
                    time.sleep(_LOOK_S)
            yield url
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            process.wait(_START_S)
    finally:
        shutil.rmtree(directory)


def new_database(server: str) -> str:
    """Makes an empty database.

    Args:
        server: URL of the server, as `postgresql` gives it.

    Returns:
        The database's URL.
    """
    import psycopg

    name = f"handfed_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload, unused-ignore]
    return f"{server}/{name}"


def _binaries() -> Path | None:
    """The directory of PostgreSQL's programs, the newest where there are several."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)[::-1]
    return next((path for path in folders if (path / "postgres").exists() and (path / "initdb").exists()), None)


def _start(binaries: Path, directory: Path, port: int, *, fsync: bool) -> subprocess.Popen[bytes]:
    """Starts PostgreSQL in `directory`; it refuses to run as root, so root starts it as nobody."""
    as_user: dict[str, Any] = {"cwd": directory}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        as_user |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    secret = directory / "password"
    secret.write_text(_PASSWORD)
    secret.chmod(0o644)  # within a directory that only its user may enter
    data = str(directory / "data")
    initdb = [str(binaries / "initdb"), "-D", data, "-U", "handfed", "-A", "scram-sha-256", "-E", "UTF8"]
    initdb += ["--locale=C", "--no-sync", "--pwfile", str(secret)]
    subprocess.run(initdb, check=True, capture_output=True, **as_user)  # noqa: S603 - as are these programs
    server = [str(binaries / "postgres"), "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", ""]
    server += ["-c", f"fsync={'on' if fsync else 'off'}"]
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(server, stdout=log, stderr=log, **as_user)  # noqa: S603 - as are these programs
