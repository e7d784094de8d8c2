"""The attack table: whatever a registry, a network or a disk tries, it is refused by name, and the old model reads.

Each row is an attack on the real client over real HTTPS, on a device that uses release 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole

from handfed.clients.edge.fetcher import Limits
from handfed.clients.edge.refusals import RefusedUpdateError, Rule
from handfed.clients.edge.store import LinkError
from handfed.server.authority.certificates import make_authority
from handfed.shared.address import Address
from handfed.shared.errors import ManifestError
from handfed.shared.files import sha256_of
from handfed.shared.manifest import MANIFEST, MODEL, File
from handfed.shared.registry import METADATA, Channel, channel_path, release_path

if TYPE_CHECKING:
    from tests.clients.edge.pulling.conftest import Device, Registry, Reply, Served

TASK = "digits"
IMPATIENT = Limits(silence_s=1, head_s=1, window_s=0.3, least_bytes_per_s=2000, attempts=2, pause_s=0.01)
Attack = Callable[["Device"], None]
ATTACKS: dict[str, tuple[Attack, Rule]] = {}


def attack(rule: Rule) -> Callable[[Attack], Attack]:
    def listed(make: Attack) -> Attack:
        ATTACKS[make.__name__.replace("_", " ")] = (make, rule)
        return make

    return listed


def reply(**fields: Any) -> Reply:
    from tests.clients.edge.pulling.conftest import Reply

    return Reply(**fields)


def answering(device: Device, ending: str, make: Callable[[bytes], Reply]) -> None:
    """Has the server answer otherwise for paths with that ending; the rest is as published."""
    files = device.registry.files

    def instead(path: str, _headers: Any) -> Reply | None:
        return make(files.get(path, b"")) if path.endswith(ending) else None

    device.served.server.reset(files)
    device.served.server.instead = instead


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def strangers() -> dict[str, list[CryptoSigner]]:
    return {
        role: [CryptoSigner.generate_ed25519() for _ in range(2)]
        for role in ("root", "timestamp", "snapshot", "targets", "channels")
    }


@attack(Rule.HASH)
def a_tampered_model(device: Device) -> None:
    device.registry.offer(2)
    answering(device, MODEL, lambda content: reply(body=flipped(content)))


@attack(Rule.HASH)
def a_tampered_manifest(device: Device) -> None:
    device.registry.offer(2)
    answering(device, MANIFEST, lambda content: reply(body=content.replace(b'"release": 2', b'"release": 3')))


@attack(Rule.HASH)
def a_tampered_channel(device: Device) -> None:
    device.registry.offer(2)
    answering(device, f"{TASK}.json", lambda content: reply(body=content.replace(b": 2", b": 1")))


@attack(Rule.SIGNATURES)
def tampered_metadata(device: Device) -> None:
    device.registry.offer(2)
    answering(device, ".targets.json", lambda content: reply(body=content.replace(b"releases/0002", b"releases/0003")))


@attack(Rule.FORM)
def metadata_that_are_none(device: Device) -> None:
    answering(device, "timestamp.json", lambda _: reply(body=b"[" * 10_000))


@attack(Rule.VERSION)
def an_older_release_that_was_validly_signed(device: Device) -> None:
    before = dict(device.registry.files)
    device.registry.step()
    device.registry.publish()
    device.served.server.reset(device.registry.files)
    assert device.pull().outcome == "kept"
    device.served.server.reset(before)


@attack(Rule.VERSION)
def an_older_snapshot_under_a_new_timestamp(device: Device) -> None:
    """Whoever has the timestamp's key alone."""
    registry = device.registry
    older = registry.timestamp.snapshot_meta.version
    registry.step()
    registry.publish()
    device.served.server.reset(registry.files)
    assert device.pull().outcome == "kept"
    registry.timestamp.version += 1
    registry.timestamp.snapshot_meta.version = older
    registry.files[f"{METADATA}timestamp.json"] = registry.sign("timestamp", registry.timestamp)


@attack(Rule.VERSION)
def older_targets_under_a_new_snapshot(device: Device) -> None:
    """Whoever has the keys of timestamp and snapshot."""
    registry = device.registry
    registry.step()
    registry.publish()
    device.served.server.reset(registry.files)
    assert device.pull().outcome == "kept"
    registry.snapshot.version += 1
    registry.snapshot.meta["targets.json"].version -= 1
    registry.files[f"{METADATA}{registry.snapshot.version}.snapshot.json"] = registry.sign(
        "snapshot", registry.snapshot
    )
    registry.timestamp.version += 1
    registry.timestamp.snapshot_meta.version = registry.snapshot.version
    registry.files[f"{METADATA}timestamp.json"] = registry.sign("timestamp", registry.timestamp)


