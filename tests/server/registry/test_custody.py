"""Keys change hands and places without a device losing its way, and nothing counts that too few have signed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Targets

from handfed.server.registry import custody as custodies
from handfed.server.registry import keys as role_keys
from handfed.server.registry.custody import KeyCustody
from handfed.server.registry.draft import MissingKeyError
from handfed.server.registry.service import Registry, RoleStatus
from handfed.shared.errors import CertificateError, ConflictError, SettingError
from handfed.shared.registry import Channel

if TYPE_CHECKING:
    from tests.server.registry.conftest import Device, MovingClock, Server

NewDevice = Callable[..., "Device"]
Releases = Callable[..., Path]
PASSPHRASE = "correct horse"  # noqa: S105 - of keys that live as long as a test


@pytest.fixture
def custody(registry: Registry) -> KeyCustody:
    return KeyCustody(registry.repository)


def status(registry: Registry, role: str) -> RoleStatus:
    return next(one for one in registry.status() if one.role == role)


def keys(registry: Registry, role: str) -> set[str]:
    return {key.keyid for key in status(registry, role).keys}


def waiting(registry: Registry) -> set[str]:
    return {one.role for one in registry.status() if one.missing is not None}


def carried(registry: Registry, role: str, key: Path, passphrase: str | None = PASSPHRASE) -> bytes:
    """What comes back from the machine with the key."""
    file = registry.repository.files.directory / "pending" / f"{role}.json"
    return custodies.sign(file.read_bytes(), key.read_bytes(), passphrase)


@pytest.fixture
def offline(registry: Registry, custody: KeyCustody, tmp_path: Path) -> Callable[[str], Path]:
    """Takes the key of a role elsewhere."""

    def take(role: str) -> Path:
        file = tmp_path / f"{role}.pem"
        custody.export(role, file, passphrase=PASSPHRASE)
        assert not status(registry, role).signs_here
        return file

    return take


@pytest.mark.parametrize("role", ["root", "targets", "channels", "snapshot", "timestamp"])
def test_a_rotated_key_is_gone_and_the_new_one_counts(
    registry: Registry, custody: KeyCustody, new_device: NewDevice, release: Releases, role: str
) -> None:
    registry.add_release(1, release(1), task="digits")
    device, (old,) = new_device(), keys(registry, role)
    device.updater()
    made = custody.rotate(role)
    assert keys(registry, role) == {made.keyid}
    assert not registry.repository.keys.has(old)
    assert device.channel() == Channel("digits", 1)
    registry.renew([role])
    assert device.channel() == new_device().channel() == Channel("digits", 1)


@pytest.mark.parametrize("role", ["targets", "channels", "snapshot", "timestamp"])
def test_a_key_that_was_lost_is_replaced(
    registry: Registry, custody: KeyCustody, new_device: NewDevice, release: Releases, role: str
) -> None:
    registry.add_release(1, release(1), task="digits")
    device, (lost,) = new_device(), keys(registry, role)
    device.updater()
    registry.repository.keys.path(lost).unlink()
    found, made = custody.revoke(lost[:8])
    assert (found, keys(registry, role)) == (role, {made.keyid} if made else set())
    assert device.channel() == Channel("digits", 1)
    registry.add_release(2, release(2, "words"), task="words")
    assert device.channel("words") == Channel("words", 2)


def test_a_stolen_key_signs_nothing_any_more(
    registry: Registry, custody: KeyCustody, new_device: NewDevice, release: Releases
) -> None:
    registry.add_release(1, release(1), task="digits")
    (stolen,) = keys(registry, "channels")
    thief = registry.repository.keys.signer(stolen)
    custody.revoke(stolen)
    assert "channels" in {one.role for one in registry.status()}
    current = registry.repository.current()["channels"]
    forged = Metadata[Targets].from_bytes(current.to_bytes())
    forged.signed.targets.clear()
    forged.sign(thief)
    path = registry.repository.files.directory / "metadata" / f"{current.signed.version}.channels.json"
    path.write_bytes(forged.to_bytes())
    with pytest.raises(RepositoryError):
        new_device().channel()


def test_of_two_keys_one_is_revoked_without_a_new_one(registry: Registry, custody: KeyCustody) -> None:
    added = custody.add("targets")
    (first,) = keys(registry, "targets") - {added.keyid}
    assert custody.revoke(first) == ("targets", None)
    assert keys(registry, "targets") == {added.keyid}
    with pytest.raises(SettingError, match="no key here"):
        custody.revoke(first)


def test_with_the_root_elsewhere_a_change_of_keys_waits_until_it_is_signed_there(
    registry: Registry, custody: KeyCustody, new_device: NewDevice, release: Releases, offline: Callable[[str], Path]
) -> None:
    device, key = new_device(), offline("root")
    registry.add_release(1, release(1), task="digits")  # needs no root
    (old,) = keys(registry, "timestamp")
    custody.rotate("timestamp")
    assert waiting(registry) == {"root"}
    assert keys(registry, "timestamp") == {old}
    assert registry.renew(["timestamp"]) == ("timestamp",)  # goes on meanwhile
    assert device.channel() == Channel("digits", 1)
    assert custody.accept(carried(registry, "root", key)) == "root"
    assert waiting(registry) == set()
    assert keys(registry, "timestamp") != {old}
    assert not registry.repository.keys.has(old)
    assert device.channel() == Channel("digits", 1)


def test_a_later_change_goes_on_from_what_waits_and_takes_another_signature(
    registry: Registry, custody: KeyCustody, new_device: NewDevice, offline: Callable[[str], Path]
) -> None:
    device, key = new_device(), offline("root")
    custody.rotate("timestamp")
    first = carried(registry, "root", key)
    again = custody.rotate("timestamp")
    custody.rotate("snapshot")
    with pytest.raises(SettingError, match="not what waits"):
        custody.accept(first)
    custody.accept(carried(registry, "root", key))
    assert keys(registry, "timestamp") == {again.keyid}
    here = {path.stem for path in (registry.repository.files.directory / "keys").iterdir()}
    assert here == {key.keyid for one in registry.status() for key in one.keys if key.is_here}
    device.updater()


def test_a_release_waits_where_the_key_of_releases_is_elsewhere_while_channels_go_on(
    registry: Registry, custody: KeyCustody, new_device: NewDevice, release: Releases, offline: Callable[[str], Path]
) -> None:
    for number in (1, 2):
        registry.add_release(number, release(number), task="digits")
    device, key = new_device(), offline("targets")
    registry.add_release(3, release(3, "words"), task="words")
    registry.add_release(4, release(4, "words"), task="words")
    assert registry.releases() == {1, 2}
    assert registry.waiting() == {3, 4}
    assert device.model(3) is None
    registry.set_channel(Channel("digits", 2))
    assert device.channel() == Channel("digits", 2)
    with pytest.raises(SettingError, match="not in force"):
        registry.set_channel(Channel("words", 3))
    custody.accept(carried(registry, "targets", key))
    assert registry.releases() == {1, 2, 3, 4}
    assert not registry.waiting()
    registry.set_channel(Channel("words", 3))
    assert device.channel("words") == Channel("words", 3)


def test_a_key_that_comes_back_signs_what_waited_for_it(
    registry: Registry, custody: KeyCustody, release: Releases, offline: Callable[[str], Path]
) -> None:
    key = offline("targets")
    registry.add_release(1, release(1), task="digits")
    with pytest.raises(CertificateError, match="passphrase is wrong"):
        custody.bring_back(key.read_bytes(), passphrase="wrong")  # noqa: S106
    role, keyid = custody.bring_back(key.read_bytes(), passphrase=PASSPHRASE)
    assert (role, {keyid}) == ("targets", keys(registry, "targets"))
    assert registry.releases() == {1}
    assert waiting(registry) == set()


def test_two_of_three_have_to_sign(
    registry: Registry, custody: KeyCustody, new_device: NewDevice, tmp_path: Path
) -> None:
    device, people = new_device(), [tmp_path / f"{name}.pem" for name in ("ada", "bob", "cyd")]
    (first,) = keys(registry, "root")
    for person in people:
        signer = role_keys.make()
        person.write_bytes(role_keys.encode(signer, PASSPHRASE))
        custody.add("root", new=role_keys.decode_public(role_keys.encode_public(signer.public_key)))
    custody.set_threshold("root", 2)  # the old threshold is met by the key that is here, the new one is not
    assert waiting(registry) == {"root"}
    assert status(registry, "root").missing == 1
    custody.accept(carried(registry, "root", people[0]))
    assert status(registry, "root").threshold == 2
    custody.revoke(first)
    for person, left in ((people[0], 1), (people[1], None)):
        content = carried(registry, "root", person)
        custody.accept(content)
        assert status(registry, "root").missing == left
    assert first not in keys(registry, "root")
    assert status(registry, "root").signs_here is False
    with pytest.raises(SettingError, match="not what waits"):
        custody.accept(content)
    device.updater()


def test_the_same_signature_twice_counts_once(registry: Registry, custody: KeyCustody, tmp_path: Path) -> None:
    person = tmp_path / "ada.pem"
    signer = role_keys.make()
    person.write_bytes(role_keys.encode(signer, None))
    custody.add("root", new=signer.public_key)
    custody.export("root", tmp_path / "first.pem", passphrase=None)
    custody.add("targets", threshold=2)
    custody.set_threshold("root", 2)
    content = carried(registry, "root", person, None)
    custody.accept(content)
    with pytest.raises(SettingError, match="holds no signature"):
        custody.accept(content)
    assert status(registry, "targets").threshold == 1
    custody.accept(carried(registry, "root", tmp_path / "first.pem", None))
    assert (status(registry, "targets").threshold, status(registry, "root").threshold) == (2, 2)


def test_a_signature_by_a_key_of_no_role_is_refused(
    registry: Registry, custody: KeyCustody, offline: Callable[[str], Path]
) -> None:
    offline("root")
    custody.rotate("timestamp")
    content = (registry.repository.files.directory / "pending" / "root.json").read_bytes()
    stranger = role_keys.encode(role_keys.make(), None)
    with pytest.raises(SettingError, match="holds no signature"):
        custody.accept(custodies.sign(content, stranger, None))
    with pytest.raises(SettingError, match="no metadata"):
        custody.accept(b"{}")
    assert waiting(registry) == {"root"}


def test_targets_move_to_a_key_that_was_never_here(
    registry: Registry, custody: KeyCustody, new_device: NewDevice, release: Releases, tmp_path: Path
) -> None:
    registry.add_release(1, release(1), task="digits")
    device, elsewhere, signer = new_device(), tmp_path / "targets.pem", role_keys.make()
    elsewhere.write_bytes(role_keys.encode(signer, PASSPHRASE))
    (old,) = keys(registry, "targets")
    custody.rotate("targets", new=signer.public_key)
    assert waiting(registry) == {"root", "targets"}  # what the new key has to sign first
    assert device.channel() == Channel("digits", 1)
    registry.add_release(2, release(2), task="digits")  # by the old key, which still counts
    assert registry.releases() == {1, 2}
    assert "targets" in waiting(registry)
    custody.accept(carried(registry, "targets", elsewhere))
    assert keys(registry, "targets") == {signer.public_key.keyid}
    assert waiting(registry) == set()
    assert not registry.repository.keys.has(old)
    assert device.channel() == Channel("digits", 1)
    assert device.model(2) is not None


def test_what_waits_can_be_dropped(
    registry: Registry, custody: KeyCustody, release: Releases, offline: Callable[[str], Path]
) -> None:
    offline("root")
    offline("targets")
    before = {path.name for path in (registry.repository.files.directory / "keys").iterdir()}
    custody.rotate("timestamp")
    registry.add_release(1, release(1), task="digits")
    assert waiting(registry) == {"root", "targets"}
    assert set(registry.repository.cancel()) == {"root", "targets"}
    assert waiting(registry) == set()
    assert {path.name for path in (registry.repository.files.directory / "keys").iterdir()} == before


def test_an_exported_key_is_elsewhere_alone_and_takes_its_passphrase(
    registry: Registry, custody: KeyCustody, offline: Callable[[str], Path]
) -> None:
    (keyid,) = keys(registry, "root")
    file = offline("root")
    assert not registry.repository.keys.has(keyid)
    assert file.stat().st_mode & 0o077 == 0
    assert role_keys.is_encrypted(file.read_bytes())
    assert role_keys.decode(file.read_bytes(), PASSPHRASE).public_key.keyid == keyid
    with pytest.raises(SettingError, match="0 keys of root are here"):
        custody.export("root", file.with_name("again.pem"), passphrase=None)


def test_what_has_to_sign_every_day_does_not_leave(registry: Registry, custody: KeyCustody, tmp_path: Path) -> None:
    for role in ("snapshot", "timestamp"):
        with pytest.raises(SettingError, match="stays here"):
            custody.export(role, tmp_path / "key.pem", passphrase=None)
        with pytest.raises(SettingError, match="has to be here"):
            custody.rotate(role, new=role_keys.make().public_key)
        assert status(registry, role).signs_here


def test_without_the_timestamp_key_nothing_changes_and_the_message_says_how_to_go_on(
    registry: Registry, custody: KeyCustody, release: Releases
) -> None:
    (lost,) = keys(registry, "timestamp")
    registry.repository.keys.path(lost).unlink()
    with pytest.raises(MissingKeyError, match="handfed keys revoke"):
        registry.add_release(1, release(1), task="digits")
    assert registry.releases() == frozenset()
    custody.revoke(lost)
    registry.add_release(1, release(1), task="digits")


def test_a_threshold_that_cannot_be_met_is_refused_and_leaves_no_key(registry: Registry, custody: KeyCustody) -> None:
    directory = registry.repository.files.directory / "keys"
    before = {path.name for path in directory.iterdir()}
    for role, most in (("root", 3), ("channels", 3)):
        with pytest.raises(SettingError, match="can be asked to sign"):
            custody.add(role, threshold=most)
    with pytest.raises(SettingError, match="can be asked to sign"):
        custody.set_threshold("targets", 2)
    assert {path.name for path in directory.iterdir()} == before


def test_a_key_has_one_role(registry: Registry, custody: KeyCustody) -> None:
    (keyid,) = keys(registry, "targets")
    with pytest.raises(ConflictError, match="has this key already"):
        custody.add("root", new=registry.repository.keys.signer(keyid).public_key)


def test_of_several_keys_one_is_named(registry: Registry, custody: KeyCustody) -> None:
    added = custody.add("root")
    with pytest.raises(SettingError, match="say which one"):
        custody.rotate("root")
    new = custody.rotate("root", old=added.keyid[:10])
    assert new.keyid in keys(registry, "root")
    assert added.keyid not in keys(registry, "root")


def test_a_root_that_is_elsewhere_is_due_for_people_alone(
    registry: Registry, custody: KeyCustody, moving: MovingClock, offline: Callable[[str], Path], new_device: NewDevice
) -> None:
    device, key = new_device(), offline("root")
    moving.forward(days=200)
    assert "root" not in registry.renew()
    one = status(registry, "root")
    assert one.is_due(registry.lifetimes.of("root"), moving())
    registry.renew(["root"])
    assert waiting(registry) == {"root"}
    registry.renew()
    custody.accept(carried(registry, "root", key))
    moving.forward(days=-200)
    assert not status(registry, "root").is_due(registry.lifetimes.of("root") * 3, moving())
    registry.renew(["channels", "snapshot", "timestamp"])
    device.updater()


def test_after_a_break_in_one_signature_of_the_root_takes_the_registry_back(
    registry: Registry,
    custody: KeyCustody,
    new_device: NewDevice,
    release: Releases,
    offline: Callable[[str], Path],
    tmp_path: Path,
    server: Server,
) -> None:
    registry.add_release(1, release(1), task="digits")
    device, key, ours = new_device(), offline("root"), tmp_path / "ours"
    device.updater()
    shutil.copytree(server.registry, ours)
    thief = Registry(server.registry, clock=lambda: datetime.now(UTC) + timedelta(days=3650))  # with versions far ahead
    thief.add_release(66, release(66), task="digits")
    thief.set_channel(Channel("digits", 66))
    assert device.channel() == Channel("digits", 66)

    shutil.rmtree(server.registry)
    shutil.copytree(ours, server.registry)
    stolen = [each.keyid for one in registry.status() for each in one.keys if each.is_here]
    assert len(stolen) == 4
    with pytest.raises(RepositoryError):  # what the device saw is newer
        device.updater()
    for each in stolen:
        custody.revoke(each)
    custody.accept(carried(registry, "root", key))
    assert waiting(registry) == set()
    assert not {each.keyid for one in registry.status() for each in one.keys} & set(stolen)
    assert device.channel() == new_device().channel() == Channel("digits", 1)
    assert device.model(66) is None
