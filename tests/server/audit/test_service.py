"""The audit log."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from handfed.server.api.services import Services
from handfed.server.audit import service as audit
from handfed.server.audit.values import AuditFilter
from handfed.server.database import Database
from handfed.server.paging import PageRequest
from handfed.server.people.principals import Principal
from handfed.shared.errors import ForbiddenError, StorageError


def test_an_entry_says_who_when_what_and_from_where(services: Services, clock: Any) -> None:
    services.tokens.ensure_first_admin()
    services.organisations.add(Principal("Ada", "admin", token=1, address="192.0.2.7"), "Clinic North")
    entry = services.audit.list(Principal("A", "admin")).items[-1]
    assert (entry.at, entry.who, entry.token, entry.address) == (clock(), "Ada", 1, "192.0.2.7")
    assert (entry.verb, entry.object, entry.organisation) == ("add", "organisation/1", 1)
    assert entry.detail == {"name": "Clinic North"}


@pytest.mark.parametrize("change", ["UPDATE audit_entries SET who = 'x'", "DELETE FROM audit_entries"])
def test_the_database_refuses_to_change_what_is_on_record(
    services: Services, database: Database, admin: Principal, change: str
) -> None:
    services.organisations.add(admin, "A")
    with pytest.raises(StorageError, match="append-only"), database.write() as session:
        session.execute(text(change))
    assert [entry.who for entry in services.audit.list(admin).items] == ["Ada"]


def test_postgresql_refuses_to_empty_the_log(services: Services, database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite knows no TRUNCATE")
    services.tokens.ensure_first_admin()
    with pytest.raises(StorageError, match="append-only"), database.write() as session:
        session.execute(text("TRUNCATE audit_entries"))


def test_an_entry_of_a_change_that_fails_is_not_kept(database: Database, services: Services, clock: Any) -> None:
    def interrupted() -> None:
        with database.write() as session:
            audit.record(session, clock(), Principal("x", "admin"), "add", "x/1")
            session.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert services.audit.list(Principal("x", "admin")).items == ()


def test_entries_are_found_by_time_person_and_object(services: Services, clock: Any) -> None:
    ada, bob = Principal("Ada", "admin"), Principal("Bob", "admin")
    services.organisations.add(ada, "A")
    clock.forward(hours=1)
    middle = clock()
    services.organisations.rename(bob, 1, "B")
    clock.forward(hours=1)
    services.tokens.add(ada, "x", "viewer")

    def verbs(**wanted: Any) -> list[str]:
        return [f"{one.verb} {one.object}" for one in services.audit.list(ada, AuditFilter(**wanted)).items]

    assert verbs(since=middle) == ["rename organisation/1", "add token/1"]
    assert verbs(until=middle) == ["add organisation/1"]
    assert verbs(who="Bob") == ["rename organisation/1"]
    assert verbs(object="organisation") == ["add organisation/1", "rename organisation/1"]
    assert verbs(object="organisation/1", since=middle) == ["rename organisation/1"]
    assert verbs(object="organ") == verbs(object="%") == []


def test_a_school_reads_what_concerns_it(services: Services, admin: Principal) -> None:
    for name in "AB":
        services.organisations.add(admin, name)
    services.tokens.add(admin, "x", "viewer")
    seen = services.audit.list(Principal("S", "admin", organisation=2)).items
    assert [entry.object for entry in seen] == ["organisation/2"]


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_admins_read_the_log(services: Services, role: Any) -> None:
    with pytest.raises(ForbiddenError):
        services.audit.list(Principal("x", role))
    with pytest.raises(ForbiddenError):
        services.audit.export(Principal("x", role))


def test_an_export_has_every_entry_once(services: Services, admin: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_EXPORTED_AT_ONCE", 2)
    for number in range(5):
        services.organisations.add(admin, f"A{number}")
    exported = list(services.audit.export(admin))
    assert exported == list(services.audit.list(admin, request=PageRequest(None)).items)
    assert len(exported) == 5


def test_the_newest_entries_come_first_where_asked(services: Services, admin: Principal) -> None:
    for name in ("A", "B", "C"):
        services.organisations.add(admin, name)
    page = services.audit.list(admin, request=PageRequest(2), newest_first=True)
    assert [entry.object for entry in page.items] == ["organisation/3", "organisation/2"]
    following = services.audit.list(admin, request=PageRequest(2, page.following), newest_first=True)
    assert [entry.object for entry in following.items] == ["organisation/1"]
