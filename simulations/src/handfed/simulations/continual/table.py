"""Ways of learning side by side, as columns, and as a table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from handfed.server import wording
from handfed.shared.metrics import Difference
from handfed.simulations.continual.findings import Findings, Learnt

if TYPE_CHECKING:
    from rich.console import Console


def columns(found: Findings) -> dict[str, list[str]]:
    """The comparison as columns by heading, each with a cell a method."""
    retention = [each.retention for each in found.learnt]
    writers = [each.writers() for each in found.learnt]
    table = {
        "method": [each.method for each in found.learnt],
        "average accuracy": [wording.percent(each.average_accuracy) for each in retention],
        "forgetting": [points(each.forgetting) for each in retention],
        "backward transfer": [points(each.backward_transfer) for each in retention],
        "forward transfer": [points(each.forward_transfer) for each in retention],
    }
    if all(each is not None for each in writers):
        known = [each for each in writers if each is not None]
        table["median writer"] = [wording.percent(each["accuracy_median"]) for each in known]
        table["worst tenth of writers"] = [wording.percent(each["accuracy_worst_decile"]) for each in known]
        table["they forgot"] = [points(each["forgetting_worst_decile"]) for each in known]
    table["runs"] = [wording.spans(each.runs) for each in found.learnt]
    return table


def matrix(found: Findings, learnt: Learnt) -> dict[str, list[str]]:
    """A method's accuracy matrix as columns by heading: a row after each step, a column for what each brought."""
    last = len(found.steps) - 1
    table = {"after": [*found.steps, "kept since its step", "against joint"]}
    for step, name in enumerate(found.steps):
        own = [wording.percent(float(value)) for value in learnt.matrix[:, step]]
        kept = _interval(learnt.kept(step)) if step < last else ""
        table[name] = [*own, kept, "" if found.joint is None else _interval(learnt.against(found.joint, step))]
    return table


def points(fraction: float) -> str:
    """A difference of accuracies, in percentage points."""
    return f"{fraction * 100:+.2f}"


def _interval(difference: Difference) -> str:
    return f"{points(difference.difference)} ({points(difference.low)} to {points(difference.high)})"


def show(found: Findings, page: str, console: Console) -> None:
    """Prints the comparison."""
    table = Table(title=f"{len(found.steps)} steps: {', then '.join(found.steps)}", title_justify="left")
    cells = columns(found)
    for heading in cells:
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for row in zip(*cells.values(), strict=True):
        table.add_row(*row)
    int8 = wording.percent(found.accuracy_int8)
    table.caption = f"published: {found.published}, release {found.release}, INT8 {int8}\npage  {page}"
    table.caption_justify = "left"
    console.print(table)
