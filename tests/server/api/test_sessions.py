"""Sessions over HTTP: the cookie, and what other sites' pages may not do with it."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from handfed.server.api.authentication import COOKIE, PAGE_HEADER

PAGE = {PAGE_HEADER: "1"}


@pytest.fixture
def browser(world: Any) -> TestClient:
    """A client that keeps cookies, as browsers do, and speaks TLS."""
    return TestClient(world.app, base_url="https://server.example")


def _log_in(browser: TestClient, world: Any, who: str = "federation operator") -> Any:
    return browser.post("/api/v1/session", json={"token": world.tokens[who]})


def test_a_browser_logs_in_and_out(browser: TestClient, world: Any) -> None:
    answer = _log_in(browser, world)
    assert answer.status_code == 201
    assert answer.json()["role"] == "operator"
    assert browser.get("/api/v1/me").json()["name"] == "federation operator"
    kept = browser.cookies[COOKIE]
    assert browser.delete("/api/v1/session", headers=PAGE).status_code == 204
    assert COOKIE not in browser.cookies
    assert browser.get("/api/v1/me", headers={"Cookie": f"{COOKIE}={kept}"}).status_code == 401


def test_the_cookie_is_for_this_host_alone_and_for_no_script(browser: TestClient, world: Any) -> None:
    header = _log_in(browser, world).headers["set-cookie"].lower()
    assert header.startswith("__host-")
    assert all(word in header for word in ("httponly", "secure", "samesite=strict", "path=/", "max-age=43200"))
    assert "domain" not in header


def test_a_change_by_a_cookie_takes_the_header_of_a_page(browser: TestClient, world: Any) -> None:
    _log_in(browser, world)
    refused = browser.post("/api/v1/invitations", json={"organisation": 1})
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("/cross-site")
    assert browser.post("/api/v1/invitations", json={"organisation": 1}, headers=PAGE).status_code == 201


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_page_changes_nothing(browser: TestClient, world: Any, site: str) -> None:
    foreign = {"Sec-Fetch-Site": site}
    assert (
        browser.post("/api/v1/session", json={"token": world.tokens["own admin"]}, headers=foreign).status_code == 403
    )
    _log_in(browser, world)
    assert browser.post("/api/v1/invitations", json={"organisation": 1}, headers=PAGE | foreign).status_code == 403


def test_a_token_in_a_header_takes_no_header_of_a_page(world: Any) -> None:
    answer = world.ask("federation operator", "POST", "/api/v1/invitations", json={"organisation": 1})
    assert answer.status_code == 201


def test_a_form_of_another_site_logs_nobody_in(browser: TestClient, world: Any) -> None:
    form = browser.post(
        "/api/v1/session", content=f'{{"token": "{world.tokens["own admin"]}"}}', headers={"Content-Type": "text/plain"}
    )
    assert form.status_code == 422
    assert COOKIE not in browser.cookies


def test_a_wrong_token_sets_no_cookie(browser: TestClient) -> None:
    assert browser.post("/api/v1/session", json={"token": "hf_wrong"}).status_code == 401
    assert COOKIE not in browser.cookies


def test_a_write_sent_again_by_a_session_is_done_once(browser: TestClient, world: Any) -> None:
    _log_in(browser, world)
    headers = PAGE | {"Idempotency-Key": "one"}
    first, again = (browser.post("/api/v1/invitations", json={"organisation": 1}, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_school_stays_within_its_scope_in_a_browser(browser: TestClient, world: Any) -> None:
    _log_in(browser, world, "own viewer")
    assert browser.get("/api/v1/devices/1").status_code == 200
    assert browser.get("/api/v1/devices/2").status_code == 404
    assert browser.post("/api/v1/devices/1/revoke", headers=PAGE).status_code == 403
