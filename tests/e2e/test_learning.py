"""Devices tell of new handwriting, and a run is started of it: the device's own process, the server's own API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from handfed.clients.device import credentials, keys, release_upkeep
from handfed.clients.device.folder import store_in
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.store import Store as Handwriting
from handfed.clients.edge.state import State
from handfed.clients.edge.store import Store, name_of
from handfed.server.api.app import create_app
from handfed.server.api.services import Services
from handfed.server.database import open_database
from handfed.server.people.models import OrganisationRow
from handfed.server.people.principals import Principal
from handfed.server.promotion.evidence import reported
from handfed.server.runs.service import RunRecord
from handfed.server.settings import ServerSettings
from handfed.shared.datasets import Dataset
from handfed.shared.files import sha256_of
from handfed.shared.manifest import MANIFEST, MODEL, Manifest
from handfed.shared.tasks import TASKS
from handfed.simulations import styles
from tests.server.recorded import enrol, publish

ADA = Principal("Ada", "operator")
NOW = datetime(2027, 3, 1, tzinfo=UTC)
DEVICES = 5
EACH = 8
PRIVATE = ("pupil", "pages", "label", "device1")


@dataclass
class World:
    """A server in this process, and folders of devices."""

    services: Services
    client: TestClient
    folders: list[Path]
    sent: list[str]

    def post(self, path: str, document: Mapping[str, Any], _ca: bytes) -> object:
        """What a device's `ServerLink` does, over the API in this process."""
        self.sent.append(json.dumps(document))
        answer = self.client.post(path, json=dict(document))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def report(self) -> None:
        for folder in self.folders:
            release_upkeep.report(folder)

    def told(self) -> list[Any]:
        with self.services.database.read() as session:
            return [each.report.handwriting for each in reported(session).values() if each.report]


@pytest.fixture
def world(
    tmp_path: Path,
    trained_release: tuple[Manifest, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    settings = ServerSettings.load(tmp_path / "server", address="server.example", environment={})
    settings.data_dir.mkdir()
    at = NOW

    def clock() -> datetime:
        nonlocal at
        at += timedelta(minutes=2)
        return at

    with open_database(settings.database) as database:
        services = Services.over(database, clock=clock)
        run = services.run_control.start(ADA, "digits", {"rounds": 3, "qat_rounds": 1})
        RunRecord(database).resume(run.id)
        RunRecord(database, clock).finish(run.id, {})
        manifest = replace(trained_release[0], release=1, run=run.id, task="digits")
        folders = [tmp_path / f"device{number}" for number in range(1, DEVICES + 1)]
        with database.write() as session:
            session.add(OrganisationRow(number=1, name="Clinic North", created_at=NOW))
            publish(session, 1, run=run.id, at=NOW)
            session.flush()
            for number, folder in enumerate(folders, 1):
                key = joined(folder, number, manifest, trained_release[1])
                enrol(session, number, keys.public_key_of(key), at=NOW)
        services.promotions.review({1})
        made = World(services, TestClient(create_app(settings, services)), folders, [])
        monkeypatch.setattr(release_upkeep, "ServerLink", lambda _address: made)
        yield made


def joined(folder: Path, number: int, manifest: Manifest, model: bytes) -> bytes:
    """Makes a device's folder with a release in use; its private key."""
    folder.mkdir()
    key = keys.make_key()
    enrolment = credentials.Enrolment("server.example:8443", "0" * 64, number, "x", "y", None, "", "")
    with credentials.changing(folder):
        credentials.commit(folder, enrolment, key, b"no certificate")
    store = Store(folder)
    store.make()
    content = manifest.encode()
    name = name_of(1, sha256_of(content))
    (store.releases / name).mkdir()
    (store.releases / name / MANIFEST).write_bytes(content)
    (store.releases / name / MODEL).write_bytes(model)
    store.change(lambda _: State(task="digits", current=name))
    return key


def take(folder: Path, digits: Dataset, writers: range, change: Callable[[Any], Any] = lambda images: images) -> int:
    """Has a device hold so many digits of each of these writers; the last sample's number."""
    rows = np.random.default_rng((len(folder.name), writers.start)).permutation(5000)[: EACH * len(writers)]
    part = digits.take(rows)
    samples = replace(part.samples, images=change(part.images))
    names = tuple(f"pupil-{folder.name}-{number}" for number in writers)
    made = replace(part, samples=samples, writers=np.arange(len(part), dtype=np.int32) // EACH, writer_ids=names)
    incoming = Incoming(made, TASKS["digits"], "digits", source="pages", held_out=False)
    with Handwriting.open(store_in(folder)) as store:
        store.take_in(incoming, by="me", now=NOW)
        return store.newest_sample()


@pytest.mark.slow
def test_new_handwriting_that_looks_otherwise_starts_one_run_and_nothing_private_leaves_a_device(
    world: World, digits: Dataset
) -> None:
    policies = world.services.policies
    policies.change(ADA, "digits", {"cool_down_s": 0, "least_samples": 100_000})
    policies.enable(ADA, "digits", enabled=True)
    for folder in world.folders:
        last = take(folder, digits, range(10))
        with Handwriting.open(store_in(folder)) as store:
            store.note_trained(1, last)
    world.report()
    assert [each.fresh for each in world.told()] == [0] * DEVICES  # the run's release is here, so the run is finished
    policies.look()
    assert len(RunRecord(world.services.database).list()) == 1

    for folder in world.folders:
        take(folder, digits, range(10, 23), lambda images: styles.affine(images, shear=0.4))
    world.report()
    assert [each.fresh for each in world.told()] == [100] * DEVICES  # of 104
    assert {each.recent["slant"].writers for each in world.told()} == {10}  # of 13
    sent = len(world.sent)
    world.report()
    assert len(world.sent) == sent  # nothing is new
    policies.look()
    policies.look()
    (run,) = [each for each in RunRecord(world.services.database).list() if each.id != 1]
    assert (run.status, run.settings["start_from"]) == ("queued", 1)
    last_decision = policies.explain(ADA, "digits").last
    assert last_decision is not None
    assert "slant differs by +" in next(each.found for each in last_decision.conditions if each.name == "drift")
    everything = "".join(world.sent)
    assert not [word for word in PRIVATE if word in everything]
    assert set(json.loads(json.loads(world.sent[-1])["report"])["handwriting"]) == {
        "release",
        "fresh",
        "known",
        "recent",
        "held_out",
        "right",
        "feedback",
        "feedback_used",
    }
