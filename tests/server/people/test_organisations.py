"""Schools and clinics."""

from __future__ import annotations

import pytest

from handfed.server.api.services import Services
from handfed.server.paging import ALL
from handfed.server.people.principals import Principal
from handfed.shared.errors import ConflictError, ForbiddenError, NotFoundError, SettingError


def test_an_organisation_that_is_added_is_there(services: Services, admin: Principal) -> None:
    added = services.organisations.add(admin, "  Clinic   North ")
    assert added.name == "Clinic North"
    assert services.organisations.get(admin, added.number) == added
    assert services.organisations.named(admin, "Clinic North ") == added
    assert services.organisations.list(admin, ALL).items == (added,)


def test_a_name_is_one_of_its_kind(services: Services, admin: Principal) -> None:
    services.organisations.add(admin, "Caf\u00e9")
    other = services.organisations.add(admin, "B")
    with pytest.raises(ConflictError, match="Caf\u00e9 already"):
        services.organisations.add(admin, "Cafe\u0301")  # the same, written otherwise
    with pytest.raises(ConflictError, match="Caf\u00e9 already"):
        services.organisations.rename(admin, other.number, "Caf\u00e9")
    assert [one.name for one in services.organisations.list(admin, ALL).items] == ["Caf\u00e9", "B"]


def test_what_is_refused_is_not_in_the_audit_log(services: Services, admin: Principal) -> None:
    services.organisations.add(admin, "A")
    with pytest.raises(ConflictError):
        services.organisations.add(admin, "A")
    assert len(services.audit.list(admin).items) == 1


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\x1bb", "\ud800"])
def test_a_name_that_cannot_be_shown_is_refused(services: Services, admin: Principal, name: str) -> None:
    with pytest.raises(SettingError):
        services.organisations.add(admin, name)


def test_renaming_keeps_the_number_and_is_on_record(services: Services, admin: Principal) -> None:
    number = services.organisations.add(admin, "A").number
    assert services.organisations.rename(admin, number, "B").name == "B"
    services.organisations.rename(admin, number, "B")  # nothing to do, so nothing on record
    assert [(entry.verb, dict(entry.detail)) for entry in services.audit.list(admin).items] == [
        ("add", {"name": "A"}),
        ("rename", {"from": "A", "to": "B"}),
    ]


@pytest.mark.parametrize("who", [Principal("O", "operator"), Principal("A", "admin", organisation=1)])
def test_only_an_admin_of_the_federation_adds_and_renames(services: Services, admin: Principal, who: Principal) -> None:
    services.organisations.add(admin, "A")
    with pytest.raises(ForbiddenError):
        services.organisations.add(who, "B")
    with pytest.raises(ForbiddenError):
        services.organisations.rename(who, 1, "B")


def test_another_organisation_does_not_exist(services: Services, admin: Principal) -> None:
    own, other = services.organisations.add(admin, "A"), services.organisations.add(admin, "B")
    school = Principal("S", "admin", organisation=own.number)
    assert services.organisations.list(school, ALL).items == (own,)
    assert services.organisations.named(school, "B") is None
    with pytest.raises(NotFoundError) as told:
        services.organisations.get(school, other.number)
    with pytest.raises(NotFoundError) as invented:
        services.organisations.get(school, 99)
    assert str(told.value).replace(str(other.number), "N") == str(invented.value).replace("99", "N")


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**80])
def test_a_number_that_cannot_be_is_not_found(services: Services, admin: Principal, number: int) -> None:
    with pytest.raises(NotFoundError):
        services.organisations.get(admin, number)
