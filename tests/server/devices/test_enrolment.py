"""How a device joins, and how it replaces its key."""

from __future__ import annotations

import ssl
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from handfed.server.api.services import Services
from handfed.server.database import Database
from handfed.server.devices.memory import MemoryRegistry
from handfed.server.devices.values import (
    ExpiredInvitationError,
    ProofError,
    RotationRefusedError,
    UnknownInvitationError,
    UsedInvitationError,
    WithdrawnInvitationError,
)
from handfed.server.paging import ALL
from handfed.server.people.principals import Principal
from handfed.shared.errors import ConflictError, SettingError, StorageError, TooManyAttemptsError
from handfed.shared.key_rotation import rotation_message


def test_a_device_that_joins_is_let_in_and_on_record(
    services: Services, admin: Principal, clinic: int, new_key: Any, registry: MemoryRegistry, join: Any
) -> None:
    new = services.invitations.invite(admin, clinic, max_samples=500)
    key = new_key()
    device = join(services, new.secret, key, "Room 12", {"handfed": "0.1.0"}, "192.0.2.7")
    assert (device.organisation, device.name, device.state, device.max_samples) == (clinic, "Room 12", "enrolled", 500)
    assert device.versions == {"handfed": "0.1.0"}
    assert registry.keys == {device.node_id: key[1]}
    assert services.devices.get(admin, device.number) == device
    entry = services.audit.list(admin).items[-1]
    assert (entry.who, entry.verb, entry.object, entry.address) == ("invitation 1", "enrol", "device/1", "192.0.2.7")
    assert entry.organisation == clinic


@pytest.mark.parametrize(
    ("invited", "told", "called"), [("A", "B", "A"), (None, "B", "B"), ("A", None, "A"), (None, None, "device 1")]
)
def test_what_the_invitation_calls_a_device_goes_before(
    services: Services, admin: Principal, clinic: int, new_key: Any, invited: Any, told: Any, called: str, join: Any
) -> None:
    secret = services.invitations.invite(admin, clinic, name=invited).secret
    assert join(services, secret, new_key(), told).name == called


def test_each_refusal_is_its_own(
    services: Services, admin: Principal, clinic: int, new_key: Any, clock: Any, join: Any
) -> None:
    used, withdrawn, expired = (services.invitations.invite(admin, clinic) for _ in range(3))
    join(services, used.secret, new_key())
    services.invitations.withdraw(admin, withdrawn.invitation.number)
    clock.forward(days=2)
    for secret, refusal, says in (
        (used.secret, UsedInvitationError, "another device has joined"),
        (withdrawn.secret, WithdrawnInvitationError, "was withdrawn"),
        (expired.secret, ExpiredInvitationError, "expired on 2026-05-07 at 12:00 UTC"),
        (bytes(32), UnknownInvitationError, "knows no such invitation"),
        (b"", UnknownInvitationError, "knows no such invitation"),
    ):
        with pytest.raises(refusal, match=says):
            join(services, secret, new_key())
    assert len(services.devices.list(admin, ALL).items) == 1


def test_the_same_key_may_ask_again_as_an_answer_may_be_lost(
    services: Services, admin: Principal, clinic: int, new_key: Any, clock: Any, join: Any
) -> None:
    secret = services.invitations.invite(admin, clinic).secret
    key = new_key()
    device = join(services, secret, key, "A")
    clock.forward(days=2)
    assert join(services, secret, key, "B") == device
    services.devices.revoke(admin, device.number)
    with pytest.raises(UsedInvitationError):
        join(services, secret, key, "A")


