"""`handfed device import` and the other commands about the handwriting that a device keeps to itself.

`--json` prints an object of:

    import     {"import", "samples", "duplicates", "writers", "refused", "refused_writers", "not_kept",
               "attributed"}
    samples    {"kinds": [{"kind", "height", "training", "held_out", "feedback", "picked", "set_apart", "doubted",
               "unusable", "classes"}], "imports": [{"number", "at", "source", "task", "count", "left"}],
               "writers": {consent: count}, "nameless", "forgotten", "require_consent", "unlabelled",
               "unlabelled_unusable", "encrypted", "erased"}
    writers    {"writers": [{"number", "name", "consent", "noted_by", "noted_at", "samples", "held_out", "unlabelled"}]}
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
from handfed.clients.device.store.terminal import (
    console,
    tell_consent,
    tell_contents,
    tell_forgotten,
    tell_imported,
    tell_locked,
    tell_writers,
)
from handfed.shared.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from handfed.clients.device.store.importing import Imported, Incoming
    from handfed.clients.device.store.locks import Lock
    from handfed.clients.device.store.store import Store
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
    bool, typer.Option("--keyring", help="Keep the key in this user's keyring, without a passphrase.")
]
NewPassphraseFile = Annotated[
    Path | None, typer.Option(help="A file with the new passphrase on its first line; otherwise it is asked for.")
]
# Of what is imported.
Consent = Annotated[
    Literal["given", "unknown"], typer.Option(help="Whether its writers consented to training with it.")
]
Again = Annotated[bool, typer.Option("--again", help="Take back writers who were forgotten; they agree to it.")]
Side = Annotated[
    Literal["chance", "training", "held-out"],
    typer.Option(help="What its new writers are for, for good; say it where there are few."),
]

SIDES: Final = {"chance": None, "training": False, "held-out": True}


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
    consent: Consent = "unknown",
    again: Again = False,
    side: Side = "chance",
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Without labels: pictures in a folder, say.")
    ] = False,
    by: By = "",
    data: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take handwriting into the device's store: all of it, or nothing."""
    from handfed.clients.datasets import read
    from handfed.clients.datasets.loose import read_unlabelled
    from handfed.clients.device.store.importing import Incoming
    from handfed.shared import tasks

    found = tasks.find(task)
    with status("Reading the pictures"):
        dataset = read_unlabelled(reference, found) if unlabelled else read(reference, found, writer_ids=True)
    incoming = Incoming(dataset, found, tasks.name_of(task), label.strip(), writer, consent, again, SIDES[side])
    imported = taken_in(dataclasses.replace(incoming, unlabelled=unlabelled), by=by, data=data)
    print_json(import_as_json(imported)) if as_json else tell_imported(imported)


@commands.command()
def samples(*, data: DataDir = None, as_json: AsJson = False) -> None:
    """Count what is in the store: by task, side, class and import."""
    with open_store(data) as store:
        held, lock, erased = store.contents(), store.lock_kind(), store.is_erased()
    if as_json:
        print_json(_fields(held) | {"encrypted": lock is not None, "erased": erased})
        return
    tell_contents(held, lock, erased=erased)


@commands.command()
def writers(*, data: DataDir = None, as_json: AsJson = False) -> None:
    """List the writers, with their consent."""
    with open_store(data) as store:
        listed = store.writers()
    if as_json:
        print_json({"writers": [_fields(writer) for writer in listed]})
        return
    tell_writers(listed)


@commands.command()
def consent(
    writer: WriterArgument,
    answer: Annotated[Literal["given", "withdrawn"], typer.Argument(metavar="given|withdrawn", help="What they say.")],
    *,
    by: By = "",
    data: DataDir = None,
) -> None:
    """Note a writer's consent, or that it is withdrawn."""
    with open_store(data) as store:
        store.note_consent(writer, answer, by=by or user(), now=_now())
    if answer == "withdrawn":
        _discard_personal(data)
    tell_consent(answer)


