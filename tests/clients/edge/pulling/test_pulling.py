"""A device pulls the release that it is to use, asks for no byte twice, and goes on with what it has."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from securesystemslib.signer import CryptoSigner

from handfed.clients.device import credentials, keys
from handfed.clients.device.credentials import Enrolment
from handfed.clients.edge import source
from handfed.clients.edge.refusals import RefusedUpdateError
from handfed.clients.edge.state import Quarantine, Reason, State
from handfed.clients.edge.store import name_of, software
from handfed.clients.edge.updater import LOCK, pull
from handfed.shared.address import Address
from handfed.shared.errors import (
    CertificateError,
    HandfedError,
    ManifestError,
    SettingError,
    StorageError,
    UpdateError,
)
from handfed.shared.files import held, sha256_of
from handfed.shared.manifest import MODEL, MODEL_CARD
from handfed.shared.registry import METADATA, Channel, Pin, Trial, bucket_of, channel_path, pin_path

if TYPE_CHECKING:
    from tests.clients.edge.pulling.conftest import Device, Registry, Served

TASK = "digits"
SALT = "0" * 32


@pytest.fixture
def well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases are not tried: what is asked here is which one is pulled."""
    from handfed.clients.edge import updater
    from handfed.clients.edge.health import Health

    monkeypatch.setattr(updater, "examine", lambda _release, latency_ms: Health(None, latency_ms=latency_ms))


def publish(registry: Registry, channel: Channel) -> None:
    registry.put_channel(channel)
    registry.step()
    registry.publish()


def add(registry: Registry, *numbers: int) -> None:
    from tests.clients.edge.pulling.conftest import a_release

    for number in numbers:
        registry.put_release(number, *a_release(number))


def test_a_new_release_is_pulled_tried_and_reads(device: Device) -> None:
    assert device.reads() == 1
    device.registry.offer(2)
    pulled = device.pull()
    assert (pulled.outcome, pulled.release, pulled.current) == ("switched", 2, 2)
    assert device.reads() == 2
    fact = device.store.state().facts[-1]
    assert (fact.what, fact.release) == ("switched", device.store.state().current)


def test_nothing_new_costs_two_answers_without_a_body(device: Device) -> None:
    device.pull()
    device.server.reset(device.registry.files)
    assert device.pull().outcome == "kept"
    assert [(path, status) for path, _, status in device.server.asked] == [
        (f"{METADATA}2.root.json", 404),
        (f"{METADATA}timestamp.json", 304),
    ]
    assert device.server.sent[f"{METADATA}timestamp.json"] == 0


@pytest.mark.usefixtures("well")
def test_of_a_new_release_only_what_is_new_is_fetched(device: Device) -> None:
    device.registry.offer(2)
    device.pull()
    asked = [path for path, _, status in device.server.asked if status == 200]
    assert len(asked) == len(set(asked)) == 8  # four of metadata, the channel, and three files of the release


@pytest.mark.usefixtures("well")
def test_the_last_two_good_ones_stay_and_what_is_older_goes(device: Device) -> None:
    for number in (2, 3, 4):
        device.registry.offer(number)
        device.pull()
        assert device.reads() == number
    device.pull()
    assert sorted(name[:4] for name in device.store.on_disk()) == ["0003", "0004"]
    assert list(device.store.incoming.iterdir()) == []


@pytest.mark.usefixtures("well")
def test_until_a_new_one_has_read_something_both_good_ones_stay(device: Device) -> None:
    device.registry.offer(2)
    device.pull()
    assert device.reads() == 2
    device.registry.offer(3)
    device.pull()
    device.pull()
    assert sorted(name[:4] for name in device.store.on_disk()) == ["0001", "0002", "0003"]


def test_a_first_pull_takes_the_only_task(new_device: Device) -> None:
    with pytest.raises(ManifestError, match="run handfed edge pull"):
        new_device.reads()
    assert new_device.pull().outcome == "switched"
    assert new_device.store.state().task == TASK
    assert new_device.reads() == 1


def test_of_several_tasks_one_has_to_be_named(new_device: Device) -> None:
    publish(new_device.registry, Channel("letters"))
    with pytest.raises(SettingError, match=r"releases of digits, letters: name one with --task"):
        new_device.pull()
    assert new_device.pull(task="letters").outcome == "nothing"
    with pytest.raises(UpdateError, match="no channel for the task words"):
        new_device.pull(task="words")