@attack(Rule.EXPIRY)
def a_frozen_timestamp(device: Device) -> None:
    """The timestamp that the device knows goes on being offered, after its time."""
    registry = device.registry
    registry.step()
    registry.timestamp.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=2)
    registry.publish()


@attack(Rule.EXPIRY)
def an_expired_snapshot(device: Device) -> None:
    registry = device.registry
    registry.step()
    registry.snapshot.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    registry.publish()


@attack(Rule.VERSION)
def mixed_metadata(device: Device) -> None:
    """The targets of one moment with the snapshot of another, both signed."""
    registry = device.registry
    older = registry.files[f"{METADATA}{registry.targets.version}.targets.json"]
    registry.step()
    registry.publish()
    registry.files[f"{METADATA}{registry.targets.version}.targets.json"] = older


@attack(Rule.MIXED)
def mixed_metadata_that_are_hashed(device: Device) -> None:
    registry = device.registry
    registry.step()
    registry.publish(hashed=True)
    name = f"{METADATA}{registry.channels.version}.channels.json"
    registry.channels.expires += timedelta(days=1)  # another content of the same version
    registry.files[name] = registry.sign("channels", registry.channels)


@attack(Rule.SIGNATURES)
def a_wrong_key(device: Device) -> None:
    device.registry.keys["targets"] = strangers()["targets"]
    device.registry.offer(2)


@attack(Rule.SIGNATURES)
def a_channel_by_a_wrong_key(device: Device) -> None:
    device.registry.keys["channels"] = strangers()["channels"]
    device.registry.offer(2)


@attack(Rule.EXPIRY)
def an_expired_key(device: Device) -> None:
    """Keys hold as long as the root that names them."""
    registry = device.registry
    registry.root.version += 1
    registry.root.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    registry.publish_root()


@attack(Rule.SIGNATURES)
def a_key_that_was_taken_back(device: Device) -> None:
    registry = device.registry
    old = list(registry.keys["timestamp"])
    registry.rotate("timestamp")
    registry.keys["timestamp"] = old
    registry.offer(2)


@attack(Rule.SIGNATURES)
def a_new_root_that_the_old_one_did_not_sign(device: Device) -> None:
    registry = device.registry
    registry.root.version += 1
    registry.publish_root(by=strangers()["root"])


@attack(Rule.SIGNATURES)
def below_the_threshold(device: Device) -> None:
    registry = device.registry
    registry.root.version += 1
    registry.root.roles["targets"].threshold = 2
    registry.publish_root()
    registry.keys["targets"] = registry.keys["targets"][:1]
    registry.offer(2)


@attack(Rule.SIGNATURES)
def one_key_twice_for_a_threshold_of_two(device: Device) -> None:
    registry = device.registry
    registry.root.version += 1
    registry.root.roles["targets"].threshold = 2
    registry.publish_root()
    registry.keys["targets"] = registry.keys["targets"][:1] * 2
    registry.offer(2)


@attack(Rule.LENGTH)
def an_oversized_model(device: Device) -> None:
    device.registry.offer(2)
    answering(device, MODEL, lambda content: reply(body=content + b"x"))


@attack(Rule.LENGTH)
def oversized_metadata(device: Device) -> None:
    answering(device, "timestamp.json", lambda content: reply(body=content + b" " * 20_000))


@attack(Rule.LENGTH)
def endless_metadata(device: Device) -> None:
    answering(device, "timestamp.json", lambda content: reply(body=content, endless=True))


@attack(Rule.LENGTH)
def an_endless_model(device: Device) -> None:
    device.registry.offer(2)
    answering(device, MODEL, lambda content: reply(body=content, endless=True))


@attack(Rule.SPEED)
def a_slow_drip_of_metadata(device: Device) -> None:
    answering(device, "timestamp.json", lambda content: reply(body=content, drip_s=0.05))


@attack(Rule.SPEED)
def a_slow_drip_of_a_model(device: Device) -> None:
    device.registry.offer(2)
    answering(device, MODEL, lambda content: reply(body=content, drip_s=0.05))


