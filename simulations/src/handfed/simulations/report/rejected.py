"""Updates that were not used: why, of whom, and what became of the faults of a scenario, in tables and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from markupsafe import Markup

from handfed.server import wording
from handfed.shared.wire import Reason
from handfed.simulations.faults import Lie
from handfed.simulations.report.contents import Misbehaviour, Report
from handfed.simulations.report.findings import Fate, fates, without_update
from handfed.simulations.report.tables import MOST_ROWS, Table

_LIES: Final[Mapping[Lie, str]] = {
    "nan": "sending what is not finite",
    "scaled": "sending updates ten times as far",
    "sign_flipped": "sending updates backwards",
    "label_flipped": "training on labels one class further",
    "stale": "sending updates of old arrays",
}
_KINDS: Final[Mapping[Lie | None, str]] = {
    "nan": "not finite",
    "scaled": "ten times as far",
    "sign_flipped": "backwards",
    "label_flipped": "wrong labels",
    "stale": "old arrays",
    None: "honest",
}
_MEANINGS: Final[Mapping[str, str]] = {
    Reason.ERROR: "the device failed",
    Reason.SILENT: "nothing came before the deadline",
    Reason.VERSION: "of another version of the protocol",
    Reason.CONTENT: "cannot be read, or was not asked for",
    Reason.NAMES: "other arrays than the model's",
    Reason.SHAPE: "arrays of another shape",
    Reason.DTYPE: "arrays of another type",
    Reason.NOT_FINITE: "holds what is no number",
    Reason.RANGE: "a range that no activation has",
    Reason.MOMENTS: "moments that no data have",
    Reason.COUNT: "claims more samples than the device has",
    Reason.LENGTH: "far longer than the others of its round",
    Reason.START: "trained from the arrays of another round",
    Reason.DIRECTION: "points away from the others of its round",
}


def words(report: Report) -> tuple[str, ...]:
    """What goes wrong on purpose, and what was caught of it."""
    found = report.misbehaviour
    if found is None:
        some = any(each.rejections for each in report.rounds)
        return () if some else ("None: every update that devices returned was used.",)
    on_purpose = _on_purpose(found, len(report.label_counts))
    return (on_purpose, _caught(report, found)) if report.rounds else (on_purpose,)


def of_kinds(report: Report) -> Table | None:
    """What became of the updates of each kind of device; None where nobody lies or saw whose were used."""
    found = report.misbehaviour
    if found is None or not found.inspected:
        return None
    rows = [
        (
            f"{fate.devices:,} {_KINDS[fate.kind]}",
            f"{fate.used:,}",
            f"{fate.rejected:,}",
            _counted(fate.unused),
        )
        for fate in fates(report.rounds, found.liars, len(report.label_counts))
    ]
    absent = without_update(report.rounds)
    if absent:
        rows.append(("sent none", wording.percent(None), f"{sum(absent.values()):,}", _counted(absent)))
    columns = ("Devices", "Used", "Not used", "Why not")
    return Table("What became of updates", columns, frozenset(columns[1:3]), tuple(rows))


def by_reason(report: Report) -> Table | None:
    """How many updates were not used for each reason; None where all were used."""
    reasons = Counter(rejection.reason for each in report.rounds for rejection in each.rejections)
    if not reasons:
        return None
    return Table(
        "Rejected updates by reason",
        ("Reason", "Meaning", "Updates"),
        frozenset({"Updates"}),
        tuple(
            (_whole(reason), _MEANINGS.get(reason, wording.percent(None)), f"{count:,}")
            for reason, count in _often_first(reasons)
        ),
    )


def one_by_one(report: Report) -> Table | None:
    """Every update that was not used; None where all were used."""
    rows = tuple(
        (f"{each.number}", f"{rejection.device}", rejection.reason, rejection.detail)
        for each in report.rounds
        for rejection in each.rejections
    )
    if not rows:
        return None
    note = f"The first {MOST_ROWS} of {len(rows):,}." if len(rows) > MOST_ROWS else ""
    columns = ("Round", "Device", "Reason", "Detail")
    return Table("Every rejected update", columns, frozenset(), rows[:MOST_ROWS], note)


def _whole(reason: str) -> Markup:
    """A reason's code, kept on one line."""
    return Markup('<span class="whole">{}</span>').format(reason)


def _on_purpose(found: Misbehaviour, devices: int) -> str:
    """Who lies, and how many answers are lost."""
    text = "On purpose, every device is honest"
    if found.liars:
        of_kind = Counter(found.liars.values())
        kinds = ", ".join(f"{of_kind[lie]:,} by {what}" for lie, what in _LIES.items() if of_kind[lie])
        verb = "lies" if len(found.liars) == 1 else "lie"
        text = f"On purpose, {len(found.liars):,} of {devices:,} devices {verb} in every round: {kinds}"
    faults = found.faults
    lost = [f"{faults.dropouts:.0%} are never given"] if faults.dropouts else []
    lost += [f"{faults.stragglers:.0%} come too late"] if faults.stragglers else []
    return f"{text}. Of a round's answers, {' and '.join(lost)}." if lost else f"{text}."


def _caught(report: Report, found: Misbehaviour) -> str:
    """How well the rules told liars from honest devices."""
    if not found.inspected:
        return (
            "The server saw no single update, only their sum (visibility secure). So no rule could look at what one"
            " device sent, and whose updates were used is not on record. A round whose sum is not finite changes"
            " nothing."
        )
    *lying, honest = fates(report.rounds, found.liars, len(report.label_counts))
    wrongly = f"Of {_updates(honest)} of honest devices, {_none(honest.rejected)} left out, wrongly."
    if not honest.rejected:
        wrongly = f"All {_updates(honest)} of honest devices were used."
    if not lying:
        return wrongly
    rejected, sent = sum(fate.rejected for fate in lying), sum(fate.rejected + fate.used for fate in lying)
    return f"Of {sent:,} updates of devices that lie, {_none(rejected)} left out. {wrongly}"


def _updates(fate: Fate) -> str:
    return f"{fate.rejected + fate.used:,} updates"


def _none(count: int) -> str:
    """A number of updates with its verb."""
    return {0: "none was", 1: "1 was"}.get(count, f"{count:,} were")


def _counted(reasons: Mapping[str, int]) -> str:
    """Reasons, each with its count where there are several."""
    if len(reasons) == 1:
        return next(iter(reasons))
    return ", ".join(f"{reason} {count:,}" for reason, count in _often_first(reasons)) or wording.percent(None)


def _often_first(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most frequent reason first; of equals in the order of the alphabet."""
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
