"""An app over a federation of two organisations, with a token of each role and scope, a device and an invitation of
each organisation, and a run.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from starlette.testclient import TestClient

from handfed.server.api.app import create_app
from handfed.server.api.services import Services
from handfed.server.attention.expiries import Expiries
from handfed.server.database import Database, open_database
from handfed.server.devices.codes import fingerprint
from handfed.server.devices.memory import MemoryRegistry
from handfed.server.people.principals import ROLES, Principal
from handfed.server.releases import directories
from handfed.server.runs.schemas import Rejection, RoundResult, RunStart
from handfed.server.runs.service import RunRecord
from handfed.server.settings import ServerSettings
from handfed.shared.data_directory import releases_in
from handfed.shared.enrolment import enrolment_statement
from tests.server.recorded import publish

ADA = Principal("Ada", "admin")
START = datetime(2026, 5, 6, 12, tzinfo=UTC)


@dataclass
class World:
    """A federation, and what speaks to it."""

    settings: ServerSettings
    services: Services
    app: FastAPI
    client: TestClient
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(self, who: str, method: str, path: str, **more: Any) -> Any:
        """The answer to a request with the token of `who`: `nobody`, `federation viewer`, `own admin`, ..."""
        headers = dict(more.pop("headers", {}))
        if who != "nobody":
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        return self.client.request(method, path, headers=headers, **more)


def _key() -> tuple[ec.EllipticCurvePrivateKey, str]:
    private = ec.generate_private_key(ec.SECP384R1())
    return private, private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _run(database: Database) -> None:
    record = RunRecord(database)
    run = record.start(RunStart("digits", "cnn", "fedavg", 7, {"note": "of the federation"}, 3, "pool"))
    for number in (1, 2, 3):
        rejections = (Rejection(2**64 - 1, "not-finite", "conv/kernel: NaN or infinite"),)
        record.add_round(
            run,
            RoundResult(
                number, "float", START, 4.0, 10.0, 3, 2, 300, 1.25 / number, 0.25 * number, rejections=rejections
            ),
        )
    record.fail(run, "device 18446744073709551615 sent no update")


def _release(services: Services) -> None:
    """The first release of a task, which everybody uses."""
    with services.database.write() as session:
        publish(session, 1, at=START)
    services.promotions.review({1})


def _populated(services: Services, certificate: Path) -> dict[str, str]:
    first = services.tokens.ensure_first_admin()
    assert first is not None
    tokens = {"federation admin": first}
    own, other = (services.organisations.add(ADA, name).number for name in ("Own", "Other"))
    for role in ROLES:
        if role != "admin":
            tokens[f"federation {role}"] = services.tokens.add(ADA, f"federation {role}", role).secret
        tokens[f"own {role}"] = services.tokens.add(ADA, f"own {role}", role, organisation=own).secret
    for organisation in (own, other):
        services.tokens.add(ADA, "spare", "viewer", organisation=organisation)
        used, _ = (services.invitations.invite(ADA, organisation) for _ in range(2))
        private, public = _key()
        proof = private.sign(
            enrolment_statement(fingerprint(certificate.read_text()), used.secret, public), ec.ECDSA(hashes.SHA384())
        )
        services.enrolment.enrol(used.secret, public, None, {"handfed": "0.1.0"}, "192.0.2.7", proof=proof)
    _run(services.database)
    _release(services)
    return tokens


def _open(directory: Path, tokens: dict[str, str]) -> World:
    """What speaks to the federation of a directory."""
    settings = ServerSettings.load(directory, address="server.example", environment={})
    services = Services.over(
        open_database(settings.database),
        MemoryRegistry(),
        authority=settings.authority,
        attempts_per_minute=100_000,
        expiries=Expiries(settings.data_dir, settings.lifetimes),
    )
    services.registrar.reconcile(thoroughly=True)
    app = create_app(settings, services)
    return World(settings, services, app, TestClient(app), tokens)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> tuple[Path, dict[str, str]]:
    """A data directory that tests copy, and its tokens: to fill one takes a while."""
    directory = tmp_path_factory.mktemp("template") / "data"
    made = _open(directory, {})
    made.settings.authority.parent.mkdir(parents=True)
    shutil.copy(certificate, made.settings.authority)
    tokens = _populated(made.services, certificate)
    directories.write(releases_in(directory), 1, {"model.tflite": b"TFL3"})
    made.services.database.close()
    return directory, tokens


@pytest.fixture
def world(tmp_path: Path, template: tuple[Path, dict[str, str]]) -> Iterator[World]:
    """A federation of this test."""
    shutil.copytree(template[0], tmp_path / "data")
    made = _open(tmp_path / "data", template[1])
    yield made
    made.services.database.close()


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory, template: tuple[Path, dict[str, str]]) -> Iterator[World]:
    """A federation that the tests of a module share."""
    directory = tmp_path_factory.mktemp("shared") / "data"
    shutil.copytree(template[0], directory)
    made = _open(directory, template[1])
    yield made
    made.services.database.close()
