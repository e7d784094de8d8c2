"""`handfed device sheet` prints forms to copy by hand, `handfed device import-scan` takes in what was written on them.

`import-scan --json` prints an object of:

    pages      [{"file", "form", "page", "of", "kind", "boxes", "kept", "empty", "crossed_out", "over_the_edge",
               "left_out"}]
    blank      pages with nothing on them, which were passed over
    imported   what `handfed device import --json` prints; null with --dry-run

These are for the device's own terminal. JSON is in ASCII, and names nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from handfed.clients.device.store.cli import Again, AsJson, By, Consent, DataDir, Side

if TYPE_CHECKING:
    from handfed.clients.device.forms.samples import Forms

FontFile = Annotated[
    Path | None,
    typer.Option(
        "--font",
        metavar="FILE",
        help="A TrueType or OpenType font that has what is copied. [DejaVu Sans]",
        show_default=False,
    ),
]


def sheet(
    file: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="What to write.")],
    *,
    alphabet: Annotated[
        str,
        typer.Option(
            help="What is copied: digits, letters, alphanumeric, or a file with a character on each line."
            " [that of the task]",
            show_default=False,
        ),
    ] = "",
    task: Annotated[str, typer.Option(help="What it is for: characters, digits, or a task file.")] = "characters",
    words: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Words instead of characters, one on each line.", show_default=False),
    ] = None,
    writer: Annotated[
        list[str] | None,
        typer.Option(help="Who is to write; once for each person, who gets pages of their own.", show_default=False),
    ] = None,
    writers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A class list: a name on each line.", show_default=False),
    ] = None,
    repeat: Annotated[int, typer.Option(help="How often each character or word is copied.", min=1, max=1000)] = 3,
    paper: Annotated[Literal["a4", "letter"], typer.Option(help="What it is printed on.")] = "a4",
    font: FontFile = None,
    seed: Annotated[
        int | None, typer.Option(help="Print the very same form again, for the same seed.", show_default=False)
    ] = None,
) -> None:
    """Print forms to copy by hand: the first handwriting of a device, with its labels."""
    from handfed.clients.device.forms import sheets
    from handfed.clients.device.forms.drawing import draw
    from handfed.clients.device.forms.layout import KINDS, paper_called
    from handfed.clients.device.forms.terminal import tell_printed
    from handfed.shared.errors import SettingError
    from handfed.shared.files import write_atomically

    if words is not None and alphabet:
        raise SettingError("--words takes no --alphabet; leave one of them out")
    labels = sheets.characters_of(alphabet, task) if words is None else sheets.words_in(words)
    names = list(dict.fromkeys([*(writer or ()), *(sheets.writers_in(writers) if writers else ())])) or [""]
    kind = KINDS["characters" if words is None else "words"]
    dealt = [
        page
        for name in names
        for page in sheets.deal(labels, repeat=repeat, writer=name, paper=paper_called(paper), kind=kind, seed=seed)
    ]
    write_atomically(file, draw(dealt, font))
    tell_printed(file, dealt, len(names))


def import_scan(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Photographs and scans of forms: JPEG, PNG, TIFF, PDF.")
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read the forms, and import nothing.")] = False,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw every box with its label here, to check it.", show_default=False),
    ] = None,
    leave_out: Annotated[
        list[int] | None,
        typer.Option(metavar="NUMBER", help="Leave a box out, by its number on the contact sheet.", show_default=False),
    ] = None,
    task: Annotated[
        str,
        typer.Option(help="What it shows, where that is a task of your own. [what the form says]", show_default=False),
    ] = "",
    label: Annotated[str, typer.Option(help="What you call it, to find it again; no path is kept.")] = "",
    writer: Annotated[str | None, typer.Option(help="Who wrote all of it, where the forms do not say.")] = None,
    consent: Consent = "unknown",
    again: Again = False,
    side: Side = "chance",
    by: By = "",
    font: FontFile = None,
    data: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take photographs or scans of filled-in forms into the device's store: all of them, or nothing."""
    from handfed.clients.device.forms.samples import read_forms, taken
    from handfed.clients.device.forms.terminal import page_as_json, tell_read
    from handfed.clients.device.store import cli as store_cli
    from handfed.clients.device.store.importing import Incoming
    from handfed.clients.device.store.terminal import tell_imported
    from handfed.shared import tasks

    with store_cli.status("Reading the forms"):
        forms = read_forms(files).without(leave_out or ())
    if contact_sheet is not None:
        _write_contact_sheets(forms, contact_sheet, font)
    if not as_json:
        tell_read(forms)
    imported = None
    task = task or forms.pages[0].page.kind.name
    if not dry_run:
        found = tasks.find(task)
        got = taken(forms, found)
        incoming = Incoming(
            got.dataset,
            found,
            tasks.name_of(task),
            label.strip(),
            writer,
            consent,
            again,
            store_cli.SIDES[side],
            got.identities,
        )
        imported = store_cli.taken_in(incoming, by=by, data=data)
    if as_json:
        answer = None if imported is None else store_cli.import_as_json(imported)
        pages = [page_as_json(page) for page in forms.pages]
        store_cli.print_json({"pages": pages, "blank": forms.blank, "imported": answer})
    elif imported is None:
        typer.echo("Nothing was imported: this was a dry run.")
    else:
        tell_imported(imported)


def _write_contact_sheets(forms: Forms, file: Path, font: Path | None) -> None:
    """Writes the contact sheets of many pages beside one another: FILE.png, FILE-2.png, ..."""
    from handfed.clients.device.forms.contact import contact_sheets
    from handfed.shared.files import write_atomically

    for number, content in enumerate(contact_sheets(forms, font), start=1):
        write_atomically(file if number == 1 else file.with_stem(f"{file.stem}-{number}"), content)
