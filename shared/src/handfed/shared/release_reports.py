r"""What a device tells its server of releases: which it uses, how it does with them, and how two compare, in counts.

`POST /api/v1/devices/7/report` with `SignedReport` -> 200; needs no token, since the device's key has signed it:

    {"report": "<JSON text of a `Report`>", "signature": "<base64>"}
    {"sequence": 12}        the number of the newest report that the server has heard

What is signed (ECDSA with SHA-384, DER, as of `handfed.shared.enrolment`):

    handfed release report 1\n<number of the device>\n<SHA-256 of the report's text, lower-case hex>\n

Rules:
1. A report says all that holds now, so that the newest takes the place of any before, and one that is lost or comes
   late does no harm. Its sequence number grows; a server passes over one that does not exceed the last.
2. Counts are totals: each held-out sample once for a pair of releases, however often it was read.
3. Readings are told from ten on, rounded down to tens; of these, corrections.
4. Conditions are codes. No text of a person or a machine is in a report, nor a label, writer or file name.
5. A reader passes over fields that it does not know, and refuses a newer format. So these came to format 1, and may be
   absent: `uses`, a standing's `latency_ms`, and `handwriting`, what a device tells of handwriting that no run has had
   (`handfed.shared.handwriting_reports`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, Self

from handfed.shared.disclosure import LEAST_SAMPLES
from handfed.shared.errors import UsageError
from handfed.shared.handwriting_reports import HandwritingReport

PATH: Final = "/api/v1/devices/{device}/report"
FORMAT: Final = 1
MOST_ENTRIES: Final = 100  # of a report: releases that a device has, and pairs that it compared
LARGEST_BYTES: Final = 20_000
MOST_SAMPLES: Final = 10**7  # of a comparison
MOST_LATENCY_MS: Final = 1e6


class ReportError(UsageError):
    """What came is no report."""


class Condition(StrEnum):
    """How a device does with a release."""

    HEALTHY = "healthy"  # it passed its self-test here, and reads
    FAILED_SELF_TEST = "failed-self-test"  # this processor computes something else
    CRASHED = "crashed"  # the process ended twice as it read
    SLOW = "slow"  # readings take longer than the device allows
    UNUSABLE = "unusable"  # this software or this device is too old for it, or has no space


@dataclass(frozen=True)
class Standing:
    """A release on a device.

    Attributes:
        release: Its number.
        condition: How the device does with it.
        in_use: Whether the device reads with it now.
        latency_ms: To read one picture on this device, when it was tried, to two significant digits; None where it is
            not told.
    """

    release: int
    condition: Condition
    in_use: bool
    latency_ms: float | None = None

    def as_json(self) -> dict[str, object]:
        """As it travels; what is not told is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def told_latency(latency_ms: float) -> float | None:
    """A latency as it is told; None where it is no time."""
    rounded = float(f"{latency_ms:.2g}")
    return rounded if 0 < rounded <= MOST_LATENCY_MS else None


@dataclass(frozen=True)
class Comparison:
    """Two releases on the same held-out samples of a device.

    Attributes:
        champion: Number of the release in use.
        candidate: Of the one on trial.
        samples: How many were read by both.
        only_candidate: Of these, how many only the candidate read right.
        only_champion: And only the champion.
    """

    champion: int
    candidate: int
    samples: int
    only_candidate: int
    only_champion: int


@dataclass(frozen=True)
class Use:
    """What people made of a release's readings on a device.

    Attributes:
        release: Its number.
        readings: How many people were shown, in all, rounded down to tens.
        corrections: Of these, how many a person corrected.
    """

    release: int
    readings: int
    corrections: int

    @classmethod
    def told(cls, release: int, readings: int, corrections: int) -> Self:
        """As it may be told, of what was counted."""
        rounded = min(readings, MOST_SAMPLES) // LEAST_SAMPLES * LEAST_SAMPLES
        return cls(release, rounded, min(corrections, rounded))


