"""Databases to test with: a new SQLite file, and a database of a real PostgreSQL where one is installed."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import text

import handfed.server.tables  # noqa: F401 - tables are known once their models are imported
from handfed.server.api.services import Services
from handfed.server.base import Base
from handfed.server.database import Database, open_database
from handfed.server.devices.codes import fingerprint
from handfed.server.devices.memory import MemoryRegistry
from handfed.server.devices.values import Device
from handfed.server.people.principals import Principal
from handfed.shared.enrolment import enrolment_statement
from handfed.shared.manifest import MANIFEST, MODEL, MODEL_CARD, File, read_release
from handfed.simulations.benchmarks.postgresql import NoPostgresqlError, new_database, postgresql

with warnings.catch_warnings():  # Typer asks Click for names that a later Click will not have
    warnings.simplefilter("ignore")
    import typer  # noqa: F401 - so that the tests' own import of it warns no more


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL, without a database, of a PostgreSQL of this test run."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(postgresql(fsync=False))
        except NoPostgresqlError as error:
            pytest.skip(str(error))
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """The URL of a new, empty PostgreSQL database."""
    return new_database(postgresql_server)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'handfed.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a new, empty database, of each kind in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="session")
def migrated_postgresql_url(postgresql_server: str) -> str:
    """The URL of a PostgreSQL database with our tables, which tests share: to make one takes a while."""
    url = new_database(postgresql_server)
    open_database(url).close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An open database without any record, of each kind in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_database")
        return
    with open_database(request.getfixturevalue("migrated_postgresql_url")) as opened:
        with opened.write() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))  # the audit log refuses to be emptied
            tables = ", ".join(sorted(set(Base.metadata.tables) - {"release_counter"}))
            session.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
            session.execute(text("UPDATE release_counter SET last = 0"))
        yield opened


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """A new SQLite database."""
    with open_database(sqlite_url) as opened:
        yield opened


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 6, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        """Moves the clock."""
        self.at += timedelta(**span)


ReleaseFiles = Callable[[int, str], dict[str, bytes]]


@pytest.fixture(scope="session")
def release_files() -> ReleaseFiles:
    """The files of a release by its number and task, with a manifest that is one and a model that nobody opens."""
    manifest, _ = read_release(Path(__file__).parents[1] / "compat" / "manifest-1")

    def make(number: int, task: str = "digits") -> dict[str, bytes]:
        model = b"model %d" % number
        described = replace(manifest, release=number, task=task, model=File.of(model), browser=None)
        return {MANIFEST: described.encode(), MODEL: model, MODEL_CARD: b"card"}

    return make


@pytest.fixture
def clock() -> Clock:
    """A clock that stands until `forward(hours=1)`."""
    return Clock()


@pytest.fixture
def registry() -> MemoryRegistry:
    """What lets keys in."""
    return MemoryRegistry()


@pytest.fixture
def services(database: Database, registry: MemoryRegistry, clock: Clock, certificate: Path) -> Services:
    """The services over a database of each kind in turn."""
    return Services.over(database, registry, authority=certificate, clock=clock, attempts_per_minute=1000)


@pytest.fixture
def sqlite_services(sqlite_database: Database, registry: MemoryRegistry, clock: Clock) -> Services:
    """The services over a new SQLite database."""
    return Services.over(sqlite_database, registry, clock=clock, attempts_per_minute=1000)


@pytest.fixture
def admin() -> Principal:
    """Who may do everything."""
    return Principal("Ada", "admin")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of a federation's CA."""
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Handfed")])
    start = datetime(2026, 5, 6, 12, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=3650))
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return path


Key = tuple[ec.EllipticCurvePrivateKey, str]


def prove(certificate: Path, secret: bytes, key: Key) -> bytes:
    """What a device shows when it joins: that it holds its key."""
    statement = enrolment_statement(fingerprint(certificate.read_text()), secret, key[1])
    return key[0].sign(statement, ec.ECDSA(hashes.SHA384()))


@pytest.fixture
def proof(certificate: Path) -> Callable[[bytes, Key], bytes]:
    """Makes the proof of a key (and its PEM) for an invitation's secret."""
    return lambda secret, key: prove(certificate, secret, key)


@pytest.fixture
def join(certificate: Path) -> Callable[..., Device]:
    """Lets a device in, as it asks itself."""

    def enrol(
        services: Services,
        secret: bytes,
        key: Key,
        name: str | None = None,
        versions: Mapping[str, str] | None = None,
        address: str = "a",
    ) -> Device:
        shown = prove(certificate, secret, key)
        return services.enrolment.enrol(secret, key[1], name, versions or {}, address, proof=shown).device

    return enrol


@pytest.fixture
def new_key() -> Callable[[], tuple[ec.EllipticCurvePrivateKey, str]]:
    """Makes a P-384 key and the PEM of its public half."""

    def make() -> tuple[ec.EllipticCurvePrivateKey, str]:
        private = ec.generate_private_key(ec.SECP384R1())
        return private, private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    return make
