"""`handfed audit`: who changed what, when and from where.

`handfed audit --json` prints `{"entries": [{number, at, who, token, address, organisation, verb, object, detail},
...]}`, oldest first. `--export FILE` writes them to a file: JSON lines, or CSV where it is called `.csv`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handfed.server import terminal, wording
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from handfed.server.audit.values import AuditEntry


def audit(
    since: Annotated[
        str | None,
        typer.Option(help="Only from then on: a time such as 2026-03-01, or 7d for the last week.", show_default=False),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write a file: JSON lines, or CSV where it ends in .csv.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show the audit log, oldest first."""
    from handfed.server.audit.service import AuditLog
    from handfed.server.audit.values import AuditFilter
    from handfed.server.clock import now
    from handfed.server.people.principals import at_the_console

    wanted = AuditFilter(since=None if since is None else _moment(since, now()))
    with Choices(data_dir, database, as_json).open_server() as opened:
        entries = AuditLog(opened).export(at_the_console(), wanted)
        if export is not None:
            _write(entries, export)
        elif as_json:
            terminal.print_json({"entries": list(entries)})
        else:
            _show(entries)


def _show(entries: Iterable[AuditEntry]) -> None:
    table = terminal.table("When", "Who", "From", "What", whole=("When",))
    for one in entries:
        more = ", ".join(f"{name} {value}" for name, value in wording.entries(one.detail))
        table.add_row(wording.moment(one.at), one.who, one.address, f"{one.verb} {one.object}{more and f': {more}'}")
    terminal.console().print(table)


def _write(entries: Iterable[AuditEntry], path: Path) -> None:
    from handfed.server.audit.export import exported
    from handfed.shared.files import write_atomically

    content = "".join(exported(entries, "csv" if path.suffix.lower() == ".csv" else "jsonl"))
    write_atomically(path, content.encode())
    terminal.console().print(f"The audit log is in {path}.")


def _moment(text: str, now: datetime) -> datetime:
    """A time: so long ago, or a date or time of ISO 8601, on this machine's clock where it names no zone."""
    from datetime import datetime as time

    from handfed.server.durations import duration
    from handfed.shared.errors import SettingError

    try:
        return time.fromisoformat(text).astimezone()
    except ValueError:
        pass
    try:
        return now - duration(text)
    except SettingError as error:
        raise SettingError(f"{text!r} is no time: write it as 2026-03-01, 2026-03-01T12:00 or 7d") from error
