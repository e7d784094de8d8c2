"""Writes that may be sent again."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
from sqlalchemy import text

from handfed.server.api.authentication import COOKIE, PAGE_HEADER
from handfed.server.api.errors import BusyKeyError, ReusedKeyError
from handfed.server.api.idempotency import Answer, Idempotency, Named
from handfed.server.database import Database
from handfed.server.people.principals import Principal

ANSWER = Answer(201, (("content-type", "application/json"),), b'{"secret": "hf_x"}')


def _named(actor: str = "token/1", key: str = "k", body: bytes = b"{}", secret: bytes = b"s") -> Named:
    return Named.of(actor, key, ("POST", "/x?"), body, secret)


@pytest.fixture
def idempotency(database: Database, clock: Any) -> Idempotency:
    return Idempotency(database, clock)


def test_the_same_request_gets_the_same_answer(idempotency: Idempotency) -> None:
    assert idempotency.begin(_named()) is None
    idempotency.keep(_named(), ANSWER)
    assert idempotency.begin(_named()) == ANSWER
    assert idempotency.begin(_named()) == ANSWER


def test_another_request_with_the_key_is_refused(idempotency: Idempotency) -> None:
    idempotency.begin(_named())
    with pytest.raises(ReusedKeyError):
        idempotency.begin(_named(body=b"{} "))
    idempotency.keep(_named(), ANSWER)
    with pytest.raises(ReusedKeyError):
        idempotency.begin(Named.of("token/1", "k", ("PATCH", "/x?"), b"{}", b"s"))
    with pytest.raises(ReusedKeyError):
        idempotency.begin(Named.of("token/1", "k", ("POST", "/y?"), b"{}", b"s"))


def test_a_key_belongs_to_its_token(idempotency: Idempotency) -> None:
    idempotency.begin(_named())
    assert idempotency.begin(_named(actor="token/2")) is None
    assert idempotency.begin(_named(key="other")) is None


def test_an_answer_that_another_secret_sealed_is_not_opened_and_nothing_is_done_again(idempotency: Idempotency) -> None:
    idempotency.begin(_named())
    idempotency.keep(_named(), ANSWER)
    with pytest.raises(BusyKeyError, match="cannot be opened"):
        idempotency.begin(_named(secret=b"another"))
    assert idempotency.begin(_named()) == ANSWER


def test_a_request_under_way_is_not_begun_again(idempotency: Idempotency) -> None:
    idempotency.begin(_named())
    with pytest.raises(BusyKeyError):
        idempotency.begin(_named())
    idempotency.release(_named())
    assert idempotency.begin(_named()) is None


def test_of_many_at_once_one_begins(idempotency: Idempotency) -> None:
    begun: list[object] = []
    busy: list[object] = []
    start = threading.Barrier(4)

    def begin() -> None:
        start.wait()
        try:
            begun.append(idempotency.begin(_named()))
        except BusyKeyError as error:
            busy.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert begun == [None]
    assert len(busy) == 3


def test_a_day_later_the_key_is_free(idempotency: Idempotency, clock: Any) -> None:
    idempotency.begin(_named())
    idempotency.keep(_named(), ANSWER)
    clock.forward(hours=23, minutes=59)
    assert idempotency.begin(_named()) == ANSWER
    clock.forward(minutes=1)
    assert idempotency.begin(_named(body=b"other")) is None


def test_an_answer_is_sealed_with_what_only_the_caller_has(idempotency: Idempotency, database: Database) -> None:
    idempotency.begin(_named())
    idempotency.keep(_named(), ANSWER)
    with database.read() as session:
        kept = repr(session.execute(text("SELECT * FROM idempotency_keys")).all())
    assert "hf_x" not in kept
    assert "token/1" not in kept


def test_over_http_a_write_is_done_once(world: Any) -> None:
    def add(**more: Any) -> Any:
        body = {"name": "A", "role": "viewer"}
        return world.ask(
            "federation admin", "POST", "/api/v1/tokens", json=body, headers={"Idempotency-Key": "k"}, **more
        )

    first, second = add(), add()
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert first.headers["content-type"] == second.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert add(params={"x": 1}).status_code == 422


def test_over_http_a_token_is_the_same_however_its_scheme_is_written(world: Any) -> None:
    token = world.tokens["federation admin"]
    answers = [
        world.client.post(
            "/api/v1/organisations",
            json={"name": "x"},
            headers={"Idempotency-Key": "k", "Authorization": f"{scheme} {token}"},
        )
        for scheme in ("Bearer", "bearer", "BEARER ")
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.content for answer in answers}) == 1


def test_over_http_the_key_of_another_token_is_another(world: Any) -> None:
    headers = {"Idempotency-Key": "k"}
    answers = [
        world.ask(who, "POST", "/api/v1/invitations", json={"organisation": 1}, headers=headers)
        for who in ("own operator", "own admin")
    ]
    assert answers[0].json()["invitation"]["number"] != answers[1].json()["invitation"]["number"]


def test_over_http_a_session_has_keys_of_its_own(world: Any) -> None:
    token = world.tokens["own operator"]
    sessions = [world.services.sessions.begin(token, "here").secret for _ in range(2)]
    shown = [{"Authorization": f"Bearer {token}"}]
    shown += [{"Cookie": f"{COOKIE}={secret}", PAGE_HEADER: "1"} for secret in sessions]

    def invite(headers: dict[str, str]) -> Any:
        more = headers | {"Idempotency-Key": "k"}
        return world.client.post("/api/v1/invitations", json={"organisation": 1}, headers=more)

    first, again = ([invite(headers) for headers in shown] for _ in range(2))
    assert [answer.status_code for answer in first + again] == [201] * 6
    assert [answer.content for answer in first] == [answer.content for answer in again]
    assert len({answer.content for answer in first}) == len(shown)
    assert all("idempotent-replayed" not in answer.headers for answer in first)
    assert all(answer.headers["idempotent-replayed"] == "true" for answer in again)


def test_over_http_what_was_refused_may_be_tried_again(world: Any) -> None:
    def revoke() -> int:
        headers = {"Idempotency-Key": "k"}
        return int(world.ask("federation admin", "POST", "/api/v1/tokens/1/revoke", headers=headers).status_code)

    assert revoke() == 409  # the last admin of the federation
    world.services.tokens.add(Principal("Ada", "admin"), "another", "admin")
    assert revoke() == 200


def test_over_http_a_failure_frees_the_key(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    def add() -> int:
        headers = {"Idempotency-Key": "k"}
        answer = world.ask("federation admin", "POST", "/api/v1/organisations", json={"name": "x"}, headers=headers)
        return int(answer.status_code)

    with monkeypatch.context() as patched:
        patched.setattr(world.services.organisations, "add", fail)
        assert add() == 500
    assert add() == 201


def test_over_http_a_device_may_enrol_again_with_its_key(world: Any, new_key: Any, proof: Any) -> None:
    secret = world.services.invitations.invite(Principal("Ada", "admin"), 1).secret
    key = new_key()
    body = {"secret": secret.hex(), "public_key": key[1], "proof": base64.b64encode(proof(secret, key)).decode()}
    headers = {"Idempotency-Key": "k"}
    first = world.client.post("/api/v1/enrolments", json=body, headers=headers)
    again = world.client.post("/api/v1/enrolments", json=body, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()


def test_over_http_a_key_is_looked_at_after_the_token(world: Any) -> None:
    headers = {"Idempotency-Key": "k", "Authorization": "Bearer hf_x"}
    assert world.client.post("/api/v1/organisations", json={"name": "x"}, headers=headers).status_code == 401
    headers.pop("Authorization")
    assert world.client.post("/api/v1/organisations", json={"name": "x"}, headers=headers).status_code == 401


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_over_http_an_odd_key_is_refused(world: Any, key: str) -> None:
    headers = {"Idempotency-Key": key}
    answer = world.ask("federation admin", "POST", "/api/v1/organisations", json={"name": "x"}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["location"] == "header.Idempotency-Key"
