"""`handfed runs`: which federated runs were made, and how each went.

`handfed runs --json` prints `{"runs": [run, ...]}`, newest first.
`handfed runs show N --json` prints an object of:

    run          id, status (running, done, failed, stopped), task, recogniser, strategy, seed, settings
                 (object), devices, engine, rounds (how many are recorded), started_at, ended_at, error,
                 summary (object: closing figures such as accuracy_float, accuracy_int8, wall_s,
                 weights_sha256)
    rounds       a list: number, phase (float, qat), started_at, seconds, train_seconds (summed over devices),
                 participants, accepted, examples, loss, accuracy (of texts, 1 less the character error rate),
                 evaluated (held-out samples), bytes_down, bytes_up, held_out_loss, ended (why the phase ended
                 before its time), writer_bins (held-out writers by accuracy: how many from 0, 0.1, 0.2, 0.3,
                 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.875, 0.9, 0.925, 0.95, 0.97, 0.98 and 0.99 on,
                 and at 1), class_counts (a list of [class, samples, right ones], by place in the alphabet)
    writers      a list, one for each round that told enough of writers: round, count, p10, median, p90,
                 worst_decile, gini, each to the width of a bin
    rejections   a list of replies that were not used: round, device, reason (a code), detail
    devices      a list, one for each device and round: round, device, examples, loss, seconds, bytes_up,
                 held_out, correct, held_out_loss, characters, edits

Rates are fractions from 0 to 1, times are ISO 8601 in UTC, what is unknown is null. A device is a number up
to 2**64 - 1: read it with a parser that keeps whole numbers exact.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from handfed.server import terminal, wording
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from handfed.server.runs.schemas import RecordedRejection, RecordedRound, RecordedRun

BAR_WIDTH = 16
_MOST_CLASSES = 5

commands = typer.Typer(help="The record of federated runs.", invoke_without_command=True)


@commands.callback()
def list_runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="How many runs to list, newest first.", min=1)] = 20,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Lists the recorded runs; `show` tells more about one."""
    context.obj = Choices(data_dir, database, as_json)
    if context.invoked_subcommand is None:
        _list(context.obj, limit)


