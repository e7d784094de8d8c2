"""The database that keeps the record: SQLite in the data directory, or a PostgreSQL that is named.

Rules:
1. A database that is open has the schema of this software: an older one is migrated, a newer one is refused.
2. A writer on SQLite takes the lock when its transaction begins (`BEGIN IMMEDIATE`), so that two writers wait
   for one another; one that reads first and locks later would be refused instead
   (https://www.sqlite.org/lang_transaction.html).
3. Whatever the driver raises becomes a `StorageError` that names the database, never its password or a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import unquote_to_bytes

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from handfed.server import schema_version
from handfed.server.base import Base
from handfed.shared.errors import ConflictError, SettingError, StorageError

if TYPE_CHECKING:
    from types import TracebackType

LOCK_TIMEOUT_S = 30  # how long a process waits for another one's transaction
CONNECT_TIMEOUT_S = 10
_KEPT = 15  # connections of a process that stay open for the next who asks; PostgreSQL takes a while to open one
_SQLITE = "sqlite"
_POSTGRESQL = "postgresql+psycopg"
_DRIVERS = {"postgresql": _POSTGRESQL, "postgres": _POSTGRESQL, _POSTGRESQL: _POSTGRESQL}
_FORMS = "sqlite:////path/to/file.db or postgresql://user:password@host/database"

Snapshot = TypeVar("Snapshot")


class Database:
    """An open database; use it in a `with` statement, or close it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = _name(engine.url)
        self._reading = sessionmaker(engine)
        self._writing = sessionmaker(engine.execution_options(handfed_begin="BEGIN IMMEDIATE"))

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction that only reads.

        Raises:
            StorageError: The database cannot be read.
        """
        with errors_named("read", self.engine.url), self._reading() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction that writes: all of it is kept, or after an error nothing.

        Raises:
            StorageError: The database cannot be written, or refuses a value.
        """
        with errors_named("write to", self.engine.url), self._writing.begin() as session:
            yield session

    def close(self) -> None:
        """Closes every connection."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        """The database itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()


def open_database(url: str) -> Database:
    """Opens a database, makes it where there is none, and brings its schema up to date.

    Args:
        url: `sqlite:///path` (percent-encoded) or `postgresql://user:password@host:port/database`.

    Raises:
        SettingError: The URL is of another kind.
        StorageError: The database cannot be reached, is none, is another program's or a newer Handfed's, or
            its driver is not installed.
    """
    parsed = _parsed(url)
    with errors_named("open", parsed):
        if _is_sqlite(parsed):
            _make_parent(Path(str(parsed.database)))
        engine = _engine(parsed)
        try:
            schema_version.bring_up_to_date(engine, _name(parsed))
        except BaseException:
            engine.dispose()
            raise
    return Database(engine)


def open_existing(url: str) -> Database | None:
    """As `open_database`, for those who only look: None instead of a new SQLite file."""
    parsed = _parsed(url)
    if _is_sqlite(parsed) and not Path(str(parsed.database)).exists():
        return None
    return open_database(url)


@dataclass(frozen=True)
class Condition:
    """What a database is like, before anybody opens it.

    Attributes:
        revision: Of its schema; None where it has none of ours.
        clock: Its server's time, aware; None of a file.
    """

    revision: str | None
    clock: datetime | None


def look_at(url: str) -> Condition | None:
    """What a database is like, without migrating it; None instead of a new SQLite file.

    Raises:
        SettingError: The URL is of another kind.
        StorageError: The database cannot be reached or read, or its driver is not installed.
    """
    parsed = _parsed(url)
    if _is_sqlite(parsed) and not Path(str(parsed.database)).exists():
        return None
    with errors_named("open", parsed):
        engine = _engine(parsed)
        try:
            with engine.connect() as connection:
                clock = None if _is_sqlite(parsed) else connection.scalar(text("SELECT clock_timestamp()"))
                return Condition(schema_version.revision_of(connection), clock)
        finally:
            engine.dispose()


def snapshot(kind: type[Snapshot], row: Base, **more: object) -> Snapshot:
    """A dataclass with the values of a row: no object of the session leaves a service.

    Args:
        kind: The dataclass; its fields are named as the row's columns.
        row: A row of a live session.
        more: Fields that the row does not have.
    """
    names = [field.name for field in fields(kind) if field.name not in more]  # type: ignore[arg-type]
    values: dict[str, Any] = {name: getattr(row, name) for name in names}
    return kind(**values, **more)


