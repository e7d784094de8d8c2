"""Who may do what: every route, asked by every role and scope."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import pytest

ASKING = ("nobody", *(f"{scope} {role}" for scope in ("federation", "own") for role in ("viewer", "operator", "admin")))
_names = (f"name {number}" for number in count())
_KEY = "-----BEGIN PUBLIC KEY-----"
_TOKEN: dict[str, Any] = {"name": "x", "role": "viewer"}
_SIGNATURES = {"old_signature": "AAAA", "new_signature": "AAAA"}


def _name() -> dict[str, str]:
    return {"name": next(_names)}


# A request; what it is sent; and what nobody, a viewer, an operator and an admin of the federation, and a viewer, an
# operator and an admin of organisation 1 are answered. Numbers of organisation 2 stand for all that is another's.
RULES: list[tuple[str, Any, str]] = [
    ("GET /health", None, "200 200 200 200 200 200 200"),
    ("GET /metrics", None, "401 200 200 200 403 403 403"),
    ("GET /api/v1/authority", None, "200 200 200 200 200 200 200"),
    ("GET /api/v1/problems/not-found", None, "200 200 200 200 200 200 200"),
    ("GET /api/v1/me", None, "401 200 200 200 200 200 200"),
    # A session begins with a token in the body, whoever shows another beside.
    ("POST /api/v1/session", lambda: {"token": "hf_unknown"}, "401 401 401 401 401 401 401"),
    ("DELETE /api/v1/session", None, "401 204 204 204 204 204 204"),
    ("GET /api/v1/overview", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/privacy/leaving", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/organisations", None, "401 200 200 200 200 200 200"),
    ("POST /api/v1/organisations", _name, "401 403 403 201 403 403 403"),
    ("GET /api/v1/organisations/1", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/organisations/2", None, "401 200 200 200 404 404 404"),
    ("PATCH /api/v1/organisations/1", _name, "401 403 403 200 403 403 403"),
    ("PATCH /api/v1/organisations/2", _name, "401 403 403 200 403 403 403"),
    ("GET /api/v1/tokens", None, "401 403 403 200 403 403 200"),
    ("POST /api/v1/tokens", lambda: _TOKEN, "401 403 403 201 403 403 403"),
    ("POST /api/v1/tokens", lambda: _TOKEN | {"organisation": 1}, "401 403 403 201 403 403 201"),
    ("POST /api/v1/tokens", lambda: _TOKEN | {"organisation": 2}, "401 403 403 201 403 403 404"),
    ("GET /api/v1/tokens/{own}", None, "401 403 403 200 403 403 200"),
    ("GET /api/v1/tokens/{other}", None, "401 403 403 200 403 403 404"),
    ("GET /api/v1/tokens/1", None, "401 403 403 200 403 403 404"),
    ("POST /api/v1/tokens/{own}/revoke", None, "401 403 403 200 403 403 200"),
    ("POST /api/v1/tokens/{other}/revoke", None, "401 403 403 200 403 403 404"),
    ("POST /api/v1/tokens/1/revoke", None, "401 403 403 409 403 403 404"),
    ("GET /api/v1/invitations", None, "401 200 200 200 200 200 200"),
    ("POST /api/v1/invitations", lambda: {"organisation": 1}, "401 403 201 201 403 201 201"),
    ("POST /api/v1/invitations", lambda: {"organisation": 2}, "401 403 201 201 403 404 404"),
    ("GET /api/v1/invitations/2", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/invitations/4", None, "401 200 200 200 404 404 404"),
    ("POST /api/v1/invitations/2/withdraw", None, "401 403 200 200 403 200 200"),
    ("POST /api/v1/invitations/4/withdraw", None, "401 403 200 200 403 404 404"),
    ("GET /api/v1/devices", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/devices/1", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/devices/2", None, "401 200 200 200 404 404 404"),
    ("GET /api/v1/devices/1/history", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/devices/2/history", None, "401 200 200 200 404 404 404"),
    ("PATCH /api/v1/devices/1", _name, "401 403 200 200 403 200 200"),
    ("PATCH /api/v1/devices/2", _name, "401 403 200 200 403 404 404"),
    ("POST /api/v1/devices/1/revoke", None, "401 403 200 200 403 200 200"),
    ("POST /api/v1/devices/2/revoke", None, "401 403 200 200 403 404 404"),
    ("GET /api/v1/audit", None, "401 403 403 200 403 403 200"),
    ("GET /api/v1/audit/export", None, "401 403 403 200 403 403 200"),
    ("GET /api/v1/runs", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/runs/1", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/runs/1/rounds", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/runs/1/rounds/1", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/runs/1/rounds/1/devices", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/runs/1/live", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/runs/1/rejections", None, "401 200 200 200 403 403 403"),
    ("GET /api/v1/runs/1/events", None, "401 200 200 200 200 200 200"),
    ("POST /api/v1/runs", dict, "401 403 201 201 403 403 403"),
    ("POST /api/v1/runs/1/stop", None, "401 403 404 404 403 403 403"),
    ("POST /api/v1/runs/1/resume", None, "401 403 404 404 403 403 403"),
    ("GET /api/v1/devices/1/pins", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/devices/2/pins", None, "401 200 200 200 404 404 404"),
    ("POST /api/v1/devices/1/pin", lambda: {"release": 1}, "401 403 200 200 403 200 200"),
    ("POST /api/v1/devices/2/pin", lambda: {"release": 1}, "401 403 200 200 403 404 404"),
    ("POST /api/v1/devices/1/unpin", None, "401 403 200 200 403 200 200"),
    ("GET /api/v1/releases", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/releases/1", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/releases/1/files/model.tflite", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/releases/1/evidence", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/device-reports", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/promotions", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/releases/1/promotion", None, "401 200 200 200 200 200 200"),
    ("POST /api/v1/releases/1/promotion/pin", dict, "401 403 200 200 403 403 403"),
    ("GET /api/v1/learning", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/learning/digits", None, "401 200 200 200 200 200 200"),
    ("GET /api/v1/learning/digits/explanation", None, "401 200 200 200 403 403 403"),
    ("GET /api/v1/learning/digits/waiting", None, "401 200 200 200 200 200 200"),
    ("PATCH /api/v1/learning/digits", dict, "401 403 200 200 403 403 403"),
    ("POST /api/v1/learning/digits/enable", None, "401 403 200 200 403 403 403"),
    ("POST /api/v1/learning/digits/disable", None, "401 403 200 200 403 403 403"),
    ("GET /api/v1/comparisons", None, "401 200 200 200 200 200 200"),
    (
        "POST /api/v1/comparisons",
        lambda: {"release_a": 1, "release_b": 99},
        "401 403 404 404 403 403 403",
    ),
    ("GET /api/v1/comparisons/9", None, "401 404 404 404 403 403 403"),
    ("POST /api/v1/comparisons/9/end", None, "401 403 404 404 403 403 403"),
    # What a device does without a token, here with what lets it do nothing.
    (
        "POST /api/v1/devices/1/report",
        lambda: {"report": "{}", "signature": "AAAA"},
        "403 403 403 403 403 403 403",
    ),
    (
        "POST /api/v1/enrolments",
        lambda: {"secret": "0" * 64, "public_key": _KEY, "proof": "AAAA"},
        "422 422 422 422 422 422 422",
    ),
    (
        "POST /api/v1/devices/1/rotate",
        lambda: {"public_key": _KEY, **_SIGNATURES},
        "422 422 422 422 422 422 422",
    ),
]


@pytest.mark.parametrize(
    ("asked", "body", "statuses"), RULES, ids=[f"{rule[0]}-{place}" for place, rule in enumerate(RULES)]
)
def test_every_role_and_scope_is_answered_as_it_should_be(
    shared_world: Any, asked: str, body: Any, statuses: str
) -> None:
    spare = [token.number for token in shared_world.services.tokens.list(_ada()).items if token.name == "spare"]
    method, path = asked.format(own=spare[0], other=spare[1]).split()
    answers = {
        who: shared_world.ask(who, method, path, json=None if body is None else body()).status_code for who in ASKING
    }
    assert answers == dict(zip(ASKING, map(int, statuses.split()), strict=True))


def test_no_route_is_without_a_rule(shared_world: Any) -> None:
    described = {
        (method.upper(), path) for path, methods in shared_world.app.openapi()["paths"].items() for method in methods
    }
    ruled = {tuple(asked.split()) for asked, _, _ in RULES}
    without = [
        (method, path)
        for method, path in described
        if not any(way == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), to) for way, to in ruled)
    ]
    assert not without


@pytest.mark.parametrize(
    ("path", "whose"),
    [
        ("organisations", lambda item: item["number"]),
        ("tokens", lambda item: item["organisation"]),
        ("invitations", lambda item: item["organisation"]),
        ("devices", lambda item: item["organisation"]),
        ("audit", lambda item: item["organisation"]),
    ],
)
def test_a_list_holds_what_is_within_the_scope(shared_world: Any, path: str, whose: Any) -> None:
    def owners(who: str) -> set[int | None]:
        items = shared_world.ask(who, "GET", f"/api/v1/{path}?limit=200").json()["items"]
        return {whose(item) for item in items}

    assert owners("own admin") == {1}
    assert owners("federation admin") >= {1, 2}


def test_an_export_holds_what_is_within_the_scope(shared_world: Any) -> None:
    text = shared_world.ask("own admin", "GET", "/api/v1/audit/export").text
    assert '"organisation": 1' in text
    assert '"organisation": 2' not in text
    assert '"organisation": null' not in text


def test_a_school_reads_totals_of_a_run_only(shared_world: Any) -> None:
    whole = shared_world.ask("federation viewer", "GET", "/api/v1/runs/1").json()
    total = shared_world.ask("own admin", "GET", "/api/v1/runs/1").json()
    assert whole["settings"] == {"note": "of the federation"}
    assert "18446744073709551615" in whole["error"]
    assert total["settings"] == {}
    assert "18446744073709551615" not in str(total)
    assert total["rounds"] == whole["rounds"] == 3


def _ada() -> Any:
    from handfed.server.people.principals import Principal

    return Principal("Ada", "admin")
