"""Everything that the routes call, in one value."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from handfed.server.api.idempotency import Idempotency
from handfed.server.audit.service import AuditLog
from handfed.server.clock import Clock, now
from handfed.server.credentials import RandomBytes
from handfed.server.database import Database
from handfed.server.devices.attempts import PER_MINUTE, Attempts
from handfed.server.devices.codes import fingerprint, read_authority
from handfed.server.devices.enrolment import Enrolment
from handfed.server.devices.invitations import Invitations
from handfed.server.devices.registry import KeyRegistry, Registrar
from handfed.server.devices.service import Devices
from handfed.server.people.organisations import Organisations
from handfed.server.people.tokens import Tokens
from handfed.server.runs.control import RunControl
from handfed.server.runs.reading import RunReading
from handfed.shared.errors import StorageError


@dataclass(frozen=True)
class Services:
    """The services of a server."""

    database: Database
    organisations: Organisations
    tokens: Tokens
    audit: AuditLog
    invitations: Invitations
    enrolment: Enrolment
    devices: Devices
    registrar: Registrar
    runs: RunReading
    run_control: RunControl
    idempotency: Idempotency

    @classmethod
    def over(
        cls,
        database: Database,
        registry: KeyRegistry | None = None,
        *,
        authority: Path | None = None,
        attempts_per_minute: int = PER_MINUTE,
        clock: Clock = now,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> Self:
        """The services over a database.

        Args:
            database: Where everything is kept; whoever opened it closes it.
            registry: What lets keys in; None in a process that only writes what is wanted.
            authority: The certificate of the federation's CA; None in a process that lets no device in.
            attempts_per_minute: How often an address may try to enrol.
            clock: Tells the time.
            random_bytes: Makes secrets.
        """
        registrar = Registrar(database, registry)
        return cls(
            database=database,
            organisations=Organisations(database, clock),
            tokens=Tokens(database, clock, random_bytes),
            audit=AuditLog(database),
            invitations=Invitations(database, clock, random_bytes),
            enrolment=Enrolment(
                database, registrar, Attempts(attempts_per_minute), lambda: _fingerprint(authority), clock
            ),
            devices=Devices(database, registrar, clock),
            registrar=registrar,
            runs=RunReading(database),
            run_control=RunControl(database, clock),
            idempotency=Idempotency(database, clock),
        )


def _fingerprint(authority: Path | None) -> bytes:
    if authority is None:
        raise StorageError("this process knows no certificate of the federation's CA, and so lets no device in")
    return fingerprint(read_authority(authority))
