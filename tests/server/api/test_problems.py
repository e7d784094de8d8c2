"""How refusals look."""

from __future__ import annotations

import base64
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from handfed.server.api import problems
from handfed.shared import errors

DOCS = Path(__file__).resolve().parents[3] / "docs" / "server-api.md"


def _subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind} | {deeper for below in kind.__subclasses__() for deeper in _subclasses(below)}


def _is_problem(answer: Any, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"/api/v1/problems/{name}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
    return body


def test_a_route_that_is_none_is_a_problem(world: Any) -> None:
    for path in ("/", "/api/v1/nothing", "/api/v1/devices/", "/docs"):
        _is_problem(world.client.get(path), 404, "not-found")


def test_a_method_that_is_none_is_a_problem_that_names_those_there_are(world: Any) -> None:
    answer = world.client.put("/api/v1/me")
    _is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"


def test_who_shows_no_token_is_told_how(world: Any) -> None:
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer x"}):
        answer = world.client.get("/api/v1/me", headers=headers)
        _is_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="handfed"'


def test_what_cannot_be_used_is_named_and_not_quoted(world: Any) -> None:
    body = {"secret": "the-secret-of-somebody", "public_key": "", "more": 1}
    problem = _is_problem(world.client.post("/api/v1/enrolments", json=body), 422, "invalid")
    assert {part["location"] for part in problem["errors"]} == {
        "body.secret",
        "body.public_key",
        "body.proof",
        "body.more",
    }
    assert "the-secret-of-somebody" not in str(problem)


def test_what_is_no_json_is_not_quoted(world: Any) -> None:
    content = b'{"secret": "the-secret-of-somebody"'
    headers = {"content-type": "application/json"}
    answer = world.client.post("/api/v1/enrolments", content=content, headers=headers)
    assert "the-secret-of-somebody" not in str(_is_problem(answer, 422, "invalid"))


def test_another_media_type_is_refused(world: Any) -> None:
    body = {"secret": "0" * 64, "public_key": "x"}
    _is_problem(world.client.post("/api/v1/enrolments", data=body), 422, "invalid")


def test_a_failure_says_nothing_of_its_cause(
    world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said = "the-secret-of-somebody"

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(world.services.devices, "list", fail)
    with caplog.at_level(logging.INFO):
        answer = world.ask("federation admin", "GET", "/api/v1/devices")
    problem = _is_problem(answer, 500, "internal")
    assert said not in str(problem) + caplog.text
    assert "RuntimeError" in caplog.text
    assert answer.headers["x-request-id"] in caplog.text
    assert "RuntimeError" not in str(problem)


def test_a_database_that_cannot_be_read_is_not_told_of(
    world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise errors.StorageError("cannot read the database /var/handfed.db: disk I/O error")

    monkeypatch.setattr(world.services.devices, "list", fail)
    answer = world.ask("federation admin", "GET", "/api/v1/devices")
    problem = _is_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "/var/handfed.db" not in str(problem)
    assert "/var/handfed.db" in caplog.text


def test_each_refusal_to_enrol_is_a_kind_of_its_own(world: Any, new_key: Any, join: Any, proof: Any) -> None:
    from handfed.server.people.principals import Principal

    ada = Principal("Ada", "admin")
    services = world.services
    used, withdrawn = (services.invitations.invite(ada, 1) for _ in range(2))
    services.invitations.withdraw(ada, withdrawn.invitation.number)
    join(services, used.secret, new_key())
    for secret, status, name in (
        (bytes(32), 404, "invitation-unknown"),
        (used.secret, 409, "invitation-used"),
        (withdrawn.secret, 403, "invitation-withdrawn"),
    ):
        key = new_key()
        shown = base64.b64encode(proof(secret, key)).decode()
        body = {"secret": secret.hex(), "public_key": key[1], "proof": shown}
        _is_problem(world.client.post("/api/v1/enrolments", json=body), status, name)


def test_too_many_attempts_say_how_long_to_wait(world: Any, new_key: Any) -> None:
    from starlette.testclient import TestClient

    from handfed.server.api.app import create_app
    from handfed.server.api.services import Services

    services = Services.over(world.services.database, authority=world.settings.authority, attempts_per_minute=1)
    client = TestClient(create_app(world.settings, services))
    body = {"secret": "0" * 64, "public_key": new_key()[1], "proof": "AAAA"}
    _is_problem(client.post("/api/v1/enrolments", json=body), 403, "proof-invalid")
    answer = client.post("/api/v1/enrolments", json=body)
    _is_problem(answer, 429, "too-many-attempts")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


@pytest.mark.parametrize("kind", sorted(_subclasses(errors.HandfedError), key=str))
def test_every_error_of_ours_is_a_kind_of_problem(kind: type[Exception]) -> None:
    made = kind.__new__(kind)
    found = problems.kind_of(made)
    assert 400 <= found.status < 600
    assert found.is_told == (found.status < 500)


def test_a_problem_is_told_of_at_its_address(world: Any) -> None:
    for name, kind in problems.all_kinds().items():
        told = world.client.get(f"/api/v1/problems/{name}").json()
        assert told == {"type": f"/api/v1/problems/{name}", "status": kind.status, "title": kind.title}


def test_the_documentation_lists_every_kind() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert {(name, int(status)) for name, status in rows} == {
        (name, kind.status) for name, kind in problems.all_kinds().items()
    }