def test_a_registry_without_a_channel_says_so(new_device: Device) -> None:
    new_device.registry.channels.targets.clear()
    new_device.registry.step()
    new_device.registry.publish()
    with pytest.raises(UpdateError, match="no channel yet"):
        new_device.pull()


@pytest.mark.usefixtures("well")
def test_a_trial_takes_in_the_devices_of_its_buckets(device: Device) -> None:
    add(device.registry, 2)
    bucket = bucket_of(device.store.state().alias, SALT)
    publish(device.registry, Channel(TASK, 1, Trial(2, bucket, SALT)))
    assert device.pull().current == 1
    publish(device.registry, Channel(TASK, 1, Trial(2, bucket + 1, SALT)))
    assert device.pull().current == 2


@pytest.mark.usefixtures("well")
def test_what_is_on_trial_lies_beside_what_is_used_until_it_is_withdrawn(device: Device) -> None:
    add(device.registry, 2)
    publish(device.registry, Channel(TASK, 1, Trial(2, 0, SALT)))
    assert device.pull().current == 1
    on_trial = device.store.state().on_trial
    assert on_trial is not None
    assert (on_trial[:4], (device.store.path(on_trial) / MODEL).is_file()) == ("0002", True)
    publish(device.registry, Channel(TASK, 1, withdrawn=(2,)))
    assert device.pull().current == 1
    assert device.store.state().on_trial is None
    assert not device.store.path(on_trial).exists()


@pytest.mark.usefixtures("well")
def test_what_is_on_trial_and_does_not_come_keeps_nothing_else_back(device: Device) -> None:
    from tests.clients.edge.pulling.conftest import Reply

    add(device.registry, 2, 3)
    publish(device.registry, Channel(TASK, 2, Trial(3, 0, SALT)))
    device.server.instead = lambda path, _: Reply(503) if "/0003/" in path else None
    pulled = device.pull()
    assert (pulled.outcome, pulled.current, device.store.state().on_trial) == ("switched", 2, None)
    assert "the one to compare it with did not come" in pulled.message
    device.server.instead = lambda _path, _headers: None
    assert device.pull().message == "release 2 is in use, and is the one to use"
    assert str(device.store.state().on_trial).startswith("0003")


@pytest.mark.usefixtures("well")
def test_a_canary_goes_first_and_stays_one_until_it_is_told(device: Device) -> None:
    add(device.registry, 2)
    salt = next(salt for salt in (f"{n:032x}" for n in range(99)) if bucket_of(device.store.state().alias, salt) > 5)
    publish(device.registry, Channel(TASK, 1, Trial(2, 1, salt)))
    assert device.pull().current == 1
    assert device.pull(follows="canary").current == 2
    assert device.pull().current == 2
    assert device.pull(follows="stable").current == 1


@pytest.mark.usefixtures("well")
def test_a_pin_counts_more_than_the_channel(device: Device) -> None:
    fingerprint = "ab" * 32
    device.source = replace(device.source, key_fingerprint=fingerprint)
    add(device.registry, 2, 3)
    device.registry.put(pin_path(fingerprint, TASK), Pin(TASK, 2).encode(), into=device.registry.channels)
    publish(device.registry, Channel(TASK, 3))
    assert device.pull().current == 2
    publish(device.registry, Channel(TASK, 3, withdrawn=(2,)))
    assert device.pull().current == 3


@pytest.mark.usefixtures("well")
def test_a_withdrawn_champion_is_left_for_the_one_before_or_none(device: Device) -> None:
    device.registry.offer(2)
    device.pull()
    publish(device.registry, Channel(TASK, 2, withdrawn=(2,)))
    pulled = device.pull()
    assert (pulled.outcome, pulled.current) == ("returned", 1)
    assert pulled.message == "release 2 was withdrawn; release 1 is in use now"
    assert device.reads() == 1
    assert device.pull().outcome == "nothing"
    publish(device.registry, Channel(TASK, 2, withdrawn=(1, 2)))
    assert device.pull().current is None
    with pytest.raises(ManifestError, match="holds no release"):
        device.reads()
    device.registry.offer(3)
    assert device.pull().current == 3


@pytest.mark.usefixtures("well")
@pytest.mark.parametrize(("champion", "outcome"), [(1, "returned"), (3, "switched")])
def test_what_is_withdrawn_is_left_for_the_champion(device: Device, champion: int, outcome: str) -> None:
    device.registry.offer(2)
    device.pull()
    add(device.registry, 3)
    publish(device.registry, Channel(TASK, champion, withdrawn=(2,)))
    pulled = device.pull()
    assert (pulled.outcome, pulled.current) == (outcome, champion)
    assert pulled.message == f"release 2 was withdrawn; release {champion} is in use now"
    assert device.reads() == champion


