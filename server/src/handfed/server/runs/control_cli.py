"""`handfed runs start|stop|resume|follow`: the runs of a federation.

They work on the database of the server on this machine, as whoever runs them; the audit log names their account. The
server takes up what is asked for within a second.

`handfed runs start --json` prints `{"run": run}` as `handfed runs show` does; `stop` and `resume` print nothing.
`handfed runs follow` returns when the run has ended: exit status 0 where it is done, 1 where it is not.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from handfed.server import terminal, wording
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir

if TYPE_CHECKING:
    from handfed.server.runs.schemas import RecordedRound

_LOOK_S: Final = 0.5
RunNumber = Annotated[int, typer.Argument(help="Number of the run.", show_default=False)]


def start(
    *,
    task: Annotated[
        str, typer.Option(help="What is recognised: digits, characters, words or lines, or a file.")
    ] = "digits",
    alphabet: Annotated[
        str | None,
        typer.Option(help="Its classes: digits, letters, alphanumeric, or a file. [the task's]", show_default=False),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A setting of training as NAME=VALUE, named as by handfed simulate; may be repeated.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Start a run of the federation; one goes on at a time, and others wait."""
    from handfed.server.people.principals import at_the_console
    from handfed.server.runs.control import RunControl
    from handfed.shared import alphabets

    with Choices(data_dir, database, as_json).open_server() as opened:
        classes = None if alphabet is None else alphabets.find(alphabet)
        run = RunControl(opened).start(at_the_console(), task, terminal.assignments(setting or []), alphabet=classes)
    if as_json:
        terminal.print_json({"run": run})
    else:
        terminal.console().print(f"Run {run.id} waits for its turn. See it with: handfed runs follow {run.id}")


def stop(run: RunNumber, data_dir: DataDir = None, database: DatabaseUrl = None) -> None:
    """Stop a run that waits or goes on; it can be resumed."""
    from handfed.server.people.principals import at_the_console
    from handfed.server.runs.control import RunControl

    with Choices(data_dir, database, as_json=False).open_server() as opened:
        RunControl(opened).stop(at_the_console(), run)


def resume(run: RunNumber, data_dir: DataDir = None, database: DatabaseUrl = None) -> None:
    """Go on with a run that was stopped or failed, after its last round."""
    from handfed.server.people.principals import at_the_console
    from handfed.server.runs.control import RunControl

    with Choices(data_dir, database, as_json=False).open_server() as opened:
        RunControl(opened).resume(at_the_console(), run)


def follow(run: RunNumber, data_dir: DataDir = None, database: DatabaseUrl = None) -> None:
    """Show the rounds of a run as they end."""
    from handfed.server.runs.service import RunRecord

    console, shown = terminal.console(), 0
    with Choices(data_dir, database, as_json=False).open_server() as opened:
        record = RunRecord(opened)
        while True:
            found = record.get(run)
            for each in record.rounds(run)[shown:]:
                console.print(_line(each))
                shown += 1
            if found.status not in {"queued", "running"}:
                break
            time.sleep(_LOOK_S)
    console.print(f"Run {run} is {found.status}." + (f" {found.error}" if found.error else ""))
    raise typer.Exit(0 if found.status == "done" else 1)


def _line(each: RecordedRound) -> str:
    accuracy = "" if each.accuracy is None else f", accuracy {wording.percent(each.accuracy)}"
    return (
        f"round {each.number} ({each.phase}): {each.accepted} of {each.participants} devices,"
        f" loss {wording.decimals(each.loss, 4)}{accuracy}, {wording.decimals(each.seconds, 1)} s"
    )
