"""`handfed policy show|set|explain|enable|disable`: when the server starts runs by itself.

They work on the database of the server on this machine, as whoever runs them; the audit log names their account.

With `--json`, `show`, `set`, `enable` and `disable` print `{"policy": policy}`, which has task, enabled_at, settings,
run_settings and last_run. `explain` prints `{"policy": policy, "now": decision, "last": decision, "last_at": ...}`; a
decision is an object of start, reason and conditions, and these of name, role, met, found and takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from handfed.server import terminal, wording
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir

if TYPE_CHECKING:
    from handfed.server.learning.values import Policy
    from handfed.shared.learning.policy import Decision

commands = typer.Typer(help="When the server starts runs by itself.", no_args_is_help=True)
Task = Annotated[str, typer.Option(help="What is recognised, or a file of it.")]
Given = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting; may be repeated.", show_default=False),
]
OfRuns = Annotated[
    list[str] | None,
    typer.Option(
        "--run-set",
        metavar="NAME=VALUE",
        help="A setting of training for its runs, as of handfed runs start; NAME= takes it back; may be repeated.",
        show_default=False,
    ),
]


@commands.command()
def show(
    task: Task = "digits", data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False
) -> None:
    """Show what is set."""
    from handfed.server.learning.service import Policies

    with Choices(data_dir, database, as_json).open_server() as opened:
        _print(Policies(opened).get(task), as_json=as_json)


@commands.command("set")
def change(
    task: Task = "digits",
    setting: Given = None,
    run_setting: OfRuns = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Set by what it is decided, and how runs that come of it train."""
    from handfed.server.learning.service import Policies
    from handfed.server.people.principals import at_the_console

    with Choices(data_dir, database, as_json).open_server() as opened:
        found = Policies(opened).change(
            at_the_console(),
            task,
            terminal.assignments(setting or [], empty=None),
            terminal.assignments(run_setting or [], empty=None),
        )
    _print(found, as_json=as_json)


@commands.command()
def enable(
    task: Task = "digits", data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False
) -> None:
    """Have the server start runs of a task by itself, and say when it will."""
    from handfed.server.learning.service import Policies
    from handfed.server.people.principals import at_the_console

    with Choices(data_dir, database, as_json).open_server() as opened:
        policies = Policies(opened)
        found = policies.enable(at_the_console(), task, enabled=True)
        decision = policies.explain(at_the_console(), task).now
    if as_json:
        _print(found, as_json=True)
        return
    terminal.console().print(
        f"From now on the server starts runs of {found.task} by itself, each going on from the release in use, where"
        " nothing stands in the way and one of these holds:"
    )
    for each in decision.conditions:
        if each.role == "calls":
            terminal.console().print(f"  {each.name}: {each.takes}")
    terminal.console().print(f"Now: {decision.reason}.\nSee why at any time with: handfed policy explain")


@commands.command()
def disable(
    task: Task = "digits", data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False
) -> None:
    """Have the server start no more runs of a task by itself; one that goes on is not stopped."""
    from handfed.server.learning.service import Policies
    from handfed.server.people.principals import at_the_console

    with Choices(data_dir, database, as_json).open_server() as opened:
        found = Policies(opened).enable(at_the_console(), task, enabled=False)
    if as_json:
        _print(found, as_json=True)
    else:
        terminal.console().print(f"The server starts no runs of {found.task} by itself.")


@commands.command()
def explain(
    task: Task = "digits", data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False
) -> None:
    """Explain why a run would be started now, or not: each condition, what was found and what it takes."""
    from handfed.server.learning.service import Policies
    from handfed.server.people.principals import at_the_console

    with Choices(data_dir, database, as_json).open_server() as opened:
        found = Policies(opened).explain(at_the_console(), task)
    if as_json:
        terminal.print_json({"policy": found.policy, "now": found.now, "last": found.last, "last_at": found.last_at})
        return
    console = terminal.console()
    _print_decision(found.now)
    if found.last is not None:
        did = "started a run" if found.last.start else "started none"
        console.print(f"\nAt {wording.moment(found.last_at)} the server {did}: {found.last.reason}.")
    if found.policy.last_run is not None:
        console.print(f"The last run that it started is run {found.policy.last_run}.")


def _print(policy: Policy, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json({"policy": policy})
        return
    console = terminal.console()
    state = "disabled" if policy.enabled_at is None else f"enabled since {wording.moment(policy.enabled_at)}"
    console.print(f"Learning of {policy.task}: {state}.")
    table = terminal.table("Setting", "Value", right=("Value",))
    for name, value in policy.settings.items():
        table.add_row(name, f"{value:g}" if isinstance(value, float) else str(value))
    for name, value in policy.run_settings.items():
        table.add_row(f"of runs: {name}", str(value))
    console.print(table)


def _print_decision(decision: Decision) -> None:
    console = terminal.console()
    console.print(f"A run {'would be' if decision.start else 'is not'} started now: {decision.reason}.\n")
    for role, heading in (("needed", "All of these"), ("calls", "And one of these")):
        table = terminal.table(heading, "", "Found", "Takes")
        for each in decision.conditions:
            if each.role == role:
                table.add_row(each.name, "yes" if each.met else "no", each.found, each.takes)
        console.print(table)
