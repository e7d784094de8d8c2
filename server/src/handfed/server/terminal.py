"""What the server's subcommands share: where the record is, JSON that is alone on stdout, and tables.

Nothing here imports a database library before a record is opened, so that `handfed --help` stays fast.
"""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from handfed.shared import data_directory
from handfed.shared.errors import SettingError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from handfed.server.database import Database

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where data is kept. [HANDFED_DATA_DIR, or ./handfed-data]", show_default=False),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="URL of the database. [HANDFED_DATABASE, or handfed.db in the data directory]",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@dataclasses.dataclass(frozen=True)
class Choices:
    """What the options of a command say, given before or after the name of its subcommand.

    Attributes:
        data_dir: The data directory, if named.
        database: The database's URL, if named.
        as_json: Whether to print JSON.
    """

    data_dir: Path | None
    database: str | None
    as_json: bool

    def over(self, earlier: Choices) -> Choices:
        """These choices, and where they say nothing, earlier ones."""
        return Choices(
            self.data_dir or earlier.data_dir,
            self.database or earlier.database,
            self.as_json or earlier.as_json,
        )

    @property
    def directory(self) -> Path:
        """The data directory."""
        return data_directory.locate(self.data_dir)

    def open(self) -> Database | None:
        """The database, or None where nothing was ever recorded; to look leaves no trace."""
        from handfed.server.database import open_existing

        return open_existing(data_directory.database_url(self.directory, self.database))

    def open_server(self) -> Database:
        """The database of a server that was started.

        Raises:
            SettingError: There is none: a server is made by starting it, not by a mistyped directory.
        """
        opened = self.open()
        if opened is None:
            raise SettingError(
                f"no server was ever started in {self.directory}: handfed serve makes one, --data-dir names another"
            )
        return opened


def print_json(document: object) -> None:
    """Prints dataclasses and plain values as one JSON object (RFC 8259), in ASCII, times as in ISO 8601."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False, default=_encoded))


def _encoded(value: object) -> Any:  # noqa: ANN401 - what json takes
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def console() -> Console:
    """The terminal; text is shown as it is, whatever brackets it holds, in any encoding."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console(markup=False, highlight=False, emoji=False)


def table(*columns: str, right: tuple[str, ...] = (), whole: tuple[str, ...] = ()) -> Table:
    """A table with headings, narrow enough for 80 columns.

    Args:
        columns: Headings; what is too long for its column is folded.
        right: Headings of columns with figures.
        whole: Headings of other columns whose cells stay on one line.
    """
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for name in columns:
        side: Literal["left", "right"] = "right" if name in right else "left"
        made.add_column(name, justify=side, overflow="fold", no_wrap=name in (*right, *whole))
    return made


def print_section(to: Console, heading: str, body: Table | list[tuple[str, str]]) -> None:
    """Prints a heading, and below it a table, or names with their values.

    Args:
        to: The terminal.
        heading: What the section holds.
        body: A table; or names and values, of which each stays on its line and is cut where that ends.
    """
    from rich.text import Text

    to.print(heading, style="bold")
    if not isinstance(body, list):
        to.print(body)
        return
    width = max((len(name) for name, _ in body), default=0)
    for name, value in body:
        to.print(Text.assemble((f"{name:{width}}  ", "dim"), value), no_wrap=True, overflow="ellipsis")


def assignments(given: list[str], *, empty: object = "") -> dict[str, object]:
    """Settings by name, of texts `NAME=VALUE`; a value that reads as JSON is that, any other a text.

    Args:
        given: The texts; a name has underscores or hyphens.
        empty: What an empty value stands for.

    Raises:
        SettingError: One has no value.
    """
    found: dict[str, object] = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not separator:
            raise SettingError(f"{each!r} has no value; write NAME=VALUE")
        try:
            found[name.replace("-", "_")] = json.loads(value) if value else empty
        except ValueError:
            found[name.replace("-", "_")] = value
    return found