@pytest.mark.usefixtures("well")
def test_a_number_that_another_federation_uses_too_is_no_clash(device: Device) -> None:
    """A device that joined anew meets another root, and other releases of the same numbers."""
    from tests.clients.edge.pulling.conftest import Registry

    other = Registry({role: [CryptoSigner.generate_ed25519()] for role in device.registry.keys})
    other.offer(1, licence="another")
    device.server.reset(other.files)
    with pytest.raises(RefusedUpdateError):
        device.pull()
    device.source = replace(device.source, root=other.first_root)
    assert device.pull().outcome == "switched"
    assert [name[:4] for name in device.store.state().kept] == ["0001", "0001"]
    assert device.reads() == 1


@pytest.mark.usefixtures("well")
def test_of_a_federation_that_was_left_only_what_reads_counts(device: Device) -> None:
    """Its releases go on until there is a better one, whatever the new federation says of its own numbers."""
    from tests.clients.edge.pulling.conftest import Registry

    ours, theirs = str(device.store.state().current), name_of(3, "a" * 64)
    quarantined = {theirs: Quarantine(Reason.CRASH, "any")}
    device.store.change(lambda state: replace(state, quarantined=quarantined, on_trial=name_of(4, "b" * 64)))
    other = Registry({role: [CryptoSigner.generate_ed25519()] for role in device.registry.keys})
    add(other, 2)
    publish(other, Channel(TASK, None, withdrawn=(1,), trial=Trial(2, 0, SALT)))
    device.server.reset(other.files)
    device.source = replace(device.source, root=other.first_root)
    assert device.pull().outcome == "nothing"
    state = device.store.state()
    assert (state.current, state.foreign, state.registry) == (ours, (ours,), device.source.registry)
    assert (state.quarantined, state.on_trial) == ({}, None)
    publish(other, Channel(TASK, 2))
    assert device.pull().outcome == "switched"
    assert device.store.state().previous == (ours,)
    publish(other, Channel(TASK, 2, withdrawn=(1,)))
    assert device.pull().outcome == "kept"
    assert device.store.state().previous == (ours,)


def test_a_release_that_does_not_fit_is_not_begun(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    device.registry.offer(2)
    usage = shutil.disk_usage(device.folder)._replace(free=16_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match=r"the release takes 0\.1 MB, 16 MB are to stay free, .* has 16\.0 MB"):
        device.pull()
    assert not any(path.endswith(MODEL) for path, _, _ in device.server.asked)
    assert device.reads() == 1


@pytest.mark.usefixtures("well")
def test_progress_is_told_to_the_last_byte(device: Device) -> None:
    device.registry.offer(2)
    told: list[tuple[int, int]] = []
    pull(device.store, device.source, None, lambda done, whole: told.append((done, whole)))
    assert told == sorted(told)
    assert (
        told[-1][0]
        == told[-1][1]
        == sum(
            target.length
            for path, target in device.registry.targets.targets.items()
            if path.startswith("releases/0002/")
        )
    )


@pytest.mark.usefixtures("well")
def test_a_release_without_a_card_is_one(device: Device) -> None:
    device.registry.offer(2)
    del device.registry.targets.targets[f"releases/0002/{MODEL_CARD}"]
    device.registry.step()
    device.registry.publish()
    assert device.pull().current == 2


def test_two_do_not_pull_at_once(device: Device) -> None:
    with held(device.store.directory / LOCK, what="a test"), pytest.raises(UpdateError, match="pulling releases into"):
        device.pull()


def test_without_a_server_what_is_here_goes_on(device: Device) -> None:
    device.source = replace(device.source, address=Address("127.0.0.1", 1))
    with pytest.raises(UpdateError, match=r"the server at 127\.0\.0\.1:1 cannot be reached"):
        device.pull()
    assert device.reads() == 1


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_server_that_has_no_registry_or_fails_is_said_so(device: Device, status: int) -> None:
    from tests.clients.edge.pulling.conftest import Reply

    device.server.instead = lambda path, _: Reply(status) if path.endswith("timestamp.json") else None
    with pytest.raises(UpdateError, match=f"answers {status} for a file of its registry"):
        device.pull()
    assert device.reads() == 1


def test_a_damaged_root_of_the_enrolment_is_said_so(device: Device) -> None:
    device.source = replace(device.source, root=b"{}")
    with pytest.raises(CertificateError, match="the registry's root is damaged"):
        device.pull()


def test_a_device_that_was_off_for_a_year_catches_up(device: Device) -> None:
    """All keys were changed, the root's more than once; every root between has expired; so has what it knew."""
    registry = device.registry
    long_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(days=100)
    for month in range(12):
        registry.root.expires = long_ago if month < 11 else registry.expires
        registry.rotate(("root", "timestamp", "snapshot", "targets")[month % 4])
    assert registry.root.version == 13
    registry.offer(2)
    pulled = device.pull()
    assert (pulled.outcome, pulled.current) == ("switched", 2)
    assert len(list((device.store.trust / "root_history").iterdir())) == 13
    device.server.reset(registry.files)
    assert device.pull().outcome == "kept"
    assert [path for path, _, _ in device.server.asked] == [f"{METADATA}14.root.json", f"{METADATA}timestamp.json"]


def test_a_root_that_was_rotated_away_is_not_gone_back_to(device: Device) -> None:
    """Who has the old keys, and hides the new root, is refused by what the device has kept of it."""
    old = device.registry.copied()
    device.registry.rotate("timestamp")
    device.registry.step()
    device.registry.publish()
    device.pull()
    old.timestamp.version = 99
    old.publish()
    device.server.reset(old.files)
    with pytest.raises(RefusedUpdateError, match="'signatures'"):
        device.pull()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["timestamp.json", "snapshot.json"])
