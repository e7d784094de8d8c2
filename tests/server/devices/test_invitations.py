"""Invitations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from handfed.server.api.services import Services
from handfed.server.database import Database
from handfed.server.paging import ALL
from handfed.server.people.principals import Principal
from handfed.shared.errors import ConflictError, ForbiddenError, NotFoundError, SettingError


def test_an_invitation_says_what_it_is_for(services: Services, admin: Principal, clinic: int, clock: Any) -> None:
    new = services.invitations.invite(admin, clinic, expires_in=timedelta(hours=2), max_samples=500, name=" Room  12 ")
    made = new.invitation
    assert (made.organisation, made.invited_by, made.name, made.max_samples) == (clinic, "Ada", "Room 12", 500)
    assert (made.state, made.expires_at) == ("open", clock() + timedelta(hours=2))
    assert services.invitations.list(admin, ALL).items == (made,)
    assert len(new.secret) == 32


def test_a_secret_is_nowhere_in_the_database(
    services: Services, admin: Principal, clinic: int, database: Database
) -> None:
    new = services.invitations.invite(admin, clinic)
    with database.read() as session:
        kept = str(session.execute(text("SELECT * FROM invitations")).all())
        kept += str(session.execute(text("SELECT * FROM audit_entries")).all())
    assert new.secret.hex() not in kept
    assert new.secret.hex() not in repr(new)
    assert repr(new.secret) not in repr(new)


def test_an_invitation_expires(services: Services, admin: Principal, clinic: int, clock: Any) -> None:
    number = services.invitations.invite(admin, clinic).invitation.number
    clock.forward(hours=23, minutes=59)
    assert services.invitations.get(admin, number).state == "open"
    clock.forward(minutes=1)
    assert services.invitations.get(admin, number).state == "expired"


def test_withdrawing_is_for_good_and_on_record_once(services: Services, admin: Principal, clinic: int) -> None:
    number = services.invitations.invite(admin, clinic).invitation.number
    assert services.invitations.withdraw(admin, number).state == "withdrawn"
    assert services.invitations.withdraw(admin, number).state == "withdrawn"
    assert [entry.verb for entry in services.audit.list(admin).items].count("withdraw") == 1


def test_what_was_used_cannot_be_withdrawn(
    services: Services, admin: Principal, clinic: int, new_key: Any, join: Any
) -> None:
    new = services.invitations.invite(admin, clinic)
    device = join(services, new.secret, new_key())
    assert services.invitations.get(admin, new.invitation.number).used_by == device.number
    with pytest.raises(ConflictError, match=f"device {device.number} has joined"):
        services.invitations.withdraw(admin, new.invitation.number)


@pytest.mark.parametrize(
    "setting",
    [{"max_samples": 0}, {"max_samples": 10**12 + 1}, {"expires_in": timedelta(0)}, {"name": " "}],
)
def test_a_value_out_of_its_range_is_refused(
    services: Services, admin: Principal, clinic: int, setting: dict[str, Any]
) -> None:
    with pytest.raises(SettingError):
        services.invitations.invite(admin, clinic, **setting)
    assert services.invitations.list(admin).items == ()


def test_a_viewer_does_not_invite(services: Services, clinic: int) -> None:
    with pytest.raises(ForbiddenError):
        services.invitations.invite(Principal("x", "viewer"), clinic)


def test_a_school_invites_into_itself_only(services: Services, admin: Principal, clinic: int) -> None:
    other = services.organisations.add(admin, "B").number
    theirs = services.invitations.invite(admin, other).invitation.number
    school = Principal("S", "operator", organisation=clinic)
    mine = services.invitations.invite(school, clinic).invitation
    assert services.invitations.list(school, ALL).items == (mine,)
    for attempt in (
        lambda: services.invitations.invite(school, other),
        lambda: services.invitations.get(school, theirs),
        lambda: services.invitations.withdraw(school, theirs),
    ):
        with pytest.raises(NotFoundError):
            attempt()
