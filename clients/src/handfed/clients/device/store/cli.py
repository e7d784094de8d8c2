"""`handfed device import` and the other commands about the handwriting that a device keeps to itself.

`--json` prints an object of:

    import     {"import", "samples", "duplicates", "writers", "refused", "refused_writers"}
    samples    {"kinds": [{"kind", "height", "training", "held_out", "unusable", "classes"}], "imports": [{"number",
               "at", "source", "task", "count", "left"}], "writers": {consent: count}, "nameless", "forgotten",
               "require_consent", "encrypted", "erased"}
    writers    {"writers": [{"number", "name", "consent", "noted_by", "noted_at", "samples", "held_out"}]}
    forget     {"samples", "imports", "erased"}

These are for the device's own terminal: names of writers are among them. JSON is in ASCII.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from handfed.clients.device import folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from rich.console import Console
    from rich.table import Table

    from handfed.clients.device.store.contents import Contents, Kind
    from handfed.clients.device.store.importing import Imported
    from handfed.clients.device.store.locks import Lock
    from handfed.clients.device.store.store import Store
    from handfed.clients.device.store.writers import Forgotten
    from handfed.shared.datasets import Dataset

commands = typer.Typer(no_args_is_help=True)

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help=f"The device's folder. [{folder.VARIABLE}, or {folder.DEFAULT}]",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
By = Annotated[str, typer.Option(help="Who does this. [the user who is logged in]", show_default=False)]
WriterArgument = Annotated[
    str, typer.Argument(metavar="WRITER", help="The name, or # and the number, of `handfed device writers`.")
]
UseKeyring = Annotated[
    bool, typer.Option("--keyring", help="Keep the key in the keyring of this user, not behind words.")
]
NewPassphraseFile = Annotated[
    Path | None, typer.Option(help="A file with the new passphrase on its first line; otherwise it is asked for.")
]

_CLASSES_SHOWN: Final = 200
_SIDES: Final = {"chance": None, "training": False, "held-out": True}

INFLUENCE: Final = (
    "What was learned from it before stays, as a trace among many, in models that were published and in the model that"
    " the federation trains: no round from now on sees it, and nothing takes it out of those."
)


@commands.command(name="import")
def import_handwriting(
    reference: Annotated[
        str,
        typer.Argument(metavar="PATH", help="A file or folder of handwriting; `handfed data list` says of what kinds."),
    ],
    *,
    task: Annotated[str, typer.Option(help="What it shows: characters, words, lines, or a task file.")] = "characters",
    label: Annotated[str, typer.Option(help="What you call it, to find it again; the path is not kept.")] = "",
    writer: Annotated[str | None, typer.Option(help="Who wrote all of it, where the files do not say.")] = None,
    consent: Annotated[
        Literal["given", "unknown"], typer.Option(help="Whether its writers consented to training with it.")
    ] = "unknown",
    again: Annotated[
        bool, typer.Option("--again", help="Take back writers who were forgotten, as they agree to it.")
    ] = False,
    side: Annotated[
        Literal["chance", "training", "held-out"],
        typer.Option(help="What its new writers are for, for good; say it where there are few."),
    ] = "chance",
    by: By = "",
    data: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take handwriting into the device's store: all of it, or nothing."""
    from handfed.clients.datasets import read
    from handfed.clients.device.store.importing import Incoming
    from handfed.shared import tasks

    found = tasks.find(task)
    with _store(data, make=True) as store:
        with _status("Reading the pictures"):
            dataset = read(reference, found, writer_ids=True)
        incoming = Incoming(dataset, found, tasks.name_of(task), label.strip(), writer, consent, again, _SIDES[side])
        with _progress(dataset) as progress:
            imported = store.take_in(incoming, by=by or _user(), now=_now(), progress=progress)
    if as_json:
        _print_json({("import" if name == "number" else name): value for name, value in _fields(imported).items()})
        return
    for line in _said_of(imported):
        _console().print(line)


def _said_of(imported: Imported) -> Iterator[str]:
    if imported.number is None:
        yield "Nothing is new."
    else:
        yield f"{imported.samples:,} samples of {_counted(imported.writers, 'writer')} are import {imported.number}."
    if imported.duplicates:
        yield f"{imported.duplicates:,} were there already, with the same label, and were not taken twice."
    if imported.refused:
        yield (
            f"{imported.refused:,} samples of {_counted(imported.refused_writers, 'forgotten writer')} were passed"
            " over: whoever asked to be forgotten does not come back unseen. --again takes them back, if they agree."
        )


