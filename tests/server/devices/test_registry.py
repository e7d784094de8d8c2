"""How the database and the key registry come to agree."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from handfed.server.api.services import Services
from handfed.server.database import Database
from handfed.server.devices.memory import MemoryRegistry
from handfed.server.devices.registry import Registrar
from handfed.server.people.principals import Principal


class Broken(BaseException):
    """The process is killed here."""


class Killed(MemoryRegistry):
    """A registry whose caller is killed, before or after it has done what it was asked."""

    def __init__(self, keys: dict[int, str], when: str) -> None:
        super().__init__()
        self.keys = keys
        self._when = when

    def register(self, public_key: str) -> int:
        if self._when == "before":
            raise Broken
        super().register(public_key)
        raise Broken

    def unregister(self, node_id: int) -> None:
        if self._when == "before":
            raise Broken
        super().unregister(node_id)
        raise Broken


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_is_killed_while_a_device_joins_lets_it_in_later(
    database: Database,
    services: Services,
    admin: Principal,
    clinic: int,
    new_key: Any,
    registry: MemoryRegistry,
    clock: Any,
    when: str,
    join: Any,
    certificate: Any,
) -> None:
    secret = services.invitations.invite(admin, clinic).secret
    killed = Services.over(database, Killed(registry.keys, when), authority=certificate, clock=clock)
    with pytest.raises(Broken):
        join(killed, secret, new_key())
    assert services.registrar.reconcile() == 0
    assert list(registry.keys) == [services.devices.get(admin, 1).node_id]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_server_that_is_killed_while_it_revokes_lets_in_no_more_later(
    database: Database,
    services: Services,
    admin: Principal,
    machine: Any,
    registry: MemoryRegistry,
    clock: Any,
    when: str,
    certificate: Any,
) -> None:
    killed = Services.over(database, Killed(registry.keys, when), authority=certificate, clock=clock)
    with pytest.raises(Broken):
        killed.devices.revoke(admin, machine.number)
    assert services.devices.get(admin, machine.number).state == "revoked"
    assert services.registrar.reconcile() == 0
    assert registry.keys == {}


def test_who_joined_unnoticed_and_is_revoked_is_found_by_the_key(
    database: Database,
    services: Services,
    admin: Principal,
    clinic: int,
    new_key: Any,
    registry: MemoryRegistry,
    clock: Any,
    join: Any,
    certificate: Any,
) -> None:
    """Killed after the registry has taken the key: the database does not know the node's id."""
    killed = Services.over(database, Killed(registry.keys, "after"), authority=certificate, clock=clock)
    secret = services.invitations.invite(admin, clinic).secret
    with pytest.raises(Broken):
        join(killed, secret, new_key())
    assert len(registry.keys) == 1
    services.devices.revoke(admin, 1)
    assert registry.keys == {}


def test_what_another_process_revokes_the_server_makes_so(
    database: Database, services: Services, admin: Principal, machine: Any, registry: MemoryRegistry
) -> None:
    at_the_console = Services.over(database)
    assert at_the_console.devices.revoke(admin, machine.number).state == "revoked"
    assert len(registry.keys) == 1
    assert at_the_console.registrar.reconcile() == 0
    services.registrar.reconcile()
    assert registry.keys == {}


def test_a_registry_that_was_restored_is_made_right(
    services: Services, admin: Principal, machine: Any, enrol: Any, clinic: int, registry: MemoryRegistry
) -> None:
    revoked = enrol(clinic)
    copy = dict(registry.keys)
    services.devices.revoke(admin, revoked.number)
    registry.keys = {node: key for node, key in copy.items() if node == revoked.node_id}
    services.registrar.reconcile()
    assert len(registry.keys) == 1  # nothing seems to be open
    services.registrar.reconcile(thoroughly=True)
    found = services.devices.get(admin, machine.number)
    assert registry.keys == {found.node_id: found.public_key}


@pytest.mark.usefixtures("machine")
def test_a_wish_that_changes_meanwhile_is_followed(database: Database) -> None:
    class Slow(MemoryRegistry):
        """While it lets a key in, somebody revokes it."""

        def register(self, public_key: str) -> int:
            node_id = super().register(public_key)
            with database.write() as session:
                session.execute(text("UPDATE device_keys SET wanted = false, settled = false"))
            return node_id

    slow = Slow()
    Registrar(database, slow).reconcile(thoroughly=True)
    assert slow.keys == {}