@commands.command()
def show(
    context: typer.Context,
    run: Annotated[int, typer.Argument(help="Number of the run.", show_default=False)],
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show a run: its settings, its rounds, the updates that were rejected, and its closing figures."""
    from handfed.server.runs.schemas import UnknownRunError
    from handfed.server.runs.service import RunRecord

    choices = Choices(data_dir, database, as_json).over(context.obj)
    opened = choices.open()
    if opened is None:
        raise UnknownRunError(run, ())
    with opened:
        record = RunRecord(opened)
        found, rounds, rejections = record.get(run), record.rounds(run), record.rejections(run)
        devices = record.device_rounds(run) if choices.as_json else ()
    if choices.as_json:
        writers = [{"round": row.number, **row.writers.as_json()} for row in rounds if row.writers]
        document = {"run": found, "rounds": rounds, "writers": writers, "rejections": rejections, "devices": devices}
        terminal.print_json(document)
    else:
        _show(found, rounds, rejections)


def _list(choices: Choices, limit: int) -> None:
    from handfed.server.runs.service import RunRecord

    runs: tuple[RecordedRun, ...] = ()
    opened = choices.open()
    if opened is not None:
        with opened:
            runs = RunRecord(opened).list(limit)
    if choices.as_json:
        terminal.print_json({"runs": runs})
    elif runs:
        terminal.console().print(_run_table(runs))
    else:
        terminal.console().print("No run is recorded yet: `handfed simulate` makes one.")


def _run_table(runs: Sequence[RecordedRun]) -> Table:
    columns = ("Run", "Status", "Started", "Task", "Recogniser", "Strategy", "Rounds", "Accuracy")
    table = terminal.table(*columns, right=("Run", "Rounds", "Accuracy"), whole=("Status", "Started"))
    for run in runs:
        table.add_row(
            str(run.id),
            run.status,
            wording.moment(run.started_at),
            run.task,
            run.recogniser,
            run.strategy,
            str(run.rounds),
            wording.percent(_accuracy(run)),
        )
    return table


def _accuracy(run: RecordedRun) -> float | None:
    """The accuracy of what the run published, or else of what it trained."""
    summary = run.summary or {}
    figures = [summary.get(name) for name in ("accuracy_int8", "accuracy_float")]
    return next((float(figure) for figure in figures if isinstance(figure, (int, float))), None)


def _show(run: RecordedRun, rounds: Sequence[RecordedRound], rejections: Sequence[RecordedRejection]) -> None:
    console = terminal.console()
    sections: list[tuple[str, Table | list[tuple[str, str]]]] = [(f"Run {run.id}: {run.status}", _facts(run))]
    if run.settings:
        sections.append(("\nSettings", list(wording.entries(run.settings))))
    if rounds:
        sections.append(("\nRounds", _round_table(rounds, ascii_only=console.options.ascii_only)))
    ends = [(f"round {row.number}", row.ended) for row in rounds if row.ended]
    if ends:
        sections.append(("\nEnded before its time", ends))
    told = [row for row in rounds if row.writers]
    if told:
        sections.append((f"\nHeld-out writers, round {told[-1].number}", _writer_facts(told[-1])))
    classes = [row for row in rounds if row.class_counts]
    if classes:
        heading = f"\nWorst classes on held-out handwriting, round {classes[-1].number}"
        sections.append((heading, _class_facts(classes[-1], run.settings.get("alphabet"))))
    if rejections:
        sections.append(("\nRejected updates", _rejection_table(rejections)))
    if run.summary:
        sections.append(("\nClosing figures", list(wording.entries(run.summary))))
    for heading, body in sections:
        terminal.print_section(console, heading, body)
    if run.error:
        console.print(f"\nIt failed: {run.error}", style="red")


def _facts(run: RecordedRun) -> list[tuple[str, str]]:
    return [
        ("task", run.task),
        ("recogniser", run.recogniser),
        ("strategy", run.strategy),
        ("seed", str(run.seed)),
        ("devices", str(run.devices)),
        ("engine", run.engine),
        ("started", wording.moment(run.started_at)),
        ("ended", wording.moment(run.ended_at)),
    ]


def _round_table(rounds: Sequence[RecordedRound], *, ascii_only: bool) -> Table:
    figures = ("Round", "Used", "Loss", "Accuracy", "Seconds", "Traffic")
    table = terminal.table("Round", "Phase", "Used", "Loss", "Accuracy", "", "Seconds", "Traffic", right=figures)
    for row in rounds:
        table.add_row(
            str(row.number),
            row.phase,
            f"{row.accepted}/{row.participants}",
            wording.decimals(row.loss, 4),
            wording.percent(row.accuracy),
            wording.bar(row.accuracy, BAR_WIDTH, ascii_only=ascii_only),
            wording.decimals(row.seconds, 1),
            wording.megabytes(row.bytes_down + row.bytes_up),
        )
    return table


def _writer_facts(row: RecordedRound) -> list[tuple[str, str]]:
    found = row.writers
    if found is None:
        return []
    return [
        ("writers", str(found.count)),
        ("p10", wording.percent(found.p10)),
        ("median", wording.percent(found.median)),
        ("p90", wording.percent(found.p90)),
        ("worst decile", wording.percent(found.worst_decile)),
    ]


def _class_facts(row: RecordedRound, alphabet: str | None) -> list[tuple[str, str]]:
    """The worst classes, by name where the run's settings tell its alphabet, a JSON list."""
    names = dict(enumerate(json.loads(alphabet))) if alphabet else {}
    worst = sorted(row.class_counts, key=lambda one: one.correct / one.samples)[:_MOST_CLASSES]
    return [
        (names.get(one.label, f"class {one.label}"), f"{wording.percent(one.correct / one.samples)} of {one.samples:,}")
        for one in worst
    ]


def _rejection_table(rejections: Sequence[RecordedRejection]) -> Table:
    table = terminal.table("Round", "Device", "Reason", "Detail", right=("Round", "Device"), whole=("Reason",))
    for reply in rejections:
        table.add_row(str(reply.round), str(reply.device), reply.reason, reply.detail)
    return table
