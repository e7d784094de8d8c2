"""What the registry is made of is had as plain files, also in parts, and nothing else is."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from handfed.server.registry.service import Registry

if TYPE_CHECKING:
    from tests.server.registry.conftest import Server

Releases = Callable[..., Path]
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def ask(server: Server) -> Callable[..., Answer]:
    """Sends a request as it stands, without anything that a client makes prettier."""

    def send(path: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content
        finally:
            connection.close()

    return send


@pytest.fixture
def model(registry: Registry, release: Releases, server: Server) -> str:
    """The path of a model."""
    registry.add_release(1, release(1), task="digits")
    (file,) = (server.registry / "targets" / "releases" / "0001").glob("*.model.tflite")
    return f"/registry/targets/releases/0001/{file.name}"


def test_a_file_comes_whole_with_its_hash_as_tag_and_may_be_kept_for_ever(
    ask: Callable[..., Answer], model: str, release: Releases
) -> None:
    status, headers, content = ask(model)
    assert (status, content) == (200, (release(1) / "model.tflite").read_bytes())
    assert headers["etag"] == f'"{Path(model).name.split(".")[0]}"'
    assert "immutable" in headers["cache-control"]
    assert (headers["accept-ranges"], headers["content-length"]) == ("bytes", str(len(content)))
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-content-type-options"] == "nosniff"


def test_only_the_timestamp_is_asked_for_anew(ask: Callable[..., Answer], registry: Registry) -> None:
    status, headers, content = ask("/registry/metadata/timestamp.json")
    assert (status, headers["cache-control"]) == (200, "no-cache")
    assert content == registry.repository.files.read("metadata/timestamp.json")
    assert headers["content-type"] == "application/json"
    status, headers, content = ask("/registry/metadata/1.root.json")
    assert (status, content) == (200, registry.root())
    assert "immutable" in headers["cache-control"]


def test_who_has_it_already_gets_it_not_again(ask: Callable[..., Answer], model: str, registry: Registry) -> None:
    for path in (model, "/registry/metadata/timestamp.json"):
        tag = ask(path)[1]["etag"]
        for shown in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            status, headers, content = ask(path, If_None_Match=shown)
            assert (status, headers["etag"], content) == (304, tag, b"")
        assert ask(path, If_None_Match='"other"')[0] == 200
    tag = ask("/registry/metadata/timestamp.json")[1]["etag"]
    registry.renew(["timestamp"])
    assert ask("/registry/metadata/timestamp.json", If_None_Match=tag)[0] == 200


def test_a_download_goes_on_where_it_broke_off(ask: Callable[..., Answer], model: str, release: Releases) -> None:
    whole = (release(1) / "model.tflite").read_bytes()
    tag = ask(model)[1]["etag"]
    status, headers, content = ask(model, Range="bytes=3-")
    assert (status, content) == (206, whole[3:])
    assert headers["content-range"] == f"bytes 3-{len(whole) - 1}/{len(whole)}"
    assert headers["etag"] == tag
    assert ask(model, Range="bytes=0-1")[2] == whole[:2]
    assert ask(model, Range="bytes=-2")[2] == whole[-2:]
    assert ask(model, Range="bytes=3-", If_Range=tag)[0] == 206
    status, _, content = ask(model, Range="bytes=3-", If_Range='"other"')
    assert (status, content) == (200, whole)


def test_a_part_that_is_not_there_is_told_with_the_length(
    ask: Callable[..., Answer], model: str, release: Releases
) -> None:
    length = len((release(1) / "model.tflite").read_bytes())
    status, headers, _ = ask(model, Range=f"bytes={length}-")
    assert (status, headers["content-range"]) == (416, f"bytes */{length}")


def test_head_tells_of_a_file_what_get_does(ask: Callable[..., Answer], model: str) -> None:
    for path in (model, "/registry/metadata/timestamp.json"):
        _, told, _ = ask(path)
        status, headers, content = ask(path, "HEAD")
        assert (status, content) == (200, b"")
        for name in ("etag", "content-length", "content-type", "cache-control"):
            assert headers[name] == told[name]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(ask: Callable[..., Answer], model: str, method: str) -> None:
    assert ask(model, method)[0] == 405
    assert ask("/registry/metadata/timestamp.json", method)[0] == 405


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    "path",
    [
        "/registry",
        "/registry/",
        "/registry/metadata",
        "/registry/metadata/",
        "/registry/targets/",
        "/registry/targets/releases/",
        "/registry/targets/releases/0001/",
        "/registry/lock",
        "/registry/keys/{key}.pem",
        "/registry/metadata/../keys/{key}.pem",
        "/registry/metadata/..%2Fkeys%2F{key}.pem",
        "/registry/metadata/%2e%2e/keys/{key}.pem",
        "/registry/targets/../keys/{key}.pem",
        "/registry/targets/releases/0001/../../../keys/{key}.pem",
        "/registry/targets/releases/0001/..%2F..%2F..%2Fkeys%2F{key}.pem",
        "/registry/targets//etc/passwd",
        "/registry/targets/%2Fetc%2Fpasswd",
        "/registry/metadata/root.json",
        "/registry/metadata/01.root.json",
        "/registry/metadata/1.root.json/",
        "/registry/metadata/1.root.json%00",
        "/registry/metadata/1.root.json%0a",
        "/registry/metadata/.timestamp.json.abc",
        "/registry/metadata/9.root.json",
        "/registry/targets/channels/digits.json",
        "/registry/targets/releases/0001/{hash}.nothing",
        "/registry/pending/root.json",
        "/registry/change.json",
    ],
)
def test_what_is_not_the_registrys_is_not_there(ask: Callable[..., Answer], registry: Registry, path: str) -> None:
    key = registry.status()[0].keys[0].keyid
    status, _, content = ask(path.format(key=key, hash="0" * 64))
    assert status == 404
    assert b"PRIVATE" not in content


def test_the_registry_is_not_in_the_documented_api(server: Server) -> None:
    assert not [path for path in server.app.openapi()["paths"] if "registry" in path]