@commands.command()
def samples(*, data: DataDir = None, as_json: AsJson = False) -> None:
    """Count what is in the store: by task, side, class and import."""
    with _store(data) as store:
        held, lock, erased = store.contents(), store.lock_kind(), store.is_erased()
    if as_json:
        _print_json(_fields(held) | {"encrypted": lock is not None, "erased": erased})
        return
    console = _console()
    if not held.kinds:
        console.print("The store is empty; `handfed device import` brings handwriting.")
    for kind in held.kinds:
        console.print(_kind_line(kind), style="bold")
        if kind.classes:
            console.print(_classes_line(kind.classes))
        if not kind.training or not kind.held_out:
            console.print(_one_sided(kind))
    if held.imports:
        console.print(_imports(held))
    console.print(_writers_line(held))
    console.print(f"Encrypted: {f'yes, opened by a {lock}' if lock else 'no'}")
    if not erased:
        console.print(
            "Something that was deleted is still on the disk: free space, stop what reads the store, run this again."
        )


@commands.command()
def writers(*, data: DataDir = None, as_json: AsJson = False) -> None:
    """List the writers, with their consent."""
    with _store(data) as store:
        listed = store.writers()
    if as_json:
        _print_json({"writers": [_fields(writer) for writer in listed]})
        return
    table = _table("writer", "number", "consent", "noted by", "on", "samples", "side")
    for each in listed:
        sides = "both" if 0 < each.held_out < each.samples else ("held out" if each.held_out else "training")
        table.add_row(
            *map(
                _shown,
                (
                    each.name or "unknown",
                    f"#{each.number}",
                    each.consent,
                    each.noted_by or "",
                    (each.noted_at or "")[:10],
                ),
            ),
            f"{each.samples:,}",
            sides if each.samples else "",
        )
    _console().print(table)


@commands.command()
def consent(
    writer: WriterArgument,
    answer: Annotated[Literal["given", "withdrawn"], typer.Argument(metavar="given|withdrawn", help="What they say.")],
    *,
    by: By = "",
    data: DataDir = None,
) -> None:
    """Note a writer's consent, or that it is withdrawn."""
    with _store(data) as store:
        store.note_consent(writer, answer, by=by or _user(), now=_now())
    console = _console()
    if answer == "given":
        console.print("Noted: the handwriting may be used.")
    else:
        console.print(
            "Noted: the handwriting is kept, and from the next round on not used. `handfed device forget` deletes it."
        )
        console.print(INFLUENCE)


