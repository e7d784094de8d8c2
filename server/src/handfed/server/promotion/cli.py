"""`handfed releases promote|pause|rollback|pin` and `handfed releases promotions`.

Each prints `{"promotion": {release, task, champion, phase, percent, since, reason, pinned}}` with `--json`, and
`promotions` prints `{"promotions": [...]}`, newest first. The server carries a decision out within seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from handfed.server import terminal, wording
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handfed.server.promotion.values import PromotedRelease

Number = Annotated[int, typer.Argument(help="Number of the release.", show_default=False)]
Why = Annotated[str, typer.Option(help="Why, for the record.", show_default=False)]


def promotions(
    context: typer.Context, data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False
) -> None:
    """List how far each release has come."""
    from handfed.server.promotion.service import Promotions
    from handfed.server.settings import ServerSettings

    choices = Choices(data_dir, database, as_json).over(context.obj)
    settings = ServerSettings.load(choices.data_dir, choices.database)
    with choices.open_server() as opened:
        found = Promotions(opened, settings.promotion_settings()).list().items
    if choices.as_json:
        terminal.print_json({"promotions": found})
    elif found:
        _print(found)
    else:
        terminal.console().print("No release is on its way yet: the server takes up what a run publishes.")


def _by_hand(action: str, does: str) -> Callable[..., None]:
    """The command by which a person decides something; `does` is its help."""

    def decide(
        context: typer.Context,
        release: Number,
        why: Why = "",
        data_dir: DataDir = None,
        database: DatabaseUrl = None,
        as_json: AsJson = False,
    ) -> None:
        from handfed.server.people.principals import at_the_console
        from handfed.server.promotion.service import Promotions
        from handfed.server.settings import ServerSettings
        from handfed.shared.promotion.rules import Action

        choices = Choices(data_dir, database, as_json).over(context.obj)
        settings = ServerSettings.load(choices.data_dir, choices.database).promotion_settings()
        with choices.open_server() as opened:
            found = Promotions(opened, settings).by_hand(at_the_console(), release, Action(action), why)
        if choices.as_json:
            terminal.print_json({"promotion": found})
        else:
            _print([found])

    decide.__name__, decide.__doc__ = action, does
    return decide


promote = _by_hand("promote", "Take a release a step further, whatever the evidence; or go on after a pause or a pin.")
pause = _by_hand("pause", "Take a release no further; harm still takes it back.")
rollback = _by_hand("rollback", "Take a release back from everybody; its champion is used again.")
pin = _by_hand("pin", "Have everybody use a release from now on, whatever is reported of it.")


def _print(found: Sequence[PromotedRelease]) -> None:
    table = terminal.table("Release", "Task", "Is", "Devices", "Since", "Why", right=("Release", "Devices"))
    for each in found:
        phase = f"{each.phase}, pinned" if each.pinned else each.phase
        table.add_row(str(each.release), each.task, phase, f"{each.percent} %", wording.moment(each.since), each.reason)
    terminal.console().print(table)
