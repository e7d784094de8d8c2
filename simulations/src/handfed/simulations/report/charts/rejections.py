"""The chart of updates that were not used, by round: of devices that lie, of others, and those that never came."""

from __future__ import annotations

from handfed.simulations.report import drawing
from handfed.simulations.report.charts import Chart, Key, Mark, Role
from handfed.simulations.report.charts.stacks import stacked
from handfed.simulations.report.contents import Report
from handfed.simulations.report.drawing import BAD, FIRST, SOFT
from handfed.simulations.report.findings import unused_by_round


def by_round(report: Report) -> Chart | None:
    """How many updates were not used in each round; None where all were."""
    faults = report.misbehaviour
    liars = {} if faults is None else faults.liars
    told_apart = bool(faults and faults.liars and faults.inspected)
    counts = unused_by_round(report.rounds, liars)
    if not any(each.any() for each in counts):
        return None
    named: tuple[tuple[str, Role, str], ...] = (
        ("of devices that lie", "first", FIRST),
        ("of honest devices" if liars else "refused", "bad", BAD),
        ("never came", "soft", SOFT),
    )
    shown = [(values, *each) for values, each in zip(counts, named, strict=True) if values.any()]
    told = ", ".join(f"{int(values.sum()):,} {text}" for values, text, *_ in shown)
    return Chart(
        "Updates that were not used, by round",
        "Good rules leave out those of devices that lie, and no others." if told_apart else "Why is in the table.",
        drawing.embed(
            stacked(report.rounds, [(values, colour) for values, _, _, colour in shown], unit="updates", whole=True),
            name="rejections",
            title="Updates that were not used, by round",
            description=f"In all rounds: {told}.",
        ),
        tuple(Key(Mark.BLOCK, role, text) for _, text, role, _ in shown),
    )