@commands.command()
def forget(
    writer: WriterArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Delete a writer with all that he or she wrote, from this device's disk and from every later round."""
    with _store(data) as store:
        found = store.writer(writer)
        name = _shown(found.name or f"#{found.number}")
        question = f"Delete {found.samples:,} samples of {name} for good?"
        if not yes and not typer.confirm(question, err=True):
            raise typer.Exit(1)
        went, erased = store.forget(writer, now=_now())
    if as_json:
        _print_json(_fields(went) | {"erased": erased})
        return
    _tell_forgotten(went, erased=erased, has_name=found.name is not None)


def _tell_forgotten(went: Forgotten, *, erased: bool, has_name: bool) -> None:
    console = _console()
    gone = "are erased from this device's disk" if erased else "are deleted"
    console.print(f"{went.samples:,} samples and the name {gone}; no later round uses them.")
    if not erased:
        console.print(
            "Another process reads the store just now, so their bytes are still on the disk;"
            " they go when a command next opens the store, such as `handfed device samples`."
        )
    if has_name:
        console.print(
            "A keyed hash of the name stays, so that an import of an old folder does not bring the writer back;"
            " `handfed device import --again` would."
        )
    else:
        console.print("As the writer had no name, a later import of the same files would bring the samples back.")
    console.print("Delete the files that they were imported from, and backups of this device, yourself.")
    console.print(INFLUENCE)


@commands.command()
def settings(
    *,
    require_consent: Annotated[
        bool | None,
        typer.Option(
            "--require-consent/--no-require-consent",
            help="Use only handwriting whose writers gave consent; that of others is kept and not used.",
            show_default=False,
        ),
    ] = None,
    data: DataDir = None,
) -> None:
    """Show how the store is set, or set it."""
    with _store(data, make=require_consent is not None) as store:
        if require_consent is not None:
            store.require_consent(require_consent)
        required = store.contents().require_consent
    _console().print(f"require consent: {'yes' if required else 'no'}")


@commands.command()
def encrypt(
    *, keyring: UseKeyring = False, new_passphrase_file: NewPassphraseFile = None, data: DataDir = None
) -> None:
    """Encrypt the store: pictures, labels and names are then unreadable without a passphrase or this user's keyring."""
    with _store(data, make=True) as store:
        if store.lock_kind() is None:
            gone = store.encrypt(_new_lock(new_passphrase_file, keyring=keyring))
            _tell_locked("The store is encrypted.", gone=gone, keyring=keyring)
        else:
            _console().print("The store is encrypted already; `handfed device passphrase` changes what opens it.")


@commands.command()
def decrypt(*, data: DataDir = None) -> None:
    """Put the store back in plain."""
    with _store(data) as store:
        store.decrypt()
    _console().print("The store is no longer encrypted: who can read this user's files can read the handwriting.")


@commands.command()
def passphrase(
    *, keyring: UseKeyring = False, new_passphrase_file: NewPassphraseFile = None, data: DataDir = None
) -> None:
    """Change what opens an encrypted store."""
    with _store(data) as store:
        if store.lock_kind() is None:
            from handfed.shared.errors import SettingError

            raise SettingError("the store is not encrypted; `handfed device encrypt` does that")
        store.contents()  # asks for the old one before the new one
        gone = store.change_lock(_new_lock(new_passphrase_file, keyring=keyring))
    _tell_locked("Changed.", gone=gone, keyring=keyring)


def _tell_locked(done: str, *, gone: bool, keyring: bool) -> None:
    console = _console()
    console.print(done)
    if not gone:
        console.print(
            "Another process reads the store just now, so what was there before is still on the disk;"
            " it goes when a command next opens the store, such as `handfed device samples`."
        )
    if keyring:
        console.print("Only this user's keyring opens it. Without the keyring the handwriting is lost.")
    else:
        console.print(
            "Keep the passphrase: without it the handwriting is lost. A service reads it from the file that"
            " HANDFED_PASSPHRASE_FILE names."
        )


def _new_lock(file: Path | None, *, keyring: bool) -> Lock:
    from handfed.clients.device.store import locks
    from handfed.shared.errors import SettingError

    if keyring and file is not None:
        raise SettingError("--keyring takes no passphrase; leave --new-passphrase-file out")
    if keyring:
        return locks.KeyringLock()
    if file is not None:
        return locks.PassphraseLock(locks.read_passphrase(file))
    return locks.PassphraseLock(
        typer.prompt("New passphrase", hide_input=True, confirmation_prompt="The same again", err=True)
    )


def _store(data: Path | None, *, make: bool = False) -> Store:
    from handfed.clients.device.store.store import Store

    device = folder.locate(data)
    if make:
        folder.make_private(device)
    return Store.open(folder.store_in(device), ask=_passphrase, make=make)


def _passphrase() -> str:
    import os
    import sys

    from handfed.clients.device.store import locks

    if os.environ.get(locks.PASSPHRASE_FILE) or not sys.stdin.isatty():
        return locks.passphrase_from_file()
    asked: str = typer.prompt("Passphrase of the store", hide_input=True, err=True)
    return asked


def _kind_line(kind: Kind) -> str:
    unusable = f"; {kind.unusable:,} not used, for want of consent" if kind.unusable else ""
    return f"{kind.kind}, {kind.height} pixels high: {kind.training:,} training, {kind.held_out:,} held out{unusable}"


def _classes_line(classes: dict[str, int]) -> str:
    shown = "  ".join(f"{_shown(name)} {count:,}" for name, count in list(classes.items())[:_CLASSES_SHOWN])
    return f"  {shown}" + (f"  and {len(classes) - _CLASSES_SHOWN:,} more" if len(classes) > _CLASSES_SHOWN else "")


def _one_sided(kind: Kind) -> str:
    if kind.training:
        return "  Nothing is held out, so this device evaluates nothing: import another writer with --side held-out."
    return "  All of it is held out, so this device trains nothing: import another writer with --side training."


def _imports(held: Contents) -> Table:
    table = _table("import", "on", "called", "task", "samples", "left")
    for each in held.imports:
        cells = (str(each.number), each.at[:10], each.source or "", each.task)
        table.add_row(*map(_shown, cells), f"{each.count:,}", f"{each.left:,}")
    return table


def _writers_line(held: Contents) -> str:
    consents = ", ".join(f"{count:,} {consent}" for consent, count in sorted(held.writers.items()))
    known = sum(held.writers.values())
    line = f"Writers: {known:,}" + (f" (consent: {consents})" if known else "")
    line += f"; {held.nameless:,} samples of unknown writers" if held.nameless else ""
    line += f"; {held.forgotten:,} forgotten" if held.forgotten else ""
    return line + (". Consent is required." if held.require_consent else ".")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in {"samples", "left"} else "left", overflow="fold")
    return table


def _shown(text: str) -> str:
    from handfed.shared.printable import printable

    return printable(text)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=not stderr)


def _status(what: str) -> AbstractContextManager[object]:
    return _console(stderr=True).status(what)


def _progress(dataset: Dataset) -> AbstractContextManager[Callable[[int], None]]:
    from contextlib import contextmanager

    from rich.progress import Progress

    @contextmanager
    def shown() -> Iterator[Callable[[int], None]]:
        with Progress(console=_console(stderr=True), transient=True) as progress:
            bar = progress.add_task("Importing", total=len(dataset))
            yield lambda done: progress.update(bar, completed=done)

    return shown()


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    return dataclasses.asdict(value)


def _print_json(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, indent=2))


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        return "unknown"


def _now() -> datetime:
    from datetime import UTC, datetime

    return datetime.now(UTC)
