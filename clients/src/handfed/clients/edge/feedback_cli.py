"""`handfed edge feedback`: what a person says of a reading, into the device's private store (docs/feedback.md).

`--json` prints an object of feedback (its number), kind (`correction` or `confirmation`), picked (whether it answers a
pick of the device) and known (whether it was there already); with `--csv`, of kept, known and refused, counts of rows.

Exit status: 0 it is kept, on the disk; 2 wrong use, a picture that cannot be read, or a writer who is forgotten or
withdrew consent; 1 the device keeps no handwriting or takes no feedback, the store is locked, or the disk is full.
With `--csv` the first of these that is not 0, when every row was tried.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from handfed.clients.edge.cli import AsJson, DataDir
from handfed.clients.edge.update_cli import Folder
from handfed.shared import data_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handfed.clients.device.store.feedback import Taken
    from handfed.clients.edge.feedback import Remark
    from handfed.shared.errors import HandfedError

_COLUMNS: Final = ("image", "read", "correct", "writer", "pick")


def feedback(
    image: Annotated[
        Path | None,
        typer.Argument(help="The picture that was read, of a character, a word or a line.", show_default=False),
    ] = None,
    *,
    read: Annotated[
        str | None,
        typer.Option(help="What was read. Default: what the release in use reads.", show_default=False),
    ] = None,
    correct: Annotated[
        str | None, typer.Option(help="What it says; leave it out where the reading is right.", show_default=False)
    ] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Say that the reading is right.")] = False,
    writer: Annotated[
        str | None,
        typer.Option(help="Who wrote it, by a name or pseudonym; it stays on this device.", show_default=False),
    ] = None,
    consent: Annotated[
        Literal["given", "unknown"], typer.Option(help="Whether the writer consented to training with it.")
    ] = "unknown",
    pick: Annotated[
        str | None,
        typer.Option(help="The id that came with a reading which the device asks to confirm.", show_default=False),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Many at once: a table with the columns {', '.join(_COLUMNS)}.", show_default=False
        ),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(help="The release that read it. Default: the one in use.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    data: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Correct or confirm a reading: the picture, the reading and what it says stay on this device, to learn from."""
    from handfed.clients.edge.feedback import Remark
    from handfed.shared.errors import SettingError

    remark = Remark(read, correct, writer, pick, consent)
    if (image is None) == (csv is None):
        raise SettingError("name one picture, or a table of many with --csv")
    if csv is not None and remark != Remark(writer=writer, consent=consent):
        raise SettingError("with --csv, the table says what was read and what it says; leave the options out")
    if csv is None and confirm == (correct is not None):
        raise SettingError("say what it says with --correct, or that the reading is right with --confirm")
    remarks = [(image, remark)] if image is not None else list(_table(csv or Path(), remark))
    kept, refused = _keep(remarks, release, data_dir, data)
    if csv is None:
        _tell(kept[0], as_json=as_json)
        return
    known = sum(each.known for each in kept)
    counts = {"kept": len(kept) - known, "known": known, "refused": len(refused)}
    typer.echo(json.dumps(counts) if as_json else ", ".join(f"{count} {what}" for what, count in counts.items()))
    if refused:
        raise typer.Exit(refused[0].exit_status)


def _keep(
    remarks: list[tuple[Path, Remark]], release: str | None, data_dir: Path | None, data: Path | None
) -> tuple[list[Taken], list[HandfedError]]:
    """What is kept and what is refused; where it is a single one, an error is raised.

    Raises:
        HandfedError: The single one is refused, or there is nothing to read with.
    """
    from contextlib import closing

    from handfed.clients.device import folder
    from handfed.clients.device.store.cli import passphrase_here, user
    from handfed.clients.edge import tables
    from handfed.clients.edge.feedback import Desk
    from handfed.clients.edge.pictures import read_picture
    from handfed.clients.edge.serving.supply import Source
    from handfed.shared.errors import HandfedError

    kept: list[Taken] = []
    refused: list[HandfedError] = []
    recogniser = Source.chosen(release, data_directory.locate(data_dir), device=data).open()
    with closing(Desk(folder.locate(data), by=user(), ask=passphrase_here)) as desk:
        for image, remark in remarks:
            try:
                kept.append(desk.take(recogniser, read_picture(image, where=str(image)), remark))
            except HandfedError as error:
                if len(remarks) == 1:
                    raise
                said = str(error).removeprefix(f"{image}: ")
                tables.print_error(tables.error_console(), HandfedError(f"{image}: {said}"))
                refused.append(error)
    return kept, refused


def _table(path: Path, common: Remark) -> Iterator[tuple[Path, Remark]]:
    """The rows of a table: pictures are named relative to it.

    Raises:
        SettingError: It is no such table.
    """
    import csv

    from handfed.shared.errors import SettingError

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise SettingError(f"{path}: cannot be read ({error.strerror}); check the path and whose it is") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SettingError(f"{path}: cannot be read as a table; save it as CSV in UTF-8") from error
    for number, row in enumerate(rows, start=2):
        given = {name: value for name, value in row.items() if value}
        if not given.keys() <= set(_COLUMNS) or "image" not in given:
            raise SettingError(f"{path}, row {number}: has not the columns {', '.join(_COLUMNS)}, or names no image")
        yield path.parent / given.pop("image"), _with(common, given)


def _with(common: Remark, given: dict[str, str]) -> Remark:
    from handfed.clients.edge.feedback import Remark

    writer = given.get("writer", common.writer)
    return Remark(given.get("read"), given.get("correct"), writer, given.get("pick"), common.consent)


def _tell(taken: Taken, *, as_json: bool) -> None:
    if as_json:
        found = {"feedback": taken.number, "kind": taken.kind, "picked": taken.picked, "known": taken.known}
        typer.echo(json.dumps(found))
    elif taken.known:
        typer.echo("That was kept before.")
    else:
        typer.echo(f"The {taken.kind} is kept on this device, as feedback {taken.number}.")
