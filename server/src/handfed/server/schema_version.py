"""The version of a database's schema, and the way to this software's.

A migration is a file `migrations/versions/NNNN_name.py`; its number is its revision, and each follows the one
before. So the names of the files say which versions this software knows, and Alembic, which is slow to
import, is only needed to migrate. The version is in the table `handfed_schema`, as others use Alembic's own
name for it.

A developer who changed a model has the migration written, and then reads it over:

    python -c "from handfed.server.schema_version import write_migration; write_migration('what changed')"
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import AbstractContextManager, closing
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, column, inspect, select, table, text
from sqlalchemy.exc import OperationalError

from handfed.shared.errors import StorageError

if TYPE_CHECKING:
    from alembic.config import Config

TABLE = "handfed_schema"
_LOCK = 0x68616E64666564  # "handfed": PostgreSQL's advisory locks are numbers
_PATIENCE_S = 30


def known() -> tuple[str, ...]:
    """The revisions that this software knows, oldest first."""
    names = [file.name for file in (files("handfed.server") / "migrations" / "versions").iterdir()]
    return tuple(sorted(name.partition("_")[0] for name in names if name[:1].isdigit() and name.endswith(".py")))


def revision_of(connection: Connection) -> str | None:
    """The revision of a database's schema, or None where it has none of ours.

    Raises:
        SQLAlchemyError: The database cannot be read.
    """
    if TABLE not in inspect(connection).get_table_names():
        return None
    return connection.scalar(select(table(TABLE, column("version_num")).c.version_num))


def bring_up_to_date(engine: Engine, name: str) -> None:
    """Migrates a database to the newest revision that this software knows.

    Args:
        engine: The database.
        name: The database as a message names it.

    Raises:
        StorageError: The database belongs to a newer Handfed or to another program.
        SQLAlchemyError: The database cannot be read or written.
    """
    with engine.connect() as connection:
        current = _is_current(connection, name)
        connection.rollback()
        if not current:
            _migrate(connection, name)
        if engine.dialect.name == "sqlite":
            _enter_wal(connection)


def _is_current(connection: Connection, name: str) -> bool:
    """Whether the database is at the newest revision; refuses one that is not ours to migrate."""
    tables = set(inspect(connection).get_table_names())
    if TABLE not in tables:
        _refuse_foreign(connection, tables, name)
        return False
    revision = connection.scalar(select(table(TABLE, column("version_num")).c.version_num))
    if revision is not None and revision not in known():
        raise StorageError(
            f"the database {name} was written by a newer Handfed (its schema is {revision}, this software "
            f"knows up to {known()[-1]}): update this software, or choose another database"
        )
    return bool(revision == known()[-1])


def _refuse_foreign(connection: Connection, tables: set[str], name: str) -> None:
    """An SQLite file has one owner; a PostgreSQL database may have several, if no names collide."""
    import handfed.server.tables  # noqa: F401 - tables are known once their models are imported
    from handfed.server.base import Base

    others = tables if connection.dialect.name == "sqlite" else tables & set(Base.metadata.tables)
    if others:
        shown = ", ".join(sorted(others)[:3])
        raise StorageError(f"the database {name} holds tables of another program ({shown}): choose another")


def _enter_wal(connection: Connection) -> None:
    """Lets readers and a writer work at once (https://www.sqlite.org/wal.html); the file remembers it.

    SQLite does not wait for a lock here, as it does elsewhere, so this does.
    """
    driver: Any = connection.connection.driver_connection
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            driver.execute("PRAGMA journal_mode=WAL").close()
        except connection.dialect.loaded_dbapi.Error as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise OperationalError(None, None, error) from error
            time.sleep(0.02)
        else:
            return


def _migrate(connection: Connection, name: str) -> None:
    """Migrates in one transaction, alone: whoever comes second finds it done."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name != "sqlite":
        with connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            _upgrade(connection, name)
        return
    driver.execute("PRAGMA foreign_keys=OFF")  # no effect within a transaction; replacing a table would empty others
    try:
        with connection.execution_options(handfed_begin="BEGIN IMMEDIATE").begin():
            if not _is_current(connection, name):
                _keep_copy(driver, Path(name))
                _upgrade(connection, name)
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _keep_copy(driver: Any, file: Path) -> None:  # noqa: ANN401 - the driver's own
    """Copies an SQLite file that is about to be migrated, beside it; an older copy of the same step is kept."""
    copy = file.with_name(f"{file.name}.before-{known()[-1]}")
    if copy.exists() or not driver.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return
    partial = copy.with_name(f".{copy.name}")
    # By a connection of its own: the one that migrates has the file locked against other writers, itself included.
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(partial)) as target:
        source.backup(target)
    partial.chmod(0o600)
    partial.replace(copy)


def _upgrade(connection: Connection, name: str) -> None:
    if _is_current(connection, name):
        return
    from alembic import command

    with _scripts() as scripts:
        command.upgrade(_configured(connection, scripts), "head")


def write_migration(message: str, scripts: Path | None = None) -> None:
    """Writes the migration that leads from the newest revision to the models, for a person to read over.

    Args:
        message: What it changes, in a few words.
        scripts: The directory of migrations; without it, this software's own.

    Raises:
        CommandError: Alembic cannot write it.
    """
    from alembic import command
    from sqlalchemy import create_engine

    engine = create_engine("sqlite://")
    with _scripts() as own, engine.begin() as connection:
        config = _configured(connection, scripts or own)
        command.upgrade(config, "head")
        command.revision(config, message, autogenerate=True, rev_id=f"{int(known()[-1]) + 1:04d}")
    engine.dispose()


def _scripts() -> AbstractContextManager[Path]:
    return as_file(files("handfed.server") / "migrations")


def _configured(connection: Connection, scripts: Path) -> Config:
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    return config