def test_of_two_devices_with_one_code_one_joins(
    services: Services, admin: Principal, clinic: int, new_key: Any, registry: MemoryRegistry, join: Any
) -> None:
    secret = services.invitations.invite(admin, clinic).secret
    keys = [new_key() for _ in range(4)]
    joined: list[int] = []
    refused: list[Exception] = []
    start = threading.Barrier(len(keys))

    def ask(key: Any) -> None:
        start.wait()
        try:
            joined.append(join(services, secret, key).number)
        except UsedInvitationError as error:
            refused.append(error)

    threads = [threading.Thread(target=ask, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(joined) == 1
    assert len(refused) == 3
    assert len(registry.keys) == len(services.devices.list(admin, ALL).items) == 1


def test_a_key_belongs_to_one_device_for_ever(
    services: Services, admin: Principal, clinic: int, new_key: Any, join: Any
) -> None:
    key = new_key()
    first, second = (services.invitations.invite(admin, clinic) for _ in range(2))
    number = join(services, first.secret, key).number
    services.devices.revoke(admin, number)
    with pytest.raises(ConflictError, match="another device's"):
        join(services, second.secret, key)
    assert services.invitations.get(admin, second.invitation.number).state == "open"


@pytest.mark.parametrize(
    "wrong", [{"public_key": "x"}, {"name": "a\x00"}, {"versions": {"a": ""}}, {"versions": {"x" * 101: "1"}}]
)
def test_what_cannot_be_used_does_not_use_up_the_invitation(
    services: Services, admin: Principal, clinic: int, new_key: Any, wrong: dict[str, Any], proof: Any
) -> None:
    new = services.invitations.invite(admin, clinic)
    key = new_key()
    asked = {
        "public_key": key[1],
        "name": None,
        "versions": {},
        "address": "a",
        "proof": proof(new.secret, key),
    } | wrong
    with pytest.raises(SettingError):
        services.enrolment.enrol(new.secret, **asked)
    assert services.invitations.get(admin, new.invitation.number).state == "open"


def test_who_does_not_hold_the_key_does_not_join(
    services: Services, admin: Principal, clinic: int, new_key: Any, proof: Any, database: Database, tmp_path: Path
) -> None:
    new, other = (services.invitations.invite(admin, clinic) for _ in range(2))
    mine, theirs = new_key(), new_key()
    for shown in (b"", proof(new.secret, theirs), proof(other.secret, mine)):
        with pytest.raises(ProofError):
            services.enrolment.enrol(new.secret, mine[1], None, {}, "a", proof=shown)
    another = Services.over(database, authority=_other_certificate(tmp_path))
    with pytest.raises(ProofError):
        another.enrolment.enrol(new.secret, mine[1], None, {}, "a", proof=proof(new.secret, mine))
    assert services.invitations.get(admin, new.invitation.number).state == "open"


def test_a_process_without_the_cas_certificate_lets_no_device_in(database: Database, new_key: Any, join: Any) -> None:
    with pytest.raises(StorageError, match="lets no device in"):
        join(Services.over(database), bytes(32), new_key())


def _other_certificate(directory: Path) -> Path:
    path = directory / "ca.pem"
    path.write_text(ssl.DER_cert_to_PEM_cert(b"of another federation"))
    return path


def test_attempts_are_limited_by_address(database: Database, new_key: Any, join: Any, certificate: Any) -> None:
    services = Services.over(database, authority=certificate, attempts_per_minute=2)
    key = new_key()
    for _ in range(2):
        with pytest.raises(UnknownInvitationError):
            join(services, bytes(32), key, address="192.0.2.7")
    with pytest.raises(TooManyAttemptsError):
        services.enrolment.rotate(1, key[1], b"", b"", "192.0.2.7")
    with pytest.raises(UnknownInvitationError):
        join(services, bytes(32), key, address="192.0.2.8")


def test_a_device_joins_where_the_registry_is_away_and_is_let_in_later(
    services: Services, admin: Principal, clinic: int, new_key: Any, registry: MemoryRegistry, join: Any
) -> None:
    registry.is_there = False
    secret = services.invitations.invite(admin, clinic).secret
    device = join(services, secret, new_key())
    assert device.node_id is None
    assert services.registrar.reconcile() == 1
    registry.is_there = True
    assert services.registrar.reconcile() == 0
    assert services.devices.get(admin, device.number).node_id in registry.keys


def _rotate(services: Services, machine: Any, key: tuple[Any, str], new: Any, **other: Any) -> Any:
    from handfed.server.devices.keys import PublicKey

    message = rotation_message(machine.number, machine.fingerprint, PublicKey.parse(key[1]).fingerprint)
    asked = {"number": machine.number, "public_key": key[1], "address": "192.0.2.7"}
    signed = {"old_signature": machine.sign(message), "new_signature": new.sign(message)}
    return services.enrolment.rotate(**(asked | signed | other)).device


def test_a_key_is_replaced_by_who_holds_both(
    services: Services, admin: Principal, machine: Any, new_key: Any, registry: MemoryRegistry
) -> None:
    key = new_key()
    before = services.devices.get(admin, machine.number)
    after = _rotate(services, machine, key, replace(machine, private=key[0]))
    assert after.public_key == key[1]
    assert registry.keys == {after.node_id: key[1]}
    assert (
        replace(after, public_key=before.public_key, fingerprint=before.fingerprint, node_id=before.node_id) == before
    )
    entry = services.audit.list(admin).items[-1]
    assert (entry.who, entry.verb, entry.object) == ("device 1", "rotate", "device/1")


def test_replacing_may_be_asked_again_as_an_answer_may_be_lost(
    services: Services, machine: Any, new_key: Any, registry: MemoryRegistry
) -> None:
    key = new_key()
    new = replace(machine, private=key[0])
    first = _rotate(services, machine, key, new)
    assert _rotate(services, machine, key, new) == first
    assert len(registry.keys) == 1


def test_a_key_is_not_replaced_by_who_holds_one_only(
    services: Services, admin: Principal, machine: Any, new_key: Any
) -> None:
    key, stranger = new_key(), replace(machine, private=new_key()[0])
    new = replace(machine, private=key[0])
    for asked in (
        {"old_signature": stranger.sign(b"x")},
        {"new_signature": machine.sign(b"x")},
        {"number": 99},
        {"number": 2**80},
        {"old_signature": b""},
    ):
        with pytest.raises(RotationRefusedError) as refused:
            _rotate(services, machine, key, new, **asked)
        assert "99" not in str(refused.value)  # nor whether there is such a device
    assert services.devices.get(admin, machine.number).fingerprint == machine.fingerprint


def test_rotating_touches_no_other_device(
    services: Services, admin: Principal, machine: Any, new_key: Any, enrol: Any, clinic: int
) -> None:
    other = enrol(clinic)
    key = new_key()
    _rotate(services, machine, key, replace(machine, private=key[0]))
    assert services.devices.get(admin, other.number) == other


def test_a_revoked_device_replaces_no_key(services: Services, admin: Principal, machine: Any, new_key: Any) -> None:
    services.devices.revoke(admin, machine.number)
    key = new_key()
    with pytest.raises(RotationRefusedError):
        _rotate(services, machine, key, replace(machine, private=key[0]))


def test_no_key_comes_back(services: Services, machine: Any, new_key: Any, database: Database) -> None:
    with database.read() as session:
        first = str(session.scalar(text("SELECT public_key FROM device_keys")))
    key = new_key()
    second = replace(
        machine,
        private=key[0],
        fingerprint=_rotate(services, machine, key, replace(machine, private=key[0])).fingerprint,
    )
    with pytest.raises(ConflictError, match="is or was"):
        _rotate(services, second, (machine.private, first), machine)
