"""Flower's SuperLink within the server: keys, runs, and what it answers to whom."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flwr.common.constant import TIMESTAMP_HEADER
from flwr.proto.fleet_pb2 import PullMessagesRequest, RegisterNodeFleetRequest
from flwr.proto.node_pb2 import Node
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER, FLEET_HTTP_SIGNATURE_HEADER
from flwr.supercore.primitives.asymmetric import sign_message
from google.protobuf.message import Message  # type: ignore[import-untyped]
from starlette.testclient import TestClient

from handfed.server.devices.registry import RegistryError
from handfed.server.flower.link import Link


def public(key: ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def new_key() -> str:
    return public(ec.generate_private_key(ec.SECP384R1()))


def signed_by(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """Headers as a device's requests have them."""
    moment = datetime.now(UTC).isoformat()
    return {
        TIMESTAMP_HEADER: moment,
        FLEET_HTTP_PUBLIC_KEY_HEADER: b64encode(public(key).encode()).decode(),
        FLEET_HTTP_SIGNATURE_HEADER: b64encode(sign_message(key, moment.encode())).decode(),
    }


@pytest.fixture
def link(tmp_path: Path) -> Link:
    return Link(tmp_path / "link.sqlite")


@pytest.fixture
def client(link: Link) -> Iterator[TestClient]:
    with TestClient(link.app) as opened:
        yield opened


def status(client: TestClient, path: str, request: Message, **headers: str) -> int:
    sent = {"content-type": "application/protobuf", **headers}
    return int(client.post(path, content=request.SerializeToString(), headers=sent).status_code)


def test_a_state_that_cannot_be_read_is_an_error_of_the_registry(link: Link, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "link.sqlite") as connection:
        for table in ("node", "run", "task"):
            connection.execute(f"DROP TABLE {table}")
    connection.close()
    for asked in (lambda: link.find(new_key()), lambda: link.register(new_key()), link.begin, link.end_all):
        with pytest.raises(RegistryError, match="SuperLink"):
            asked()


def test_a_key_is_let_in_once_and_never_again_after_it_was_let_go(link: Link) -> None:
    key = new_key()
    told: list[int] = []
    link.revoked = told.append
    assert link.find(key) is None
    node = link.register(key)
    assert link.register(key) == link.find(key) == node
    link.unregister(node)
    link.unregister(node)
    assert (link.find(key), told) == (None, [node])
    with pytest.raises(RegistryError):
        link.register(key)


def test_what_is_no_key_is_refused(link: Link) -> None:
    with pytest.raises(RegistryError):
        link.register("-----BEGIN PUBLIC KEY-----")


def test_only_who_signs_as_a_node_is_given_its_messages(link: Link, client: TestClient) -> None:
    key, other = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    request = PullMessagesRequest(node=Node(node_id=link.register(public(key))))
    link.register(public(other))
    asked = [status(client, "/v1/fleet/pull-messages", request, **signed) for signed in ({}, signed_by(other))]
    assert asked == [401, 401]
    assert status(client, "/v1/fleet/pull-messages", request, **signed_by(key)) == 200
    link.unregister(request.node.node_id)
    assert status(client, "/v1/fleet/pull-messages", request, **signed_by(key)) == 401


def test_nobody_lets_a_key_of_their_own_in(link: Link, client: TestClient) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    request = RegisterNodeFleetRequest(public_key=public(key).encode())
    assert status(client, "/v1/fleet/register-node", request, **signed_by(key)) in {403, 409, 412}
    assert link.find(public(key)) is None


def test_each_run_has_a_token_of_its_own_and_ends_once(link: Link) -> None:
    first, second = link.begin(), link.begin()
    assert first.run != second.run
    assert len({first.token, second.token}) == 2
    link.end(first.run)
    link.end(first.run)
    link.end_all()
    assert link.begin().run not in {first.run, second.run}


def test_what_an_earlier_server_began_is_ended_and_keys_stay(link: Link, tmp_path: Path) -> None:
    key = new_key()
    node, ticket = link.register(key), link.begin()
    again = Link(tmp_path / "link.sqlite")
    again.end_all()
    assert again.find(key) == node
    again.end(ticket.run)