@dataclass(frozen=True)
class Report:
    """All that a device has to say of releases.

    Attributes:
        sequence: Greater than that of any report before.
        standings: Of the releases that it has or had, by number.
        comparisons: Of pairs of them.
        handwriting: Of what came since it was last trained on; None where nothing is told.
        uses: Of releases whose readings people saw.
    """

    sequence: int
    standings: tuple[Standing, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    handwriting: HandwritingReport | None = None
    uses: tuple[Use, ...] = ()

    def encode(self) -> str:
        """The text that is signed."""
        said: dict[str, object] = {
            "format": FORMAT,
            "sequence": self.sequence,
            "standings": [each.as_json() for each in self.standings],
            "comparisons": [asdict(each) for each in self.comparisons],
        }
        if self.handwriting is not None:
            said["handwriting"] = self.handwriting.to_json()
        if self.uses:
            said["uses"] = [asdict(each) for each in self.uses]
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Self:
        """Reads a report.

        Raises:
            ReportError: It is none, or of a newer format.
        """
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ReportError("a report is a JSON object; this is none") from error
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise ReportError(f"a report of format {FORMAT} is read here; update the older of device and server")
        sequence = _count(value, "sequence", least=1, most=2**53)
        standings = tuple(_standing(each) for each in _list(value, "standings"))
        comparisons = tuple(_comparison(each) for each in _list(value, "comparisons"))
        uses = tuple(_use(each) for each in (_list(value, "uses") if "uses" in value else ()))
        return cls(sequence, standings, comparisons, _handwriting(value.get("handwriting")), uses)


@dataclass(frozen=True)
class SignedReport:
    """A report as it is sent.

    Attributes:
        report: Its text.
        signature: Of `statement`, base64.
    """

    report: str
    signature: str

    def as_json(self) -> dict[str, str]:
        """The JSON object."""
        return asdict(self)


def statement(device: int, report: str) -> bytes:
    """The bytes that a device signs.

    Args:
        device: Its number.
        report: The report's text.
    """
    digest = hashlib.sha256(report.encode()).hexdigest()
    return f"handfed release report 1\n{device}\n{digest}\n".encode("ascii")


def _standing(value: object) -> Standing:
    found = _object(value)
    condition, in_use = found.get("condition"), found.get("in_use")
    if not isinstance(condition, str) or condition not in set(Condition) or type(in_use) is not bool:
        raise ReportError("a report's standing needs a condition that is known here, and whether it is in use")
    latency_ms = found.get("latency_ms")
    if latency_ms is not None and (type(latency_ms) not in {int, float} or not 0 < latency_ms <= MOST_LATENCY_MS):
        raise ReportError("a report's latency is a number of milliseconds above 0")
    return Standing(_count(found, "release", least=1), Condition(condition), in_use, latency_ms)


def _comparison(value: object) -> Comparison:
    found = _object(value)
    champion, candidate = (_count(found, name, least=1) for name in ("champion", "candidate"))
    samples = _count(found, "samples", most=MOST_SAMPLES)
    only_candidate = _count(found, "only_candidate", most=samples)
    only_champion = _count(found, "only_champion", most=samples - only_candidate)
    return Comparison(champion, candidate, samples, only_candidate, only_champion)


def _use(value: object) -> Use:
    found = _object(value)
    readings = _count(found, "readings", most=MOST_SAMPLES)
    if readings % LEAST_SAMPLES:
        raise ReportError("a report's readings are whole tens")
    return Use(_count(found, "release", least=1), readings, _count(found, "corrections", most=readings))


def _handwriting(value: object) -> HandwritingReport | None:
    try:
        return None if value is None else HandwritingReport.from_json(value)
    except ValueError as error:
        raise ReportError(f"what a report tells of handwriting cannot be: {error}") from error


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ReportError("a report's standings and comparisons are JSON objects")
    return value


def _list(value: Mapping[str, Any], name: str) -> list[object]:
    found = value.get(name)
    if not isinstance(found, list) or len(found) > MOST_ENTRIES:
        raise ReportError(f"a report's {name} are a list of {MOST_ENTRIES} at most")
    return found


def _count(value: Mapping[str, Any], name: str, *, least: int = 0, most: int = 2**31 - 1) -> int:
    found = value.get(name)
    if type(found) is not int or not least <= found <= most:
        raise ReportError(f"a report's {name} is a whole number from {least} to {most}")
    return found
