"""Everything that the routes call, in one value."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from handfed.server.api.idempotency import Idempotency
from handfed.server.attention.expiries import Expiries
from handfed.server.attention.service import AttentionReading
from handfed.server.audit.service import AuditLog
from handfed.server.clock import Clock, now
from handfed.server.comparisons.service import Comparisons
from handfed.server.credentials import RandomBytes
from handfed.server.database import Database
from handfed.server.devices.attempts import PER_MINUTE, Attempts
from handfed.server.devices.codes import fingerprint, read_authority
from handfed.server.devices.enrolment import Enrolment
from handfed.server.devices.history import DeviceHistory
from handfed.server.devices.invitations import Invitations
from handfed.server.devices.registry import KeyRegistry, Registrar
from handfed.server.devices.service import Devices
from handfed.server.learning.service import Policies
from handfed.server.learning.waiting import WaitingReading
from handfed.server.overview.service import OverviewReading
from handfed.server.people.organisations import Organisations
from handfed.server.people.sessions import Sessions
from handfed.server.people.tokens import Tokens
from handfed.server.privacy.leaving import LeavingReading
from handfed.server.promotion.pins import Pins
from handfed.server.promotion.reports import PER_MINUTE as REPORTS_PER_MINUTE
from handfed.server.promotion.reports import Reports
from handfed.server.promotion.service import Promotions
from handfed.server.releases.reading import ReleaseReading
from handfed.server.runs.control import RunControl
from handfed.server.runs.live import LiveExchange
from handfed.server.runs.participants import Participants
from handfed.server.runs.reading import RunReading
from handfed.shared.errors import StorageError
from handfed.shared.promotion.settings import PromotionSettings


@dataclass(frozen=True)
class Services:
    """The services of a server."""

    database: Database
    organisations: Organisations
    tokens: Tokens
    sessions: Sessions
    audit: AuditLog
    invitations: Invitations
    enrolment: Enrolment
    devices: Devices
    history: DeviceHistory
    registrar: Registrar
    runs: RunReading
    run_control: RunControl
    policies: Policies
    waiting: WaitingReading
    comparisons: Comparisons
    participants: Participants
    releases: ReleaseReading
    attention: AttentionReading
    overview: OverviewReading
    leaving: LeavingReading
    promotions: Promotions
    pins: Pins
    reports: Reports
    idempotency: Idempotency

    @classmethod
    def over(
        cls,
        database: Database,
        registry: KeyRegistry | None = None,
        *,
        authority: Path | None = None,
        attempts_per_minute: int = PER_MINUTE,
        promotion: PromotionSettings | None = None,
        live: LiveExchange | None = None,
        expiries: Expiries | None = None,
        clock: Clock = now,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> Self:
        """The services over a database.

        Args:
            database: Where everything is kept; whoever opened it closes it.
            registry: What lets keys in; None in a process that only writes what is wanted.
            authority: The certificate of the federation's CA; None in a process that lets no device in.
            attempts_per_minute: How often an address may try to enrol, and how often to log in.
            promotion: What promotion is measured by.
            live: What devices do now; None in a process that sees no messages.
            expiries: What ends, and when; None in a process that looks at none.
            clock: Tells the time.
            random_bytes: Makes secrets.
        """
        registrar = Registrar(database, registry)
        devices = Devices(database, registrar, clock)
        tokens = Tokens(database, clock, random_bytes)
        attention = AttentionReading(expiries)
        return cls(
            database=database,
            organisations=Organisations(database, clock),
            tokens=tokens,
            sessions=Sessions(database, tokens, Attempts(attempts_per_minute), clock, random_bytes),
            audit=AuditLog(database),
            invitations=Invitations(database, clock, random_bytes),
            enrolment=Enrolment(
                database, registrar, Attempts(attempts_per_minute), lambda: _fingerprint(authority), clock
            ),
            devices=devices,
            history=DeviceHistory(database, devices),
            registrar=registrar,
            runs=RunReading(database),
            run_control=RunControl(database, clock),
            policies=Policies(database, clock),
            waiting=WaitingReading(database),
            comparisons=Comparisons(database, clock),
            participants=Participants(database, live),
            releases=ReleaseReading(database),
            attention=attention,
            overview=OverviewReading(database, clock, attention),
            leaving=LeavingReading(database),
            promotions=Promotions(database, promotion, clock),
            pins=Pins(database, clock),
            reports=Reports(database, Attempts(REPORTS_PER_MINUTE), clock),
            idempotency=Idempotency(database, clock),
        )


def _fingerprint(authority: Path | None) -> bytes:
    if authority is None:
        raise StorageError("this process knows no certificate of the federation's CA, and so lets no device in")
    return fingerprint(read_authority(authority))
