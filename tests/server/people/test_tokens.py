"""Tokens."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from handfed.server.api.services import Services
from handfed.server.credentials import token_secret
from handfed.server.database import Database
from handfed.server.paging import ALL
from handfed.server.people.principals import Principal
from handfed.server.people.tokens import Tokens
from handfed.shared.errors import AuthenticationError, ConflictError, ForbiddenError, NotFoundError, SettingError


def test_the_first_start_makes_an_admin_and_no_other_does(services: Services) -> None:
    secret = services.tokens.ensure_first_admin()
    assert secret is not None
    assert services.tokens.ensure_first_admin() is None
    who = services.tokens.authenticate(secret, "192.0.2.7")
    assert (who.role, who.organisation, who.token, who.address) == ("admin", None, 1, "192.0.2.7")
    services.tokens.add(who, "another", "admin")
    services.tokens.revoke(who, 1)
    assert services.tokens.ensure_first_admin() is None


def test_of_two_first_starts_at_once_one_makes_an_admin(services: Services) -> None:
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(services.tokens.ensure_first_admin())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(secret is None for secret in found) == [False, True, True, True]


def test_a_secret_is_nowhere_in_the_database(services: Services, database: Database) -> None:
    secret = services.tokens.ensure_first_admin()
    assert secret is not None
    bits = token_secret(secret)
    assert bits is not None
    with database.read() as session:
        kept = str(session.execute(text("SELECT * FROM tokens")).all())
        kept += str(session.execute(text("SELECT * FROM audit_entries")).all())
    assert secret not in kept
    assert secret[3:] not in kept
    assert bits.hex() not in kept
    assert secret not in repr(services.tokens.add(Principal("A", "admin"), "x", "viewer"))


@pytest.mark.parametrize("secret", ["", "hf_", "hf_" + "a" * 52, "hf_" + "A" * 52, "x" * 10_000, "hf_" + "é" * 52])
def test_an_unknown_token_lets_nobody_in(services: Services, secret: str) -> None:
    services.tokens.ensure_first_admin()
    with pytest.raises(AuthenticationError, match="unknown, expired or revoked"):
        services.tokens.authenticate(secret, "a")


def test_a_revoked_token_lets_nobody_in(services: Services, admin: Principal) -> None:
    new = services.tokens.add(admin, "x", "viewer")
    services.tokens.authenticate(new.secret, "a")
    first = services.tokens.revoke(admin, new.token.number)
    with pytest.raises(AuthenticationError):
        services.tokens.authenticate(new.secret, "a")
    assert services.tokens.revoke(admin, new.token.number) == first
    assert [entry.verb for entry in services.audit.list(admin).items] == ["add", "revoke"]


def test_an_expired_token_lets_nobody_in(services: Services, admin: Principal, clock: Any) -> None:
    new = services.tokens.add(admin, "x", "viewer", expires_in=timedelta(hours=1))
    clock.forward(minutes=59)
    services.tokens.authenticate(new.secret, "a")
    clock.forward(minutes=1)
    with pytest.raises(AuthenticationError):
        services.tokens.authenticate(new.secret, "a")


@pytest.mark.parametrize("lives", [timedelta(0), timedelta(seconds=-1), timedelta(days=3651), timedelta.max])
def test_a_token_lives_for_a_second_to_ten_years(services: Services, admin: Principal, lives: timedelta) -> None:
    with pytest.raises(SettingError):
        services.tokens.add(admin, "x", "viewer", expires_in=lives)


def test_a_role_that_is_none_is_refused(services: Services, admin: Principal) -> None:
    with pytest.raises(SettingError, match="viewer, operator, admin"):
        services.tokens.add(admin, "x", "root")  # type: ignore[arg-type]


def test_the_last_use_is_known_to_the_minute(services: Services, admin: Principal, clock: Any) -> None:
    new = services.tokens.add(admin, "x", "viewer")
    started = clock()
    for _ in range(3):
        services.tokens.authenticate(new.secret, "a")
        clock.forward(seconds=25)
    assert services.tokens.get(admin, new.token.number).last_used_at == started
    services.tokens.authenticate(new.secret, "a")
    assert services.tokens.get(admin, new.token.number).last_used_at == clock()


def test_who_is_let_in_is_let_in_where_nothing_can_be_written(
    sqlite_services: Services, sqlite_database: Database, admin: Principal
) -> None:
    new = sqlite_services.tokens.add(admin, "x", "viewer")
    with sqlite_database.write() as session:
        session.execute(text("CREATE TRIGGER full BEFORE UPDATE ON tokens BEGIN SELECT RAISE(ABORT, 'disk full'); END"))
    assert sqlite_services.tokens.authenticate(new.secret, "a").name == "x"


def test_the_last_admin_of_the_federation_stays(services: Services, clock: Any) -> None:
    assert services.tokens.ensure_first_admin()
    ada = Principal("Ada", "admin")
    services.organisations.add(ada, "A")
    services.tokens.add(ada, "of a school", "admin", organisation=1)
    services.tokens.add(ada, "operator", "operator")
    soon = services.tokens.add(ada, "for an hour", "admin", expires_in=timedelta(hours=1)).token.number
    clock.forward(hours=2)
    with pytest.raises(ConflictError, match="last admin"):
        services.tokens.revoke(ada, 1)
    services.tokens.revoke(ada, soon)  # one that has expired is no loss
    other = services.tokens.add(ada, "another", "admin").token.number
    services.tokens.revoke(ada, 1)
    with pytest.raises(ConflictError, match="last admin"):
        services.tokens.revoke(ada, other)


def test_two_admins_cannot_revoke_each_other(services: Services) -> None:
    ada = Principal("Ada", "admin")
    numbers = [services.tokens.add(ada, name, "admin").token.number for name in "ab"]
    refused: list[ConflictError] = []
    start = threading.Barrier(2)

    def revoke(number: int) -> None:
        start.wait()
        try:
            services.tokens.revoke(ada, number)
        except ConflictError as error:
            refused.append(error)

    threads = [threading.Thread(target=revoke, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert sum(token.revoked_at is None for token in services.tokens.list(ada, ALL).items) == 1


def test_an_admin_of_a_school_gives_tokens_of_that_school_only(services: Services, admin: Principal) -> None:
    own, other = (services.organisations.add(admin, name).number for name in "AB")
    services.tokens.add(admin, "theirs", "viewer", organisation=other)
    of_all = services.tokens.add(admin, "of all", "viewer").token.number
    school = Principal("S", "admin", organisation=own)
    mine = services.tokens.add(school, "mine", "admin", organisation=own).token
    assert services.tokens.list(school, ALL).items == (mine,)
    with pytest.raises(ForbiddenError, match="whole federation"):
        services.tokens.add(school, "x", "viewer")
    with pytest.raises(NotFoundError):
        services.tokens.add(school, "x", "viewer", organisation=other)
    with pytest.raises(NotFoundError):
        services.tokens.revoke(school, of_all)
    services.tokens.revoke(school, mine.number)  # the last of the school: the federation can give another


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_admins_see_and_give_tokens(services: Services, role: Any) -> None:
    who = Principal("x", role)
    for attempt in (
        lambda: services.tokens.list(who),
        lambda: services.tokens.get(who, 1),
        lambda: services.tokens.add(who, "x", "viewer"),
        lambda: services.tokens.revoke(who, 1),
    ):
        with pytest.raises(ForbiddenError, match="takes the role admin"):
            attempt()


def test_a_token_is_made_of_256_random_bits(sqlite_database: Database) -> None:
    asked: list[int] = []

    def bits(count: int) -> bytes:
        asked.append(count)
        return bytes(range(count))

    secret = Tokens(sqlite_database, random_bytes=bits).ensure_first_admin()
    assert asked == [32]
    assert secret == "hf_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq"  # noqa: S105
