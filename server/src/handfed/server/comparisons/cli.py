"""`handfed releases compare`, `comparison` and `end-comparison`: two releases on two groups of devices.

With `--json`, `compare` and `end-comparison` print `{"comparison": comparison}`, which has number, task, release_a,
release_b, percent, started_at and ended_at. `comparison` prints `{"comparison": comparison, "evidence": evidence}`;
that has devices_a, devices_b, corrections and accuracy, and these a, b (devices, events, of, rate) and difference
(difference, low, high).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from handfed.server import terminal, wording
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir

if TYPE_CHECKING:
    from handfed.server.comparisons.statistics import Interval, Rate
    from handfed.server.comparisons.values import Figure

Number = Annotated[int, typer.Argument(help="Number of the comparison.", show_default=False)]


def compare(
    context: typer.Context,
    release_a: Annotated[int, typer.Argument(help="What devices of the first group use.", show_default=False)],
    release_b: Annotated[int, typer.Argument(help="And of the second.", show_default=False)],
    percent: Annotated[int, typer.Option(help="How many devices in a hundred are in the second.", min=1, max=99)] = 50,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Have two groups of devices use two releases, until the comparison is ended."""
    from handfed.server.comparisons.service import Comparisons
    from handfed.server.people.principals import at_the_console

    choices = Choices(data_dir, database, as_json).over(context.obj)
    with choices.open_server() as opened:
        found = Comparisons(opened).start(at_the_console(), release_a, release_b, percent)
    if choices.as_json:
        terminal.print_json({"comparison": found})
        return
    terminal.console().print(
        f"Comparison {found.number}: {found.percent} devices in a hundred use release {release_b}, all others"
        f" release {release_a}, but for those that were pinned by hand. See what comes of it with:"
        f" handfed releases comparison {found.number}"
    )


def comparison(
    context: typer.Context,
    number: Number,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show what came of a comparison of two releases."""
    from handfed.server.comparisons.service import Comparisons
    from handfed.server.people.principals import at_the_console

    choices = Choices(data_dir, database, as_json).over(context.obj)
    with choices.open_server() as opened:
        found = Comparisons(opened).outcome(at_the_console(), number)
    if choices.as_json:
        terminal.print_json({"comparison": found.comparison, "evidence": found.evidence})
        return
    what, evidence, console = found.comparison, found.evidence, terminal.console()
    until = "goes on" if what.ended_at is None else f"ended {wording.moment(what.ended_at)}"
    console.print(f"Comparison {number} of {what.task}, begun {wording.moment(what.started_at)}, {until}.")
    a, b = f"Release {what.release_a}", f"Release {what.release_b}"
    table = terminal.table("", a, b, "Difference (95 %)")
    table.add_row("devices", str(evidence.devices_a), str(evidence.devices_b), "")
    table.add_row("corrections a hundred readings", *_cells(evidence.corrections))
    table.add_row("held-out samples read right, in a hundred", *_cells(evidence.accuracy))
    console.print(table)


def end_comparison(
    context: typer.Context,
    number: Number,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """End a comparison: devices follow their channels again, and what came of it is kept."""
    from handfed.server.comparisons.service import Comparisons
    from handfed.server.people.principals import at_the_console

    choices = Choices(data_dir, database, as_json).over(context.obj)
    with choices.open_server() as opened:
        found = Comparisons(opened).end(at_the_console(), number)
    if choices.as_json:
        terminal.print_json({"comparison": found})
    else:
        terminal.console().print(f"Comparison {number} has ended.")


def _cells(figure: Figure) -> tuple[str, str, str]:
    return _rate(figure.a), _rate(figure.b), _interval(figure.difference)


def _rate(rate: Rate | None) -> str:
    if rate is None or rate.rate is None:
        return "too few devices"
    return f"{100 * rate.rate:.2f} of {rate.of:,} on {rate.devices:,} devices"


def _interval(found: Interval | None) -> str:
    if found is None:
        return "-"
    return f"{100 * found.difference:+.2f} ({100 * found.low:+.2f} to {100 * found.high:+.2f})"
