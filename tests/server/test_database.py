"""Opening a database, and what is refused."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from handfed.server.database import Database, errors_named, open_database, open_existing
from handfed.server.runs.schemas import RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared.data_directory import database_url
from handfed.shared.errors import SettingError, StorageError

PATIENCE_S = 300.0
RUN = RunStart("digits", "cnn", "fedavg", 1, {}, 3, "in-process")


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_what_is_recorded_is_there_when_opened_again(url: str) -> None:
    with open_database(url) as database:
        number = RunRecord(database).start(RUN)
    with open_database(url) as database:
        assert RunRecord(database).get(number).task == "digits"


def test_the_directory_is_made_and_its_name_may_hold_anything(tmp_path: Path) -> None:
    directory = tmp_path / "what? 100% #1 é" / "deeper"
    with open_database(database_url(directory, None)):
        assert (directory / "handfed.db").exists()


def test_to_look_for_a_database_does_not_make_one(tmp_path: Path) -> None:
    assert open_existing(f"sqlite:///{tmp_path}/data/handfed.db") is None
    assert list(tmp_path.iterdir()) == []


def test_an_existing_database_is_opened_by_those_who_look(url: str) -> None:
    open_database(url).close()
    existing = open_existing(url)
    assert existing is not None
    existing.close()


def test_sqlite_keeps_foreign_keys_and_writes_ahead(sqlite_database: Database) -> None:
    for _ in range(2):  # also on a second connection
        with sqlite_database.engine.connect() as connection:
            assert connection.scalar(text("PRAGMA foreign_keys")) == 1
            assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
            assert int(connection.scalar(text("PRAGMA busy_timeout")) or 0) >= 5000
        sqlite_database.engine.dispose()


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def interrupted() -> None:
        with database.write() as session:
            session.execute(text("UPDATE release_counter SET last = 7"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with database.read() as session:
        assert session.scalar(text("SELECT last FROM release_counter")) == 0


def test_a_reader_is_not_stopped_by_a_writer(database: Database) -> None:
    with database.write() as writer:
        writer.execute(text("UPDATE release_counter SET last = 7"))
        with database.read() as reader:
            assert reader.scalar(text("SELECT last FROM release_counter")) == 0


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be read as one" * 20, b"PK\x03\x04"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(sqlite_url: str, content: bytes) -> None:
    _path(sqlite_url).write_bytes(content)
    with pytest.raises(StorageError, match=r"handfed\.db: file is not a database; choose another"):
        open_database(sqlite_url)
    assert _path(sqlite_url).read_bytes() == content


def test_an_empty_file_is_a_new_database(sqlite_url: str) -> None:
    _path(sqlite_url).touch()
    with open_database(sqlite_url) as database:
        assert RunRecord(database).list() == ()


def test_a_truncated_database_is_an_error_with_its_name(sqlite_url: str) -> None:
    with open_database(sqlite_url) as database:
        for _ in range(50):
            RunRecord(database).start(RunStart("digits", "cnn", "fedavg", 1, {"filler": "x" * 2000}, 3, "e"))
    whole = _path(sqlite_url).read_bytes()
    refused = 0
    for tenths in range(1, 10):
        _path(sqlite_url).write_bytes(whole[: len(whole) * tenths // 10])
        try:
            with open_database(sqlite_url) as database:
                RunRecord(database).list()
        except StorageError as error:
            refused += 1
            assert "handfed.db" in str(error)  # noqa: PT017 - some lengths may open
    assert refused >= 5


def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "handfed.db").mkdir()
    with pytest.raises(StorageError, match=r"cannot open the database .*handfed\.db"):
        open_database(f"sqlite:///{tmp_path}/handfed.db")


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StorageError, match="cannot make the directory"):
        open_database(f"sqlite:///{tmp_path}/data/deeper/handfed.db")


def test_a_database_of_another_program_is_refused_and_left_alone(sqlite_url: str) -> None:
    other = sqlite3.connect(_path(sqlite_url))
    other.execute("CREATE TABLE history (page TEXT)")
    other.close()
    content = _path(sqlite_url).read_bytes()
    with pytest.raises(StorageError, match=r"another program \(history\)"):
        open_database(sqlite_url)
    assert _path(sqlite_url).read_bytes() == content


def test_a_postgresql_database_may_be_shared_unless_names_collide(postgresql_url: str) -> None:
    import psycopg

    with psycopg.connect(postgresql_url) as connection:
        connection.execute("CREATE TABLE history (page TEXT)")
    open_database(postgresql_url).close()
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("DROP TABLE handfed_schema")
    with pytest.raises(StorageError, match="another program"):
        open_database(postgresql_url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "handfed.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:///x.db?timeout=1",
        "mysql://host/database",
        "postgresql+asyncpg://host/database",
    ],
)
def test_a_url_of_another_kind_is_refused_with_the_forms_there_are(url: str) -> None:
    with pytest.raises(SettingError, match=r"sqlite:////path/to/file\.db"):
        open_database(url)


@pytest.mark.parametrize("url", ["postgresql://u:hunter2/x@host:hunter2/d", "hunter2", "oracle://u:hunter2@host/d"])
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(SettingError) as caught:
        open_database(url)
    assert "hunter2" not in str(caught.value)


def test_an_unreachable_server_is_named_without_user_or_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StorageError, match=r"postgresql://127\.0\.0\.1:1/d: .*refused") as caught:
        open_database("postgresql://teacher:hunter2@127.0.0.1:1/d?application_name=x&password=hunter3")
    for secret in ("teacher", "hunter2", "hunter3"):
        assert secret not in str(caught.value)


def test_a_wrong_password_is_said_and_not_shown(postgresql_url: str) -> None:
    wrong = postgresql_url.replace("not%3Aa%2Fsecret%40", "hunter2")
    with pytest.raises(StorageError, match="authentication failed") as caught:
        open_database(wrong)
    assert "hunter2" not in str(caught.value)


def test_a_password_that_a_driver_repeats_is_not_passed_on() -> None:
    url = make_url("postgresql://u:hunter2@host/d?sslpassword=hunter3")
    with pytest.raises(StorageError) as caught, errors_named("open", url):
        raise OperationalError(None, None, Exception("bad option\n'hunter2', 'hunter3'"))
    assert str(caught.value).startswith(
        "cannot open the database postgresql://host/d: bad option '***', '***'; check the URL"
    )


def test_a_missing_database_is_said(postgresql_server: str) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        open_database(f"{postgresql_server}/absent")


def test_a_missing_driver_is_said_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StorageError, match=r"pip install 'psycopg\[binary\]'"):
        open_database("postgresql://host/database")


def test_the_old_name_of_postgresql_urls_is_understood(postgresql_url: str) -> None:
    with open_database(postgresql_url.replace("postgresql:", "postgres:")) as database:
        assert database.engine.dialect.driver == "psycopg"


def test_a_lost_server_is_a_storage_error(postgresql_server: str, postgresql_url: str) -> None:
    import psycopg

    def write_while_connections_end(database: Database) -> None:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        with database.write() as session, psycopg.connect(f"{postgresql_server}/postgres") as admin:
            session.execute(text("UPDATE release_counter SET last = 7"))
            admin.execute(query, [postgresql_url.rpartition("/")[2]])

    with open_database(postgresql_url) as database:
        with pytest.raises(StorageError, match="cannot write to the database"):
            write_while_connections_end(database)
        assert RunRecord(database).list() == ()  # a new connection is made


OPEN_AT_ONCE = """
import sys, time, pathlib
from handfed.server.database import open_database
from handfed.server.runs.schemas import RunStart
from handfed.server.runs.service import RunRecord
import alembic.command
here = pathlib.Path(sys.argv[2])
(here / f"ready-{sys.argv[3]}").touch()
while not (here / "go").exists():
    time.sleep(0.001)