def test_metadata_that_a_disk_damaged_are_fetched_anew_and_older_ones_still_refused(
    device: Device, file: str, damage: str
) -> None:
    before = dict(device.registry.files)
    publish(device.registry, Channel(TASK, 1, withdrawn=(9,)))
    device.pull()
    kept = device.store.trust / file
    whole = kept.read_bytes()
    kept.write_bytes(DAMAGES[damage](whole))
    device.server.reset(before)
    with pytest.raises(RefusedUpdateError, match="'version'"):
        device.pull()
    device.server.reset(device.registry.files)
    kept.write_bytes(DAMAGES[damage](whole))
    assert device.pull().outcome == "kept"
    assert kept.read_bytes() == whole


def test_an_entity_tag_of_what_was_refused_is_not_asked_for_again(device: Device) -> None:
    from tests.clients.edge.pulling.conftest import Reply

    device.pull()
    device.registry.step()
    device.registry.publish()
    honest = device.registry.files[f"{METADATA}timestamp.json"]

    def evil(path: str, _headers: Any) -> Reply | None:
        from handfed.shared.files import sha256_of

        tag = {"ETag": f'"{sha256_of(honest)}"'}  # as of what the honest server is going to say
        return Reply(200, honest.replace(b"sig", b"gis"), tag) if path.endswith("timestamp.json") else None

    device.server.instead = evil
    with pytest.raises(RefusedUpdateError):
        device.pull()
    device.server.reset(device.registry.files)
    assert device.pull().outcome == "kept"
    assert device.server.statuses("timestamp.json") == [200]


@pytest.fixture
def joined(device: Device) -> Device:
    """The same device, as an enrolment leaves it."""
    enrolment = Enrolment(
        server=device.source.address.authority,
        fingerprint="0" * 64,
        device=1,
        name="reception",
        organisation="Clinic North",
        max_samples=None,
        enrolled_at="2026-01-01T00:00:00+00:00",
        key_since="2026-01-01T00:00:00+00:00",
    )
    with credentials.changing(device.folder):
        credentials.commit(device.folder, enrolment, keys.make_key(), device.source.ca)
    (device.folder / source.REGISTRY_ROOT).write_bytes(device.registry.first_root)
    return device


def test_a_device_that_joined_needs_no_option(joined: Device) -> None:
    found = source.locate(joined.folder)
    assert found.key_fingerprint == keys.key_fingerprint((joined.folder / credentials.KEY).read_bytes())
    assert replace(found, key_fingerprint=None) == joined.source
    joined.source = found
    assert joined.pull().outcome == "kept"


def test_a_device_of_a_server_without_a_registry_is_told_what_to_do(joined: Device, tmp_path: Path) -> None:
    (joined.folder / source.REGISTRY_ROOT).unlink()
    with pytest.raises(UpdateError, match="name it with --root FILE"):
        source.locate(joined.folder)
    (tmp_path / "root.json").write_bytes(joined.registry.first_root)
    assert source.locate(joined.folder, root=tmp_path / "root.json").root == joined.registry.first_root