@commands.command()
def forget(
    writer: WriterArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Delete a writer with all that he or she wrote, from this device's disk and from every later round."""
    with open_store(data) as store:
        found = store.writer(writer)
        name = printable(found.name or f"#{found.number}")
        question = f"Delete {found.samples + found.unlabelled:,} samples of {name} for good?"
        if not yes and not typer.confirm(question, err=True):
            raise typer.Exit(1)
        went, erased = store.forget(writer, now=_now())
        _discard_personal(data)
    if as_json:
        print_json(_fields(went) | {"erased": erased})
        return
    tell_forgotten(went, erased=erased, has_name=found.name is not None)


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
    feedback: Annotated[
        bool | None,
        typer.Option(
            "--feedback/--no-feedback", help="Take what people say of readings, or nothing.", show_default=False
        ),
    ] = None,
    keep_feedback: Annotated[
        str | None,
        typer.Option(
            metavar="DAYS|always|learn-and-erase",
            help="Keep feedback for so many days, for good, or until a round has trained on it.",
            show_default=False,
        ),
    ] = None,
    confirm: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT", help="Of readings to ask a person about, picked at random.", show_default=False
        ),
    ] = None,
    personal: Annotated[
        bool | None,
        typer.Option(
            "--personal/--no-personal",
            help="Learn a personal layer for this device, which never leaves it; used where it reads better.",
            show_default=False,
        ),
    ] = None,
    data: DataDir = None,
) -> None:
    """Show how the store is set, or set it."""
    from handfed.clients.device.personal import is_wanted, want
    from handfed.clients.device.store.retention import Retention, read_settings, write_settings

    changes: dict[str, Any] = {
        "taken": feedback,
        "retention": None if keep_feedback is None else Retention.parse(keep_feedback),
        "confirm": None if confirm is None else confirm / 100,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    with open_store(data, make=bool(changes) or require_consent is not None or personal is not None) as store:
        if require_consent is not None:
            store.require_consent(require_consent)
        if changes:
            write_settings(store, dataclasses.replace(read_settings(store), **changes))
        if personal is not None:
            want(store, folder.locate(data), wanted=personal)
        required, found, layer = store.contents().require_consent, read_settings(store), is_wanted(store)
    console().print(f"require consent: {'yes' if required else 'no'}")
    console().print(f"feedback: {'yes' if found.taken else 'no'}")
    console().print(f"keep feedback: {found.retention}{'' if found.retention.days is None else ' days'}")
    console().print(f"confirm: {100 * found.confirm:g} % of readings")
    console().print(f"personal layer: {'yes' if layer else 'no'}")


@commands.command()
def encrypt(
    *, keyring: UseKeyring = False, new_passphrase_file: NewPassphraseFile = None, data: DataDir = None
) -> None:
    """Encrypt the store: pictures, labels and names are then unreadable without a passphrase or this user's keyring."""
    with open_store(data, make=True) as store:
        if store.lock_kind() is None:
            gone = store.encrypt(_new_lock(new_passphrase_file, keyring=keyring))
            tell_locked("The store is encrypted.", gone=gone, keyring=keyring)
        else:
            console().print("The store is encrypted already; `handfed device passphrase` changes what opens it.")


@commands.command()
def decrypt(*, data: DataDir = None) -> None:
    """Put the store back in plain."""
    with open_store(data) as store:
        store.decrypt()
    console().print("The store is no longer encrypted: who can read this user's files can read the handwriting.")


@commands.command()
def passphrase(
    *, keyring: UseKeyring = False, new_passphrase_file: NewPassphraseFile = None, data: DataDir = None
) -> None:
    """Change what opens an encrypted store."""
    with open_store(data) as store:
        if store.lock_kind() is None:
            from handfed.shared.errors import SettingError

            raise SettingError("the store is not encrypted; `handfed device encrypt` does that")
        store.contents()  # asks for the old one before the new one
        gone = store.change_lock(_new_lock(new_passphrase_file, keyring=keyring))
    tell_locked("Changed.", gone=gone, keyring=keyring)


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


def open_store(data: Path | None, *, make: bool = False) -> Store:
    """The device's store, whose passphrase is asked for where it is needed.

    Args:
        data: The device's folder, as the command line says.
        make: Whether to make one where there is none.

    Raises:
        StorageError: There is none, or it cannot be opened.
    """
    from handfed.clients.device.store.store import Store

    device = folder.locate(data)
    if make and not device.exists():  # one that is there keeps its mode: it may be anything
        folder.make_private(device)
    return Store.open(folder.store_in(device), ask=passphrase_here, make=make)


def _discard_personal(data: Path | None) -> None:
    """Removes the personal layer, which was learnt also from what may no longer be used."""
    from handfed.clients.edge.personal import discard

    discard(folder.locate(data))


def passphrase_here() -> str:
    """The passphrase, from the file of a service, or of who sits at the terminal.

    Raises:
        LockedStoreError: Nobody is there, and no file is named.
        StorageError: The file cannot be read.
    """
    import os
    import sys

    from handfed.clients.device.store import locks

    if os.environ.get(locks.PASSPHRASE_FILE) or not sys.stdin.isatty():
        return locks.passphrase_from_file()
    asked: str = typer.prompt("Passphrase of the store", hide_input=True, err=True)
    return asked


def taken_in(incoming: Incoming, *, by: str, data: Path | None) -> Imported:
    """Imports into the store, and shows how far it is.

    Args:
        incoming: What is imported.
        by: Who imports it; empty for who is logged in.
        data: The device's folder; None for the usual one.

    Raises:
        StorageError: The disk is full, or the store cannot be used.
        UsageError: It cannot be imported like that.
    """
    with open_store(data, make=True) as store, _progress(incoming.dataset) as progress:
        return store.take_in(incoming, by=by or user(), now=_now(), progress=progress)


def import_as_json(imported: Imported) -> dict[str, Any]:
    """What came of an import, as `--json` has it."""
    return {("import" if name == "number" else name): value for name, value in _fields(imported).items()}


def status(what: str) -> AbstractContextManager[object]:
    """Says what goes on, on a terminal, for as long as it does."""
    return console(stderr=True).status(what)


def _progress(dataset: Dataset) -> AbstractContextManager[Callable[[int], None]]:
    from contextlib import contextmanager

    from rich.progress import Progress

    @contextmanager
    def shown() -> Iterator[Callable[[int], None]]:
        to = console(stderr=True)
        with Progress(console=to, transient=True, disable=not to.is_terminal) as progress:
            bar = progress.add_task("Importing", total=len(dataset))
            yield lambda done: progress.update(bar, completed=done)

    return shown()


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    return dataclasses.asdict(value)


def print_json(document: dict[str, Any]) -> None:
    """Prints the answer of `--json`."""
    typer.echo(json.dumps(document, indent=2))


def user() -> str:
    """The name of who is logged in."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        return "unknown"


def _now() -> datetime:
    from datetime import UTC, datetime

    return datetime.now(UTC)
