"""The part of the example that is of learning on: reports of devices, the policy, drift, and comparisons.

Reports are drawn, as nobody holds the keys of devices that never were; everything else is made by the services.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete

from handfed.server.api.services import Services
from handfed.server.comparisons.service import Comparisons
from handfed.server.learning.service import Policies
from handfed.server.people.principals import Principal
from handfed.server.promotion.models import ReportRow
from handfed.shared.handwriting_reports import CONFIDENCE, INK, SLANT, STROKE_WIDTH, Figure, HandwritingReport
from handfed.shared.registry import bucket_of
from handfed.shared.release_reports import Comparison, Condition, Report, Standing, Use

_BO: Final = Principal("Bo, operator", "operator")
_FIRST: Final = 1  # the releases that were compared, and those that are
_CHAMPION: Final = 3
_TRIAL: Final = 4
_TRIAL_PERCENT: Final = 25
_HELD_OUT: Final = 80
_SALT: Final = "5" * 32
# Mean and deviation between writers of what runs had, and by how many deviations recent writers differ.
_FIGURES: Final = {
    INK: (0.131, 0.021, -0.1),
    STROKE_WIDTH: (2.4, 0.31, 0.25),
    SLANT: (-0.235, 0.139, 1.4),
    CONFIDENCE: (4.1, 0.9, -0.5),
}
# Of readings that people saw, how many they corrected, and how much of what is held out is read, by release.
_CORRECTED: Final = {_FIRST: 0.064, _CHAMPION: 0.043, _TRIAL: 0.036}
_READ: Final = {_FIRST: 0.912, _CHAMPION: 0.946, _TRIAL: 0.953}


@dataclass(frozen=True)
class _Side:
    """What devices of a comparison do.

    Attributes:
        releases: Of the first group and of the second.
        seen: Readings that people have seen on each.
    """

    releases: tuple[int, int]
    seen: int

    def of(self, device: int) -> int:
        """The release that a device uses, drawn as `handfed.server.comparisons.groups` draws it."""
        return self.releases[bucket_of(str(device), _SALT) < 50]  # noqa: PLR2004 - half of them


def learn(services: Services, devices: int, now: datetime) -> None:
    """Has devices report, an operator set the policy and compare releases, and the server look.

    Args:
        services: Over a database that has devices, runs and releases.
        devices: How many there are.
        now: The moment at which the record is looked at.
    """
    for releases, began, ended in (
        ((_FIRST, _CHAMPION), timedelta(days=20), timedelta(days=13)),
        ((_CHAMPION, _TRIAL), timedelta(days=2), None),
    ):
        comparisons = Comparisons(services.database, lambda: now - began, lambda: _SALT)  # noqa: B023 - used at once
        _report(services, devices, _Side(releases, 100), now - began)
        number = comparisons.start(_BO, *releases).number
        _report(services, devices, _Side(releases, 800), now - timedelta(hours=1))
        if ended is not None:
            Comparisons(services.database, lambda: now - ended).end(_BO, number)  # noqa: B023
    policies = Policies(services.database, lambda: now)
    policies.change(_BO, "digits", {"least_samples": 800, "every_days": 14})
    policies.enable(_BO, "digits", enabled=True)
    policies.look()


def _report(services: Services, devices: int, side: _Side, at: datetime) -> None:
    drawn = random.Random(side.seen)  # noqa: S311 - figures of an example
    with services.database.write() as session:
        session.execute(delete(ReportRow))
        session.add_all(_row(number, side, at, drawn) for number in range(1, devices + 1))


def _row(number: int, side: _Side, at: datetime, drawn: random.Random) -> ReportRow:
    used = side.of(number)
    tries = used != _TRIAL and side.releases[1] == _TRIAL and bucket_of(f"{number:064x}", _SALT) < _TRIAL_PERCENT
    took = float(f"{drawn.lognormvariate(-1.6, 0.8):.2g}")
    standings = [Standing(used, Condition.HEALTHY, True, took)]  # noqa: FBT003 - its fields
    if tries:
        standings.append(Standing(_TRIAL, Condition.HEALTHY, False, took))  # noqa: FBT003
    only_candidate, only_champion = drawn.randint(0, 3), drawn.randint(0, 2)
    compared = Comparison(_CHAMPION, _TRIAL, _HELD_OUT, only_candidate, only_champion)
    corrected = min(drawn.gauss(_CORRECTED[used], 0.01), 1.0)
    uses = (Use.told(used, side.seen, round(side.seen * max(corrected, 0.0))),)
    told = _handwriting(number, used, drawn)
    report = Report(number * 10_000 + side.seen, tuple(standings), (compared,), told, uses)
    return ReportRow.of(number, report, report.encode(), at)


def _handwriting(number: int, used: int, drawn: random.Random) -> HandwritingReport | None:
    """What a device tells of its handwriting; one in eight tells nothing."""
    if number % 8 == 0:
        return None
    fresh = 10 * drawn.randint(2, 14)
    known, recent = {}, {}
    for name, (mean, deviation, shift) in _FIGURES.items():
        own = mean + deviation * drawn.gauss(0, 0.3)
        known[name] = Figure(20, round(own, 4), deviation)
        recent[name] = Figure(10, round(own + deviation * (shift + drawn.gauss(0, 0.3)), 4), deviation)
    right = round(_HELD_OUT * min(max(drawn.gauss(_READ[used], 0.02), 0.0), 1.0))
    waiting = min(fresh, 10 * drawn.randint(0, 5))
    return HandwritingReport(used, fresh, known, recent, _HELD_OUT, right, waiting, 10 * drawn.randint(2, 30))