def test_a_device_that_did_not_join_names_all_three(tmp_path: Path, device: Device) -> None:
    (tmp_path / "root.json").write_bytes(device.source.root)
    (tmp_path / "ca.pem").write_bytes(device.source.ca)
    with pytest.raises(SettingError, match="run handfed join CODE, or name --server"):
        source.locate(tmp_path)
    with pytest.raises(SettingError, match="go together"):
        source.locate(tmp_path, server="127.0.0.1:1")
    found = source.locate(tmp_path, device.source.address.authority, tmp_path / "ca.pem", tmp_path / "root.json")
    assert found == device.source
    with pytest.raises(SettingError, match="cannot be read"):
        source.locate(tmp_path, "127.0.0.1:1", tmp_path / "none", tmp_path / "root.json")


def test_a_file_that_is_no_root_by_its_size_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(1_000_001))
    with pytest.raises(SettingError, match="no certificate and no root"):
        source.locate(tmp_path, "127.0.0.1:1", tmp_path / "large", tmp_path / "large")


def test_a_pull_leaves_nothing_of_another_task_in_the_way(device: Device) -> None:
    """Releases are of one task at a time; what is withdrawn of another concerns nobody, nor is it gone back to."""
    from tests.clients.edge.pulling.conftest import a_release

    manifest, model = a_release(2)
    device.registry.put_release(2, replace(manifest, task="letters"), model)
    publish(device.registry, Channel("letters", 2, withdrawn=(1,)))
    assert device.pull(task="letters").outcome == "switched"
    state: State = device.store.state()
    assert (state.task, state.previous) == ("letters", ())
    with pytest.raises(ManifestError, match="none to go back to"):
        device.store.give_up(str(state.current), Reason.CRASH)
    assert device.reads() == 2
    assert device.pull().outcome == "kept"


@pytest.mark.usefixtures("well")
def test_what_reads_another_task_is_compared_with_nothing(device: Device) -> None:
    """As where the release of a task that was asked for is not well, and that of the task before goes on."""
    from tests.clients.edge.pulling.conftest import a_release

    manifests = {}
    for number in (2, 3):
        manifest, model = a_release(number)
        manifests[number] = replace(manifest, task="letters")
        device.registry.put_release(number, manifests[number], model)
    publish(device.registry, Channel("letters", 2, trial=Trial(3, 0, SALT)))
    name = name_of(2, sha256_of(manifests[2].encode()))
    device.store.change(lambda state: replace(state, quarantined={name: Quarantine(Reason.CRASH, software())}))
    assert device.pull(task="letters").outcome == "quarantined"
    state = device.store.state()
    assert (state.task, state.on_trial) == (TASK, None)


def test_through_a_proxy_that_is_told_the_server_and_nothing_else(
    device: Device, proxies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = proxies(allowed=True)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert device.pull().outcome == "kept"
    assert set(proxy.asked) == {f"CONNECT {device.source.address.authority}"}
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    proxy.asked.clear()
    assert device.pull().outcome == "kept"
    assert not proxy.asked


@pytest.mark.parametrize("url", ["http://user:geheim@127.0.0.1:1", "http://user:geheim@127.0.0.1:99999999", "::geheim"])
def test_a_proxy_that_is_not_there_is_named_without_its_password(
    device: Device, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(HandfedError, match=r"proxy|PROXY") as refused:
        device.pull()
    assert "geheim" not in str(refused.value)
    assert device.reads() == 1


def test_a_proxy_that_refuses_is_said_so(device: Device, proxies: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxies(allowed=False).url)
    with pytest.raises(UpdateError, match=r"the proxy 127\.0\.0\.1:\d+ does not let this device through"):
        device.pull()


def test_the_channel_document_of_another_task_is_refused(device: Device) -> None:
    device.registry.put(channel_path(TASK), Channel("letters", 1).encode(), into=device.registry.channels)
    device.registry.step()
    device.registry.publish()
    with pytest.raises(RefusedUpdateError, match="the channel of digits is of letters"):
        device.pull()


def test_a_server_is_asked_nothing_before_it_has_proved_itself(device: Device, served: Served) -> None:
    from handfed.server.authority.certificates import make_authority

    device.source = replace(device.source, ca=make_authority("South", now=datetime.now(UTC)).certificate)
    with pytest.raises(RefusedUpdateError, match="'server'"):
        device.pull()
    assert not served.server.asked
