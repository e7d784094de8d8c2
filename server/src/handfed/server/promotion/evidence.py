"""What the record says for and against a release: paired counts, and how devices are with it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import median, quantiles
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from handfed.server.devices.models import DeviceKeyRow, DeviceRow
from handfed.server.promotion.models import PinRow, PromotionRow, ReportRow
from handfed.server.releases.models import Release
from handfed.server.runs.models import DeviceRound
from handfed.shared.disclosure import LEAST_DEVICES
from handfed.shared.promotion.evidence import PairedCounts, evidence
from handfed.shared.promotion.paired_test import Judgement, judge
from handfed.shared.promotion.rules import Health
from handfed.shared.promotion.settings import PromotionSettings
from handfed.shared.registry import bucket_of
from handfed.shared.release_reports import Condition, Report, ReportError

_UNHEALTHY: Final = {
    Condition.FAILED_SELF_TEST: "failed_self_test",
    Condition.UNUSABLE: "failed_self_test",
    Condition.CRASHED: "crashed",
    Condition.SLOW: "slow",
}


# Where the bins of latencies begin, in milliseconds.
LATENCY_EDGES_MS: Final = (0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)


@dataclass(frozen=True)
class Latency:
    """How long a release takes to read a picture, over devices.

    Attributes:
        devices: How many told.
        p10: Tenth percentile, milliseconds.
        median: Fiftieth percentile.
        p90: Ninetieth percentile.
        bins: Devices by latency, in the bins of `LATENCY_EDGES_MS`.
    """

    devices: int
    p10: float
    median: float
    p90: float
    bins: tuple[int, ...]


@dataclass(frozen=True)
class Reported:
    """An enrolled device, and what it said last.

    Attributes:
        fingerprint: Of its key, 64 hex digits.
        report: Its newest report; None before the first.
    """

    fingerprint: str
    report: Report | None


def reported(session: Session) -> dict[int, Reported]:
    """Every enrolled device by number."""
    other = aliased(DeviceKeyRow)
    newest = select(func.max(other.number)).where(other.device == DeviceRow.number).scalar_subquery()
    query = (
        select(DeviceRow.number, DeviceKeyRow.fingerprint, ReportRow.report)
        .select_from(DeviceRow)
        .join(DeviceKeyRow, DeviceKeyRow.number == newest)
        .outerjoin(ReportRow, ReportRow.device == DeviceRow.number)
        .where(DeviceRow.state == "enrolled")
    )
    return {number: Reported(fingerprint, read_report(text)) for number, fingerprint, text in session.execute(query)}


@lru_cache(maxsize=4096)  # the newest of each device, which are read again at every look
def read_report(text: str | None) -> Report | None:
    """A report on record; None where an older server took what this one would refuse."""
    try:
        return Report.decode(text) if text else None
    except ReportError:
        return None


class HeldOut:
    """How much each device holds out, as it said in the run that made a release: before it had seen that.

    That run is over when there is a release, so what it said is read once: a run has a row a round and device, and
    releases are looked at every second.
    """

    def __init__(self) -> None:
        self._known: dict[int, dict[int, int]] = {}  # by release: by node id

    def of(self, session: Session, release: int) -> dict[str, int]:
        """By device's number, as text, how many samples it holds out."""
        if release not in self._known:
            self._known[release] = _held_out(session, release)
        said = self._known[release]
        devices = select(DeviceKeyRow.device, DeviceKeyRow.node_id).where(DeviceKeyRow.node_id.is_not(None))
        found: dict[str, int] = {}
        for device, node in session.execute(devices):
            if node in said:
                found[str(device)] = max(found.get(str(device), 0), said[node])
        return found


def judgement(
    session: Session,
    row: PromotionRow,
    devices: Mapping[int, Reported],
    settings: PromotionSettings,
    held_out: HeldOut,
) -> Judgement:
    """What the devices' comparisons of a release with its champion show."""
    reports = {
        str(number): PairedCounts(each.samples, each.only_candidate, each.only_champion)
        for number, device in devices.items()
        for each in (() if device.report is None else device.report.comparisons)
        if (each.champion, each.candidate) == (row.champion, row.release)
    }
    return judge(evidence(reports, held_out.of(session, row.release), settings), settings)


def health(session: Session, row: PromotionRow, percent: int, devices: Mapping[int, Reported]) -> Health:
    """How the devices are that are to use a release, or have tried it of their own.

    To use it are those of its first per cent, but for who reads another task or is told to use another release. Others
    count that use it, as canaries do, or that found in shadow that they could not.
    """
    task = select(Release.task).where(Release.number == row.release).scalar_subquery()
    pins = session.execute(select(PinRow.device, PinRow.release).where(PinRow.task == task))
    pinned = {pin.device: pin.release for pin in pins}
    of_task = set(session.scalars(select(Release.number).where(Release.task == task)))
    counts = dict.fromkeys(("healthy", *_UNHEALTHY.values()), 0)
    asked = 0
    for number, device in devices.items():
        standings = {} if device.report is None else {each.release: each for each in device.report.standings}
        found = standings.get(row.release)
        kind = None if found is None else _UNHEALTHY.get(found.condition, "healthy" if found.in_use else None)
        used = {release for release, each in standings.items() if each.in_use}
        may_use = pinned.get(number, row.release) == row.release and (not used or bool(used & of_task))
        if kind is not None or (may_use and bucket_of(device.fingerprint, row.salt) < percent):
            asked += 1
        if kind is not None:
            counts[kind] += 1
    return Health(asked=asked, **counts)


def latency(release: int, devices: Mapping[int, Reported]) -> Latency | None:
    """How long a release takes on devices; None where fewer than `LEAST_DEVICES` told."""
    standings = (each for device in devices.values() if device.report is not None for each in device.report.standings)
    told = [each.latency_ms for each in standings if each.release == release and each.latency_ms is not None]
    if len(told) < LEAST_DEVICES:
        return None
    bins = [0] * len(LATENCY_EDGES_MS)
    for each in told:
        bins[bisect_right(LATENCY_EDGES_MS, each) - 1] += 1
    cuts = quantiles(told, n=10, method="inclusive")
    return Latency(len(told), cuts[0], median(told), cuts[-1], tuple(bins))


def _held_out(session: Session, release: int) -> dict[int, int]:
    """By node id, how many samples a device held out in the run that made a release."""
    query = (
        select(DeviceRound.device, func.max(DeviceRound.held_out))
        .where(
            DeviceRound.run_id == select(Release.run_id).where(Release.number == release).scalar_subquery(),
            DeviceRound.held_out.is_not(None),
        )
        .group_by(DeviceRound.device)
    )
    return {device: held_out or 0 for device, held_out in session.execute(query)}
