"""Takes what devices report of releases, where their key has signed it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import select

from handfed.server.base import is_possible
from handfed.server.clock import Clock, now
from handfed.server.database import Database
from handfed.server.devices.attempts import Attempts
from handfed.server.devices.keys import PublicKey
from handfed.server.devices.models import DeviceRow
from handfed.server.devices.service import keys_of
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.people.principals import Principal
from handfed.server.promotion.evidence import read_report
from handfed.server.promotion.models import ReportRow
from handfed.server.promotion.values import DeviceReport, UsedRelease
from handfed.shared.errors import AccessError
from handfed.shared.release_reports import Report, statement

PER_MINUTE: Final = 30  # reports that one address may send: a school's devices share one


class ReportRefusedError(AccessError):
    """A report is not of an enrolled device."""


class Reports:
    """The newest report of each device.

    Args:
        database: Where they are.
        attempts: How often an address may send one.
        clock: Tells the time.
    """

    def __init__(self, database: Database, attempts: Attempts, clock: Clock = now) -> None:
        self._database, self._attempts, self._clock = database, attempts, clock

    def list(self, principal: Principal, request: PageRequest = FIRST) -> Page[DeviceReport]:
        """The newest reports of devices within the principal's scope, in order of the device's number.

        Raises:
            StorageError: The database cannot be read.
        """
        columns = (ReportRow.device, ReportRow.received_at, ReportRow.report)
        query = select(*columns).join(DeviceRow, DeviceRow.number == ReportRow.device)
        with self._database.read() as session:
            scoped = principal.within(query, DeviceRow.organisation)
            return page_of(session, scoped, ReportRow.device, request, lambda row: _report(*row[:3]))

    def take(self, number: int, text: str, signature: bytes, address: str) -> int:
        """Takes a report; one that is not newer than the last is passed over.

        Args:
            number: Of the device.
            text: The report.
            signature: Of `statement`, by the device's key.
            address: Where it comes from.

        Returns:
            The number of the newest report of the device.

        Raises:
            ReportError: It is no report.
            ReportRefusedError: There is no such device, it is revoked, or its key has not signed this.
            StorageError: The database cannot be read or written.
            TooManyAttemptsError: The address sends too many.
        """
        self._attempts.count(address)
        with self._database.write() as session:
            device = session.get(DeviceRow, number, with_for_update=True) if is_possible(number) else None
            keys = keys_of(session, number) if device is not None and device.state == "enrolled" else []
            if not keys or not _has_signed(keys[0].public_key, keys[0].fingerprint, number, text, signature):
                raise ReportRefusedError(
                    "the report is not taken: it takes an enrolled device, and its key's signature"
                )
            report = Report.decode(text)
            row = session.get(ReportRow, number)
            if row is not None and report.sequence <= row.sequence:
                return row.sequence
            session.merge(ReportRow.of(number, report, text, self._clock()))
            return report.sequence


def _report(device: int, received_at: datetime, text: str) -> DeviceReport:
    said = read_report(text)
    standings = () if said is None else said.standings
    used = tuple(UsedRelease(each.release, each.condition, each.in_use) for each in standings)
    return DeviceReport(device, received_at, used)


def _has_signed(pem: str, fingerprint: str, number: int, text: str, signature: bytes) -> bool:
    return PublicKey(pem, fingerprint).has_signed(statement(number, text), signature)