@attack(Rule.SPEED)
def a_drip_of_one_byte_a_connection(device: Device) -> None:
    device.registry.offer(2)
    _, body = max(device.registry.files.items(), key=lambda item: len(item[1]))

    def instead(path: str, headers: Any) -> Reply | None:
        if not path.endswith(MODEL):
            return None
        begin = int(headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        given = {"Content-Length": str(len(body) - begin)}
        if begin:
            given["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        return reply(status=206 if begin else 200, body=body[begin:], headers=given, cut_after=1)

    device.served.server.reset(device.registry.files)
    device.served.server.instead = instead


@attack(Rule.SPEED)
def a_head_that_trickles(device: Device) -> None:
    answering(device, "timestamp.json", lambda content: reply(body=content, drip_head=True))


@attack(Rule.SPEED)
def a_server_that_falls_silent(device: Device) -> None:
    answering(device, "timestamp.json", lambda content: reply(body=content, drip_s=4))


@attack(Rule.REDIRECT)
def metadata_that_are_elsewhere(device: Device) -> None:
    answering(device, "timestamp.json", lambda _: reply(status=302, headers={"Location": "https://127.0.0.1:1/"}))


@attack(Rule.REDIRECT)
def a_model_that_is_elsewhere(device: Device) -> None:
    device.registry.offer(2)
    elsewhere = next(path for path in device.registry.files if path.endswith(MODEL))
    answering(device, MODEL, lambda _: reply(status=307, headers={"Location": elsewhere}))


@attack(Rule.MANIFEST)
def path_traversal_in_the_name_of_the_model(device: Device) -> None:
    from tests.clients.edge.pulling.conftest import a_release

    registry = device.registry
    manifest, model = a_release(2)
    evil = manifest.encode().replace(b'"model.tflite"', b'"../../../../evil"')
    assert evil != manifest.encode()
    registry.put_release(2, manifest, model)
    registry.put(release_path(2, MANIFEST), evil)
    for path in ("releases/0002/../../../../evil", "../../evil", "/evil"):
        registry.put(path, b"evil")
    registry.put_channel(Channel(TASK, champion=2))
    registry.step()
    registry.publish()


@attack(Rule.MANIFEST)
def path_traversal_in_the_name_of_a_role(device: Device) -> None:
    """Metadata are named by their role, too."""
    registry = device.registry
    assert registry.targets.delegations is not None
    assert registry.targets.delegations.roles is not None
    honest = registry.targets.delegations.roles["channels"]
    evil = DelegatedRole("../../../../evil", honest.keyids, 1, terminating=True, paths=["channels/*"])
    registry.targets.delegations.roles = {evil.name: evil, "channels": honest}
    registry.put_channel(Channel("letters", champion=2))
    registry.channels.targets[channel_path(TASK)] = registry.channels.targets[channel_path("letters")]
    registry.snapshot.meta[f"{evil.name}.json"] = replace_version(registry)
    registry.step()
    registry.publish()
    content = registry.sign("channels", registry.channels)
    registry.files[f"{METADATA}{registry.channels.version}.{'..%2F' * 4}evil.json"] = content
    letters = registry.channels.targets[channel_path(TASK)]
    stored = next(body for body in registry.files.values() if sha256_of(body) == letters.hashes["sha256"])
    registry.files[f"/registry/targets/channels/{letters.hashes['sha256']}.{TASK}.json"] = stored


def replace_version(registry: Registry) -> Any:
    from tuf.api.metadata import MetaFile

    return MetaFile(registry.channels.version + 1)


@attack(Rule.SIGNATURES)
def another_federations_release(device: Device) -> None:
    from tests.clients.edge.pulling.conftest import Registry

    other = Registry(strangers())
    for _ in range(3):  # newer than what the device has seen
        other.offer(2)
    device.served.server.reset(other.files)


@attack(Rule.MANIFEST)
def a_release_in_the_place_of_another(device: Device) -> None:
    from tests.clients.edge.pulling.conftest import a_release

    manifest, model = a_release(7)
    device.registry.put_release(2, manifest, model)
    device.registry.put_channel(Channel(TASK, champion=2))
    device.registry.step()
    device.registry.publish()


@attack(Rule.MANIFEST)
def a_release_of_another_task(device: Device) -> None:
    device.registry.offer(2, task="letters")


@attack(Rule.MANIFEST)
def a_manifest_of_another_model(device: Device) -> None:
    device.registry.offer(2, model=File("0" * 64, 74_328))


@attack(Rule.MANIFEST)
def a_release_that_is_not_there(device: Device) -> None:
    device.registry.put_channel(Channel(TASK, champion=9))
    device.registry.step()
    device.registry.publish()


@attack(Rule.LENGTH)
def an_oversized_channel(device: Device) -> None:
    device.registry.put(channel_path(TASK), Channel(TASK, 2).encode() + b" " * 70_000, into=device.registry.channels)
    device.registry.step()
    device.registry.publish()


def everything_outside(device: Device) -> set[Path]:
    return {path for path in device.folder.parent.rglob("*") if device.store.directory not in path.parents}


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_refused_by_name_and_the_old_model_reads(device: Device, name: str) -> None:
    make, rule = ATTACKS[name]
    device.served.server.reset(device.registry.files)
    make(device)
    before = everything_outside(device)
    impatient = "drip" in name or "trickles" in name or "silent" in name
    with pytest.raises(RefusedUpdateError, match=rf"^refused by the rule '{rule}': ") as refused:
        device.pull(**({"limits": IMPATIENT} if impatient else {}))
    assert refused.value.rule is rule
    assert device.reads() == 1
    assert device.store.on_disk() == [device.store.state().current]
    assert everything_outside(device) == before
    last = device.store.state().facts[-1]
    assert (last.what, last.reason, last.release) == ("refused", rule, None)


@pytest.mark.parametrize("name", ["an older release that was validly signed", "a frozen timestamp", "a wrong key"])
def test_after_an_attack_the_honest_registry_is_pulled_from(device: Device, name: str) -> None:
    honest = device.registry.copied()
    ATTACKS[name][0](device)
    with pytest.raises(RefusedUpdateError):
        device.pull()
    honest.timestamp.version = honest.snapshot.version = honest.targets.version = honest.channels.version = 10
    honest.put_channel(Channel(TASK, champion=1))
    honest.publish()
    device.served.server.reset(honest.files)
    assert device.pull().outcome == "kept"


@pytest.fixture(scope="module")
def other_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of another federation, at the same address."""
    from tests.clients.edge.pulling.conftest import serving

    yield from serving(tmp_path_factory.mktemp("other"), make_authority("South", now=datetime.now(UTC)))


@pytest.fixture(scope="module")
def misnamed_server(ca: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of the right federation, of another name."""
    from tests.clients.edge.pulling.conftest import serving

    yield from serving(tmp_path_factory.mktemp("misnamed"), ca, ("elsewhere.example",))


@pytest.mark.parametrize("which", ["other_server", "misnamed_server"])
def test_another_server_is_refused_and_learns_nothing(
    device: Device, which: str, request: pytest.FixtureRequest
) -> None:
    other: Served = request.getfixturevalue(which)
    other.server.reset(device.registry.files)
    device.source = replace(device.source, address=Address("127.0.0.1", other.port))
    with pytest.raises(RefusedUpdateError, match="refused by the rule 'server'") as refused:
        device.pull()
    assert refused.value.rule is Rule.SERVER
    assert other.server.asked == []
    assert device.reads() == 1


LINKS = (
    "releases",
    "incoming",
    "trust",
    "trust/timestamp.json",
    "trust/documents",
    "trust/root_history",
    "state.json",
    "state.lock",
    "pull.lock",
    "incoming/NAME",
    "incoming/NAME/model.tflite",
    "incoming/NAME/model.tflite.part",
    "incoming/NAME/manifest.json.part",
)


@pytest.mark.parametrize("link", LINKS)
def test_a_symbolic_link_in_the_store_is_refused_and_what_it_leads_to_stays(
    device: Device, link: str, tmp_path: Path
) -> None:
    device.registry.offer(2)
    manifest = device.registry.targets.targets[release_path(2, MANIFEST)]
    path = device.store.directory / link.replace("NAME", f"0002-{manifest.hashes['sha256'][:12]}")
    elsewhere = tmp_path / "elsewhere"
    if path.exists():
        path.rename(elsewhere)
    elif path.suffix:
        elsewhere.write_bytes(b"dear")
    else:
        elsewhere.mkdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(elsewhere)
    before = elsewhere.read_bytes() if elsewhere.is_file() else sorted(elsewhere.iterdir())
    with pytest.raises(LinkError, match=r"refused by the rule 'link': .* is a symbolic link"):
        device.pull()
    assert before == (elsewhere.read_bytes() if elsewhere.is_file() else sorted(elsewhere.iterdir()))
    path.unlink()
    if elsewhere.exists() and link != "incoming/NAME" and not link.startswith("incoming/NAME"):
        elsewhere.rename(path)
    assert device.reads() == 1


@pytest.mark.parametrize("link", ["", "model.tflite", "manifest.json"])
def test_a_release_that_became_a_link_is_left_for_the_one_before(device: Device, link: str, tmp_path: Path) -> None:
    device.registry.offer(2)
    assert device.pull().current == 2
    current = device.store.state().current
    assert current is not None
    path = device.store.releases / current / link
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert device.reads() == 1
    path.unlink()
    assert device.pull().current == 2  # it was damaged, not bad
    assert device.reads() == 2


def test_a_document_of_a_newer_format_is_refused(device: Device) -> None:
    newer = Channel(TASK, 1).encode().replace(b'"format": 1', b'"format": 9')
    device.registry.put(channel_path(TASK), newer, into=device.registry.channels)
    device.registry.step()
    device.registry.publish()
    with pytest.raises(ManifestError, match="newer than this software reads"):
        device.pull()
    assert device.reads() == 1