with open_database(sys.argv[1]) as database:
    print(RunRecord(database).start(RunStart("digits", "cnn", "fedavg", 1, {}, 3, "in-process")))
"""


def test_processes_that_open_a_new_database_at_once_share_it(url: str, tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", OPEN_AT_ONCE, url, str(tmp_path), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    deadline = time.monotonic() + PATIENCE_S
    while len(list(tmp_path.glob("ready-*"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    (tmp_path / "go").touch()
    results = [process.communicate(timeout=PATIENCE_S) for process in processes]
    assert [stderr for _, stderr in results] == ["", "", ""]
    assert sorted(int(stdout) for stdout, _ in results) == [1, 2, 3]


def test_a_database_that_is_up_to_date_opens_without_alembic(url: str) -> None:
    """Alembic takes longer to import than the rest of it takes to open."""
    open_database(url).close()
    code = (
        "import sys; from handfed.server.database import open_database;"
        "open_database(sys.argv[1]).close(); print('alembic' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code, url], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "False"


def test_the_server_imports_no_sibling() -> None:
    modules = ["database", "runs.service", "runs.cli", "releases.service", "releases.cli"]
    others = ("handfed.clients", "handfed.simulations", "handfed.dashboards", "tensorflow", "flwr")
    code = (
        f"import sys, {', '.join(f'handfed.server.{name}' for name in modules)};"
        f"sys.exit(any(name.startswith({others}) for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_commands_start_without_a_database_library() -> None:
    code = (
        "import sys, handfed.server.runs.cli, handfed.server.releases.cli;"
        "sys.exit('sqlalchemy' in sys.modules or 'rich.table' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_database_that_another_program_has_locked_is_told_from_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handfed.server.database.LOCK_TIMEOUT_S", 0)
    with open_database(f"sqlite:///{tmp_path / 'handfed.db'}") as database:
        other = sqlite3.connect(tmp_path / "handfed.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="is locked; another program has held it for 0 s") as caught:
            RunRecord(database).start(RUN)
        other.close()
    assert "room" not in str(caught.value)
