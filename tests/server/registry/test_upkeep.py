"""The serving process sees to it that what was published is in the registry, and that nothing expires unseen."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handfed.server.database import Database
from handfed.server.promotion.service import Promotions
from handfed.server.registry.custody import KeyCustody
from handfed.server.registry.files import RESTORED
from handfed.server.registry.service import Registry
from handfed.server.registry.upkeep import RegistryUpkeep
from handfed.server.releases.schemas import ReleaseFacts
from handfed.server.releases.service import ReleaseRecord
from handfed.shared.registry import Channel

if TYPE_CHECKING:
    from tests.server.conftest import ReleaseFiles
    from tests.server.registry.conftest import MovingClock, Server

Published = Callable[..., int]


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    return tmp_path / "releases"


@pytest.fixture
def record(sqlite_database: Database) -> ReleaseRecord:
    return ReleaseRecord(sqlite_database)


@pytest.fixture
def publish(record: ReleaseRecord, releases: Path, release_files: ReleaseFiles) -> Published:
    """Publishes a release, as a run's process does."""

    def one(task: str = "digits", run: int | None = None) -> int:
        return record.publish(releases, lambda number: release_files(number, task), ReleaseFacts(task, "cnn", run))

    return one


@pytest.fixture
def upkeep(registry: Registry, record: ReleaseRecord, releases: Path, moving: MovingClock) -> RegistryUpkeep:
    return RegistryUpkeep(registry, record, releases, clock=moving)


def test_what_is_on_record_comes_into_the_registry_once(
    upkeep: RegistryUpkeep, registry: Registry, publish: Published
) -> None:
    upkeep.look()
    assert [publish("digits"), publish("words"), publish("digits")] == [1, 2, 3]
    upkeep.look()
    assert registry.releases() == {1, 2, 3}
    before = registry.repository.files.read("metadata/timestamp.json")
    upkeep.look()
    assert registry.repository.files.read("metadata/timestamp.json") == before


def test_another_process_adds_what_the_one_that_died_did_not(
    registry: Registry, record: ReleaseRecord, releases: Path, publish: Published, moving: MovingClock
) -> None:
    publish()
    RegistryUpkeep(registry, record, releases, clock=moving).look()
    publish()
    RegistryUpkeep(registry, record, releases, clock=moving).look()
    assert registry.releases() == {1, 2}


def test_a_release_whose_files_are_gone_or_changed_is_left_out_and_keeps_no_other_back(
    upkeep: RegistryUpkeep,
    registry: Registry,
    publish: Published,
    releases: Path,
    moving: MovingClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(3):
        publish()
    (releases / "0001" / "model.tflite").chmod(0o644)
    content = (releases / "0001" / "model.tflite").read_bytes()
    (releases / "0001" / "model.tflite").write_bytes(b"another model")
    (releases / "0002").rename(releases / "gone")
    for _ in range(3):
        upkeep.look()
    assert registry.releases() == {3}
    assert len([line for line in caplog.messages if "is not in the registry" in line]) == 2  # each is said once
    (releases / "0001" / "model.tflite").write_bytes(content)
    moving.forward(minutes=2)
    upkeep.look()
    assert registry.releases() == {1, 3}


def test_what_is_decided_of_a_release_is_told_within_seconds(
    registry: Registry,
    record: ReleaseRecord,
    releases: Path,
    publish: Published,
    moving: MovingClock,
    sqlite_database: Database,
) -> None:
    upkeep = RegistryUpkeep(registry, record, releases, (Promotions(sqlite_database, clock=moving),), moving)
    upkeep.look()
    publish()
    moving.forward(seconds=6)
    upkeep.look()
    assert registry.channels() == {"digits": Channel("digits", 1)}


def test_a_task_that_can_have_no_channel_is_said(
    upkeep: RegistryUpkeep, registry: Registry, publish: Published, caplog: pytest.LogCaptureFixture
) -> None:
    publish("Très joli")
    publish("digits")
    upkeep.look()
    assert registry.releases() == {2}
    assert "give the task a plain name" in caplog.text


def test_a_release_that_was_signed_elsewhere_is_in_force(
    upkeep: RegistryUpkeep, registry: Registry, publish: Published, moving: MovingClock, tmp_path: Path
) -> None:
    custody, key = KeyCustody(registry.repository), tmp_path / "targets.pem"
    custody.export("targets", key, passphrase=None)
    publish()
    upkeep.look()
    assert registry.waiting() == {1}
    custody.bring_back(key.read_bytes(), passphrase=None)
    moving.forward(minutes=2)
    upkeep.look()
    assert registry.releases() == {1}


def test_what_is_due_is_renewed_and_what_cannot_be_is_said_once_a_day(
    upkeep: RegistryUpkeep,
    registry: Registry,
    moving: MovingClock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    KeyCustody(registry.repository).export("root", tmp_path / "root.pem", passphrase=None)
    upkeep.look()
    moving.forward(days=200)
    for _ in range(4):
        upkeep.look()
        moving.forward(minutes=2)
    life = {one.role: one.expires - moving() for one in registry.status()}
    assert all(left.days >= registry.lifetimes.of(role).days / 2 for role, left in life.items() if role != "root")
    assert [line for line in caplog.messages if "root expires in 164 days" in line] == [caplog.messages[0]]
    caplog.clear()
    moving.forward(days=1)
    upkeep.look()
    assert "root expires in 163 days" in caplog.text


def test_a_registry_out_of_a_backup_signs_everything_anew_once(
    upkeep: RegistryUpkeep, registry: Registry, moving: MovingClock
) -> None:
    upkeep.look()
    before = {one.role: one.version for one in registry.status()}
    moving.forward(minutes=2)
    (registry.repository.files.directory / RESTORED).touch()
    upkeep.look()
    after = {one.role: one.version for one in registry.status()}
    assert all(after[role] > before[role] for role in after)
    assert not (registry.repository.files.directory / RESTORED).exists()
    moving.forward(minutes=2)
    upkeep.look()
    assert after == {one.role: one.version for one in registry.status()}


def test_whatever_goes_wrong_is_in_the_log_and_nothing_ends(
    registry: Registry,
    record: ReleaseRecord,
    releases: Path,
    server: Server,
    moving: MovingClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upkeep = RegistryUpkeep(registry, record, releases, clock=moving)
    server.registry.rename(server.registry.with_name("away"))
    with caplog.at_level(logging.WARNING):
        upkeep.look()
    server.registry.with_name("away").rename(server.registry)
    assert "there is no registry" in caplog.text

    def broken() -> dict[int, str]:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(record, "tasks", broken)
    upkeep.look()
    assert "unforeseen" in caplog.text
