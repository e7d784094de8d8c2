"""A download that breaks off is taken up where it was, by the same pull or a later one, and ends in the same file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from handfed.clients.edge.fetcher import Limits
from handfed.clients.edge.refusals import RefusedUpdateError
from handfed.shared.errors import UpdateError
from handfed.shared.files import sha256_of
from handfed.shared.manifest import MODEL
from handfed.shared.registry import Channel

if TYPE_CHECKING:
    from tests.clients.edge.pulling.conftest import Device, Reply

SIZE = 3_000_000
ONCE = Limits(attempts=1, pause_s=0.0)


@pytest.fixture
def device(device: Device, monkeypatch: pytest.MonkeyPatch) -> Device:
    """A device that is offered a large release 2; releases are not tried, as that is another subject."""
    from handfed.clients.edge import updater
    from handfed.clients.edge.health import Health
    from tests.clients.edge.pulling.conftest import a_release

    monkeypatch.setattr(updater, "examine", lambda _release, latency_ms: Health(None, latency_ms=latency_ms))
    manifest, model = a_release(2, padding=np.random.default_rng(0).bytes(SIZE))
    device.registry.put_release(2, manifest, model)
    device.registry.put_channel(Channel("digits", 2))
    device.registry.step()
    device.registry.publish()
    return device


def model_of(device: Device) -> tuple[str, bytes]:
    """Where release 2's model is served, and what it is."""
    return next((path, body) for path, body in device.registry.files.items() if len(body) > SIZE)


def cut(device: Device, bytes_each: list[int]) -> None:
    """Has the server break off the model after so many bytes, at each request one of them, and then no more."""
    from tests.clients.edge.pulling.conftest import Reply

    path, body = model_of(device)
    left = list(bytes_each)

    def instead(asked: str, headers: Any) -> Reply | None:
        if asked != path or not left:
            return None
        begin = int(headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        given = {"Content-Length": str(len(body) - begin)}
        if begin:
            given["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        return Reply(206 if begin else 200, body[begin:], given, cut_after=left.pop(0))

    device.server.instead = instead


def is_right(device: Device) -> bool:
    _, body = model_of(device)
    current = device.store.state().current
    assert current is not None
    content = (device.store.path(current) / MODEL).read_bytes()
    return sha256_of(content) == sha256_of(body) and device.reads() == 2


@pytest.mark.parametrize("seed", range(3))
def test_cut_at_ten_random_places_it_asks_for_at_most_one_percent_more(device: Device, seed: int) -> None:
    places = np.sort(np.random.default_rng(seed).integers(1, SIZE, 10))
    cut(device, np.diff(places, prepend=0).tolist())
    assert device.pull().current == 2
    path, body = model_of(device)
    assert len(body) <= device.server.sent[path] <= 1.01 * len(body)
    assert len([1 for asked, _, _ in device.server.asked if asked == path]) == 11
    assert is_right(device)


def test_cut_again_and_again_a_later_pull_goes_on(device: Device) -> None:
    path, body = model_of(device)
    for _ in range(4):
        cut(device, [500_000, 0])
        with pytest.raises(UpdateError, match=r"try again|broke off"):
            device.pull(limits=ONCE)
        assert device.reads() == 1
    assert device.pull().current == 2
    assert device.server.sent[path] <= 1.01 * len(body)
    assert is_right(device)


def test_what_is_whole_is_not_asked_for_again(device: Device) -> None:
    """The card comes last; the model is here by then."""
    from tests.clients.edge.pulling.conftest import Reply

    device.server.instead = lambda path, _: Reply(503) if path.endswith("README.md") else None
    with pytest.raises(UpdateError, match="503"):
        device.pull()
    device.server.reset(device.registry.files)
    assert device.pull().current == 2
    assert model_of(device)[0] not in [path for path, _, _ in device.server.asked]


def part_of(device: Device) -> Any:
    (directory,) = device.store.incoming.iterdir()
    return directory / f"{MODEL}.part"


@pytest.mark.parametrize("damage", ["garbage", "too long", "whole but wrong", "empty"])
def test_a_part_that_is_not_the_files_costs_a_second_download_and_no_more(device: Device, damage: str) -> None:
    cut(device, [500_000, 0])
    with pytest.raises(UpdateError):
        device.pull(limits=ONCE)
    path, body = model_of(device)
    part = part_of(device)
    size = {"garbage": 400_000, "too long": len(body) + 1, "whole but wrong": len(body), "empty": 0}[damage]
    part.write_bytes(bytes(size))
    device.server.reset(device.registry.files)
    assert device.pull().current == 2
    assert device.server.sent[path] <= 2 * len(body)
    assert is_right(device)


def test_a_server_that_gives_no_parts_is_asked_for_the_whole(device: Device) -> None:
    from tests.clients.edge.pulling.conftest import Reply

    cut(device, [500_000, 0])
    with pytest.raises(UpdateError):
        device.pull(limits=ONCE)
    path, body = model_of(device)
    device.server.instead = lambda asked, _: Reply(200, body) if asked == path else None
    assert device.pull().current == 2
    assert is_right(device)


@pytest.mark.parametrize("given", ["bytes 7-", "nonsense", None])
def test_a_part_that_was_not_asked_for_is_not_appended(device: Device, given: str | None) -> None:
    from tests.clients.edge.pulling.conftest import Reply

    cut(device, [500_000, 0])
    with pytest.raises(UpdateError):
        device.pull(limits=ONCE)
    path, body = model_of(device)
    headers = {} if given is None else {"Content-Range": f"{given}{len(body) - 1}/{len(body)}"}

    def instead(asked: str, asking: Any) -> Reply | None:
        return Reply(206, body[7:], headers) if asked == path and "Range" in asking else None

    device.server.instead = instead
    assert device.pull().current == 2
    assert is_right(device)


def test_a_model_that_is_wrong_again_is_refused_and_not_kept(device: Device) -> None:
    from tests.clients.edge.pulling.conftest import Reply

    path, body = model_of(device)
    device.server.instead = lambda asked, _: Reply(200, bytes(len(body))) if asked == path else None
    for _ in range(2):
        with pytest.raises(RefusedUpdateError, match="'hash'"):
            device.pull()
        assert not part_of(device).exists()
    device.server.reset(device.registry.files)
    assert device.pull().current == 2