@lru_cache
def columns_of(kind: type[Snapshot], *tables: type[Base]) -> tuple[InstrumentedAttribute[Any], ...]:
    """The columns of tables that a dataclass has the values of, in order: so long lists are read without entities.

    Args:
        kind: The dataclass; its fields are named as columns.
        tables: The first that has a column of a field's name gives it.
    """
    found = (next(table for table in tables if hasattr(table, field.name)) for field in fields(kind))  # type: ignore[arg-type]
    return tuple(getattr(table, field.name) for table, field in zip(found, fields(kind), strict=True))  # type: ignore[arg-type]


@contextmanager
def errors_named(action: str, url: URL) -> Iterator[None]:
    """Turns errors of the driver into one that says what was done to which database.

    Raises:
        StorageError: In place of any error of SQLAlchemy or of the driver.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise StorageError(f"cannot {action} the database {_name(url)}: {_reason(error, url)}") from error


@contextmanager
def unique(message: str) -> Iterator[None]:
    """Turns a broken rule of uniqueness into an error that people understand; flush within, and only that.

    Args:
        message: What is there already.

    Raises:
        ConflictError: In place of the database's refusal.
    """
    try:
        yield
    except IntegrityError as error:
        raise ConflictError(message) from error


def _reason(error: SQLAlchemyError, url: URL) -> str:
    """What went wrong, on one line, without the statement, the row, or a password."""
    cause = error.orig if isinstance(error, StatementError) and error.orig is not None else error
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)  # PostgreSQL's details quote the row
    text = " ".join((primary or str(cause)).split()) or type(cause).__name__
    for secret in (url.password, url.query.get("password"), url.query.get("sslpassword")):
        text = text.replace(str(secret), "***") if secret else text
    if "not a database" in text:
        return f"{text}; choose another file, or move this one away"
    if not isinstance(error, OperationalError):
        return text
    if "locked" in text:
        return f"{text}; another program has held it for {LOCK_TIMEOUT_S} s: find it with lsof, and end it"
    advice = "that this user may write there and the disk has room" if _is_sqlite(url) else "the URL and the server"
    return f"{text.rstrip('.?')}; check {advice}"


def _name(url: URL) -> str:
    """The database as a message names it: without user, password and options."""
    if _is_sqlite(url):
        return str(url.database)
    return f"postgresql://{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def _parsed(url: str) -> URL:
    scheme, separator, rest = url.partition(":///")
    if scheme == _SQLITE and separator:
        return URL.create(_SQLITE, database=_sqlite_path(rest))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # their messages may quote a part of a password
        raise SettingError(f"the database URL cannot be read: it has the form {_FORMS}") from None
    if parsed.drivername not in _DRIVERS:
        raise SettingError(f"the record is kept in SQLite or PostgreSQL: name a database as {_FORMS}")
    return parsed.set(drivername=_DRIVERS[parsed.drivername])


def _sqlite_path(encoded: str) -> str:
    """The file of an SQLite URL, decoded here since not every SQLAlchemy decodes it."""
    path = unquote_to_bytes(encoded).decode("utf-8", "surrogateescape")
    if not path or path.startswith((":", "file:")) or "?" in encoded:
        raise SettingError("an SQLite URL names a file and no options: sqlite:////path/to/file.db")
    return path


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == _SQLITE


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the directory {path.parent}: {error.strerror}; choose another") from error


def _engine(url: URL) -> Engine:
    if not _is_sqlite(url):
        return _postgresql_engine(url)
    engine = create_engine(url, hide_parameters=True, pool_size=_KEPT, connect_args={"timeout": LOCK_TIMEOUT_S})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql_engine(url: URL) -> Engine:
    timeout = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_TIMEOUT_S}
    try:
        return create_engine(url, hide_parameters=True, pool_size=_KEPT, pool_pre_ping=True, connect_args=timeout)
    except ImportError as error:  # also where psycopg is there and PostgreSQL's client library is not
        raise StorageError(
            "PostgreSQL's driver psycopg is missing here: install it with pip install 'psycopg[binary]'"
        ) from error


def _set_up_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
    connection.isolation_level = None  # transactions begin in `_begin_sqlite`; the driver would begin some of its own
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("handfed_begin", "BEGIN"))
