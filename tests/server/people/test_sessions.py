"""Sessions of browsers."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from handfed.server.devices.attempts import Attempts
from handfed.server.people.models import SessionRow
from handfed.server.people.sessions import LIFE, Sessions
from handfed.shared.errors import AuthenticationError, TooManyAttemptsError


def _token(services: Any, admin: Any, **more: Any) -> Any:
    return services.tokens.add(admin, "Bo", "operator", **more)


def test_a_session_may_do_what_its_token_may(services: Any, admin: Any) -> None:
    organisation = services.organisations.add(admin, "Clinic North").number
    token = _token(services, admin, organisation=organisation)
    begun = services.sessions.begin(token.secret, "192.0.2.7")
    found = services.sessions.authenticate(begun.secret, "192.0.2.8")
    assert (found.name, found.role, found.organisation, found.token) == (
        "Bo",
        "operator",
        organisation,
        token.token.number,
    )
    assert found.address == "192.0.2.8"


def test_what_is_no_token_begins_no_session(services: Any) -> None:
    for text in ("", "hf_", "hf_" + "a" * 52):
        with pytest.raises(AuthenticationError):
            services.sessions.begin(text, "a")


def test_a_session_is_over_after_its_life(services: Any, admin: Any, clock: Any) -> None:
    begun = services.sessions.begin(_token(services, admin).secret, "a")
    assert begun.expires_at == clock() + LIFE
    clock.forward(seconds=LIFE.total_seconds() - 1)
    services.sessions.authenticate(begun.secret, "a")
    clock.forward(seconds=1)
    with pytest.raises(AuthenticationError, match="log in again"):
        services.sessions.authenticate(begun.secret, "a")


def test_a_revoked_token_ends_its_sessions_at_once(services: Any, admin: Any) -> None:
    token = _token(services, admin)
    begun = services.sessions.begin(token.secret, "a")
    services.tokens.revoke(admin, token.token.number)
    with pytest.raises(AuthenticationError, match="revoked"):
        services.sessions.authenticate(begun.secret, "a")


def test_an_expired_token_ends_its_sessions(services: Any, admin: Any, clock: Any) -> None:
    begun = services.sessions.begin(_token(services, admin, expires_in=timedelta(hours=1)).secret, "a")
    clock.forward(hours=1)
    with pytest.raises(AuthenticationError):
        services.sessions.authenticate(begun.secret, "a")


def test_who_logged_out_is_out(services: Any, admin: Any) -> None:
    secret = _token(services, admin).secret
    one, other = (services.sessions.begin(secret, "a") for _ in range(2))
    services.sessions.end(one.secret)
    services.sessions.end(one.secret)
    with pytest.raises(AuthenticationError):
        services.sessions.authenticate(one.secret, "a")
    services.sessions.authenticate(other.secret, "a")


@pytest.mark.parametrize("secret", ["", "0", "not hex", "00" * 32, "é"])
def test_what_no_session_has_lets_nobody_in(services: Any, secret: str) -> None:
    with pytest.raises(AuthenticationError):
        services.sessions.authenticate(secret, "a")
    services.sessions.end(secret)


def test_of_a_secret_there_is_a_hash_alone(services: Any, admin: Any) -> None:
    begun = services.sessions.begin(_token(services, admin).secret, "a")
    with services.database.read() as session:
        row = session.scalars(select(SessionRow)).one()
        assert begun.secret not in {str(value) for value in vars(row).values()}
    assert begun.secret not in repr(begun)
    assert re.fullmatch("[0-9a-f]{64}", begun.secret)


def test_sessions_that_are_over_are_removed(services: Any, admin: Any, clock: Any) -> None:
    secret = _token(services, admin).secret
    for _ in range(3):
        services.sessions.begin(secret, "a")
    clock.forward(hours=13)
    services.sessions.begin(secret, "a")
    with services.database.read() as session:
        assert session.scalar(select(func.count()).select_from(SessionRow)) == 1


def test_logging_in_is_in_the_audit_log(services: Any, admin: Any) -> None:
    token = _token(services, admin)
    services.sessions.begin(token.secret, "192.0.2.7")
    last = services.audit.list(admin).items[-1]
    assert (last.verb, last.object, last.address) == ("log-in", f"token/{token.token.number}", "192.0.2.7")


def test_an_address_has_so_many_attempts(services: Any, admin: Any, clock: Any) -> None:
    sessions = Sessions(services.database, services.tokens, Attempts(2), clock)
    for _ in range(2):
        with pytest.raises(AuthenticationError):
            sessions.begin("hf_wrong", "192.0.2.7")
    with pytest.raises(TooManyAttemptsError):
        sessions.begin(_token(services, admin).secret, "192.0.2.7")
    sessions.begin(_token(services, admin).secret, "192.0.2.9")
