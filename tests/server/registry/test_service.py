"""Releases, channels and pins reach devices, which believe nothing that is not signed; and nothing expires unseen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import DownloadHTTPError, ExpiredMetadataError, RepositoryError

from handfed.server.registry.custody import KeyCustody
from handfed.server.registry.lifetimes import Lifetimes
from handfed.server.registry.repository import MissingRegistryError, names_in_force
from handfed.server.registry.service import Registry
from handfed.shared.errors import ManifestError, SettingError, StorageError
from handfed.shared.registry import Channel, Pin, Trial, pin_path, release_path

if TYPE_CHECKING:
    from tests.server.registry.conftest import Device, MovingClock

NewDevice = Callable[..., "Device"]
Releases = Callable[..., Path]
NAMES = ["a" * 64, "b" * 64]
ROLES = ("root", "targets", "channels", "snapshot", "timestamp")
DAY = 24


def test_a_new_registry_is_empty_and_verifies(registry: Registry, new_device: NewDevice) -> None:
    device = new_device()
    assert device.channel() is None
    assert device.model(1) is None
    assert registry.releases() == frozenset()


def test_all_files_of_a_release_reach_a_device(registry: Registry, release: Releases, new_device: NewDevice) -> None:
    registry.add_release(3, release(3), task="digits")
    device = new_device()
    for path in release(3).iterdir():
        assert device.fetch(release_path(3, path.name)) == path.read_bytes()


def test_a_release_takes_no_second_place_on_the_disk(registry: Registry, release: Releases) -> None:
    registry.add_release(1, release(1), task="digits")
    (served,) = (registry.repository.files.directory / "targets" / "releases" / "0001").glob("*.model.tflite")
    assert served.samefile(release(1) / "model.tflite")


def test_a_device_follows_the_channel_of_its_task(registry: Registry, release: Releases, new_device: NewDevice) -> None:
    for number, task in ((1, "digits"), (2, "words"), (3, "digits")):
        registry.add_release(number, release(number, task), task=task)
    assert registry.channels() == {"digits": Channel("digits", 1), "words": Channel("words", 2)}
    assert new_device().channel("words") == Channel("words", 2)
    registry.set_channel(Channel("digits", 3, withdrawn=(1,)))
    assert new_device().channel() == Channel("digits", 3, withdrawn=(1,))


def test_adding_a_release_again_changes_nothing(registry: Registry, release: Releases) -> None:
    registry.add_release(1, release(1), task="digits")
    before = registry.repository.files.read("metadata/timestamp.json")
    registry.add_release(1, release(1), task="digits")
    registry.set_channel(Channel("digits", 1))
    registry.set_pins({})
    assert registry.repository.files.read("metadata/timestamp.json") == before


def test_a_release_whose_model_is_not_the_recorded_one_is_refused(registry: Registry, release: Releases) -> None:
    with pytest.raises(ManifestError, match="on record"):
        registry.add_release(1, release(1), task="digits", model_sha256="0" * 64)
    with pytest.raises(ManifestError, match="on record"):
        registry.add_release(2, release(1), task="digits")
    with pytest.raises(ManifestError, match="on record"):
        registry.add_release(1, release(1), task="words")
    with pytest.raises(StorageError, match="cannot read release 9"):
        registry.add_release(9, release(1) / "nowhere", task="digits")
    assert registry.releases() == frozenset()


def test_a_channel_or_pin_of_a_release_that_is_not_there_is_refused(registry: Registry, release: Releases) -> None:
    registry.add_release(1, release(1), task="digits")
    for refused in (Channel("digits", 2), Channel("digits", 1, Trial(2, 0, "0" * 32))):
        with pytest.raises(SettingError, match="release 2 is not in force"):
            registry.set_channel(refused)
    with pytest.raises(SettingError, match="release 7 is not in force"):
        registry.set_pins({pin_path(NAMES[0], "digits"): Pin("digits", 7)})
    with pytest.raises(ManifestError, match="plain name"):
        registry.set_channel(Channel("Not A Name", 1))
    assert registry.channels() == {"digits": Channel("digits", 1)}


def test_a_pin_is_for_the_device_that_knows_its_own_name_and_can_be_taken_back(
    registry: Registry, release: Releases, new_device: NewDevice
) -> None:
    registry.add_release(1, release(1), task="digits")
    registry.set_pins({pin_path(NAMES[0], "digits"): Pin("digits", 1)})
    device = new_device()
    assert (device.pin(NAMES[0]), device.pin(NAMES[1])) == (1, None)
    registry.set_pins({})
    assert device.pin(NAMES[0]) is None


operations = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 3)),
        st.tuples(st.just("channel"), st.integers(1, 3)),
        st.tuples(st.just("pin"), st.integers(1, 3)),
        st.tuples(st.just("unpin"), st.just(0)),
        st.tuples(st.just("rotate"), st.sampled_from(ROLES)),
        st.tuples(st.just("extra key"), st.sampled_from(ROLES)),
        st.tuples(st.just("renew"), st.sampled_from(ROLES)),
    ),
    min_size=1,
    max_size=6,
)


def do(registry: Registry, release: Releases, what: str, which: int | str) -> None:
    custody = KeyCustody(registry.repository)
    if isinstance(which, str):
        if what == "rotate":
            keys = next(one.keys for one in registry.status() if one.role == which)
            custody.rotate(which, old=keys[0].keyid)
        elif what == "extra key":
            custody.add(which)
        else:
            registry.renew([which])
    elif what == "add":
        registry.add_release(which, release(which), task="digits")
    elif what == "unpin":
        registry.set_pins({})
    elif which in registry.releases():
        if what == "pin":
            registry.set_pins({pin_path(NAMES[0], "digits"): Pin("digits", which)})
        else:
            registry.set_channel(Channel("digits", which))


@settings(max_examples=8)
@given(steps=operations, looks=st.sets(st.integers(0, 5)))
def test_whatever_was_done_a_device_follows_from_the_first_root(
    new_registry: Callable[[], Registry],
    release: Releases,
    new_device: NewDevice,
    steps: list[tuple[str, int | str]],
    looks: set[int],
) -> None:
    registry = new_registry()
    late, now_and_then = new_device(), new_device()
    for place, (what, which) in enumerate(steps):
        do(registry, release, what, which)
        if place in looks:
            now_and_then.updater()
    for device in (late, now_and_then):
        assert device.channel() == registry.channels().get("digits")
        for number in registry.releases():
            assert device.model(number) == (release(number) / "model.tflite").read_bytes()


def test_what_expires_is_renewed_at_half_of_its_life(registry: Registry, moving: MovingClock) -> None:
    assert registry.renew() == ()
    moving.forward(hours=23)
    assert registry.renew() == ()
    moving.forward(hours=2)
    assert registry.renew() == ("timestamp",)
    moving.forward(days=7)
    assert set(registry.renew()) == {"snapshot", "timestamp"}
    moving.forward(days=200)
    assert set(registry.renew()) == set(ROLES)
    assert registry.renew() == ()


def test_what_lives_too_long_by_a_clock_that_was_wrong_is_signed_anew(registry: Registry, moving: MovingClock) -> None:
    moving.forward(days=4000)
    registry.renew(ROLES)
    moving.forward(days=-4000)
    assert set(registry.renew()) == set(ROLES)
    assert all(one.expires - moving() <= registry.lifetimes.of(one.role) for one in registry.status())


def test_without_renewal_a_device_believes_nothing_after_the_timestamp_expired(
    new_registry: Callable[[], Registry], moving: MovingClock, new_device: NewDevice
) -> None:
    moving.forward(days=-2, seconds=-5)
    registry, device = new_registry(), new_device()
    with pytest.raises(ExpiredMetadataError):
        device.updater()
    moving.forward(days=2, seconds=5)
    registry.renew()
    device.updater()


def test_a_device_that_was_off_for_years_catches_up_by_the_chain_of_roots(
    new_registry: Callable[[], Registry], moving: MovingClock, new_device: NewDevice, release: Releases
) -> None:
    moving.forward(days=-1000)
    registry, device = new_registry(), new_device()
    registry.add_release(1, release(1), task="digits")
    for _ in range(5):
        moving.forward(days=200)
        registry.renew()
        for role in ("root", "timestamp"):
            KeyCustody(registry.repository).rotate(role)
    assert device.channel() == Channel("digits", 1)
    assert registry.repository.current()["root"].signed.version > 10


def test_old_metadata_and_documents_go_and_roots_and_releases_stay(
    new_registry: Callable[[], Registry], moving: MovingClock, release: Releases
) -> None:
    registry = new_registry()
    for number in (1, 2):
        registry.add_release(number, release(number), task="digits")
    registry.set_channel(Channel("digits", 2))
    KeyCustody(registry.repository).rotate("root")
    registry.renew(["timestamp"])
    directory = registry.repository.files.directory
    assert len(list(directory.glob("metadata/*.targets.json"))) > 1  # a slow device may still ask for them
    moving.forward(days=10)
    registry.renew()
    assert len(list(directory.glob("metadata/*.targets.json"))) == 1
    assert len(list(directory.glob("targets/channels/*.json"))) == 1
    assert len(list(directory.glob("metadata/*.root.json"))) == 2
    assert len(list(directory.glob("targets/releases/*/*.model.tflite"))) == 2


def test_a_server_that_was_restored_from_an_old_copy_is_believed_once_it_signed_anew(
    registry: Registry, moving: MovingClock, new_device: NewDevice, release: Releases, tmp_path: Path
) -> None:
    directory, device = registry.repository.files.directory, new_device()
    shutil.copytree(directory, tmp_path / "copy")
    for number in (1, 2, 3):
        registry.add_release(number, release(number), task="digits")
        registry.set_channel(Channel("digits", number))
    device.updater()
    shutil.rmtree(directory)
    shutil.copytree(tmp_path / "copy", directory)
    with pytest.raises(RepositoryError):
        device.updater()
    moving.forward(seconds=10)
    registry.renew(ROLES)
    assert device.channel() is None
    registry.add_release(1, release(1), task="digits")
    assert device.channel() == Channel("digits", 1)


def test_lifetimes_are_settings_and_have_bounds(new_registry: Callable[[], Registry], moving: MovingClock) -> None:
    new_registry()
    with pytest.raises(ValueError, match="timestamp_days is from 1"):
        Lifetimes(timestamp_days=0)
    registry = Registry(new_registry().repository.files.directory, Lifetimes(timestamp_days=10), moving)
    assert registry.renew() == ("timestamp",)
    assert (registry.status()[-1].expires - moving()).days == 9


def test_where_there_is_no_registry_it_is_said_and_none_is_made_by_looking(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "none")
    for look in (registry.root, registry.status, registry.channels, lambda: registry.renew(["root"])):
        with pytest.raises(MissingRegistryError, match="handfed serve makes one"):
            look()
    assert not (tmp_path / "none").exists()


def test_a_registry_is_never_made_beside_what_is_left_of_one(tmp_path: Path) -> None:
    (tmp_path / "registry" / "keys").mkdir(parents=True)
    with pytest.raises(StorageError, match="restore it from a backup"):
        Registry(tmp_path / "registry").ensure()


def test_damaged_metadata_is_said(registry: Registry) -> None:
    (registry.repository.files.directory / "metadata" / "timestamp.json").write_bytes(b"{}")
    with pytest.raises(StorageError, match="is damaged"):
        registry.status()


def test_a_file_that_was_changed_on_the_server_is_not_taken(
    registry: Registry, release: Releases, new_device: NewDevice
) -> None:
    registry.add_release(1, release(1), task="digits")
    (served,) = (registry.repository.files.directory / "targets" / "releases" / "0001").glob("*.model.tflite")
    content = served.read_bytes()
    served.unlink()
    served.write_bytes(content[:-1] + b"!")
    with pytest.raises(RepositoryError):
        new_device().model(1)
    served.unlink()
    with pytest.raises(DownloadHTTPError):
        new_device().model(1)


def test_pins_are_those_that_are_set_and_no_others(
    registry: Registry, release: Releases, new_device: NewDevice
) -> None:
    registry.add_release(1, release(1), task="digits")
    one, other = (pin_path(name, "digits") for name in NAMES[:2])
    registry.set_pins({one: Pin("digits", 1), other: Pin("digits", 1)})
    assert registry.pins().keys() == {one, other}
    registry.set_pins({other: Pin("digits", 1)})
    assert registry.pins().keys() == {other}
    device = new_device()
    assert device.fetch(other) == Pin("digits", 1).encode()
    with pytest.raises(SettingError, match="release 7 is not in force"):
        registry.set_pins({one: Pin("digits", 7)})


def test_what_was_replaced_stays_for_a_day_for_devices_that_are_slow(
    registry: Registry, release: Releases, moving: MovingClock
) -> None:
    registry.add_release(1, release(1), task="digits")
    directory = registry.repository.files.directory
    before = [directory / name for name in names_in_force(registry.repository.current())]
    for path in before:
        os.utime(path, (0, 0))  # it has been in force for long
    registry.set_channel(Channel("digits", 1, None, (7,)))
    registry.renew(["timestamp"])
    assert all(path.exists() for path in before)
    moving.forward(days=2)
    registry.renew(["timestamp"])
    assert not all(path.exists() for path in before)


def test_a_root_that_waits_keeps_nothing_from_being_renewed(registry: Registry, moving: MovingClock) -> None:
    other = CryptoSigner.generate_ed25519().public_key
    KeyCustody(registry.repository).rotate("root", new=other)
    assert [one.missing for one in registry.status() if one.role == "root"] == [1]
    before = {one.role: one.version for one in registry.status()}
    moving.forward(minutes=2)
    registry.renew([*before])
    after = {one.role: one.version for one in registry.status()}
    assert [role for role in after if after[role] > before[role]] == ["targets", "channels", "snapshot", "timestamp"]
    moving.forward(days=121)
    registry.renew()
    assert all(one.expires > moving() for one in registry.status())


def test_what_is_no_release_is_not_signed(registry: Registry, tmp_path: Path) -> None:
    bare = tmp_path / "0001"
    bare.mkdir()
    (bare / "model.tflite").write_bytes(b"model 1")
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        registry.add_release(1, bare, task="digits")
    assert registry.releases() == frozenset()
