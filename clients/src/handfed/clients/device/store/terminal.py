"""What the commands about a device's handwriting say, on the terminal of the person in charge of it.

Names are shown as they are, whatever a terminal would take them for. Rich is imported where something is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handfed.shared.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from handfed.clients.device.store.contents import Contents, Kind
    from handfed.clients.device.store.importing import Imported
    from handfed.clients.device.store.writers import Forgotten, Writer

INFLUENCE: Final = (
    "What was learned from it before stays, as a trace among many, in models that were published and in the model that"
    " the federation trains: no round from now on sees it, and nothing takes it out of those."
)
_LATER: Final = (
    "Another process reads the store just now, so the bytes are still on the disk; they go when a command next opens"
    " the store, such as `handfed device samples`."
)
_CLASSES_SHOWN: Final = 200


def console(*, stderr: bool = False) -> Console:
    """The terminal."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=not stderr)


def tell_imported(imported: Imported) -> None:
    """Says what came of an import."""
    to = console()
    if imported.number is None:
        to.print("Nothing is new.")
    else:
        writers = _counted(imported.writers, "writer")
        to.print(f"{imported.samples:,} samples of {writers} are import {imported.number}.")
    if imported.duplicates:
        to.print(f"{imported.duplicates:,} were there already, and were not taken twice.")
    if imported.attributed:
        to.print(
            f"{imported.attributed:,} were there without a writer's name, and are of the writers of this import now:"
            " their consent rules, and `handfed device forget` finds them."
        )
    if imported.not_kept:
        to.print(
            f"{imported.not_kept:,} without a label are on the side that is held out, and were not kept: they could"
            " not judge. --side training takes new writers whole."
        )
    if imported.refused:
        writers = _counted(imported.refused_writers, "forgotten writer")
        to.print(
            f"{imported.refused:,} samples of {writers} were passed over: whoever asked to be forgotten does not come"
            " back unseen. --again takes them back, if they agree."
        )


def tell_contents(held: Contents, lock: str | None, *, erased: bool) -> None:
    """Says what is in the store.

    Args:
        held: What is in it.
        lock: What opens it; None where it is not encrypted.
        erased: Whether everything that was deleted is gone from the disk.
    """
    to = console()
    if not held.kinds and not held.unlabelled:
        to.print("The store is empty; `handfed device import` brings handwriting.")
    for kind in held.kinds:
        _tell_kind(to, kind)
    if held.unlabelled:
        unusable = f"; {held.unlabelled_unusable:,} not used, for consent" if held.unlabelled_unusable else ""
        to.print(f"Without a label: {held.unlabelled:,} pictures, for runs that set pseudo-labels{unusable}.")
    if held.imports:
        table = _table("import", "on", "called", "task", "samples", "left")
        for each in held.imports:
            cells = (str(each.number), each.at[:10], each.source or "", each.task)
            table.add_row(*map(printable, cells), f"{each.count:,}", f"{each.left:,}")
        to.print(table)
    to.print(_writers_line(held))
    to.print(f"Encrypted: {f'yes, opened by a {lock}' if lock else 'no'}")
    if not erased:
        to.print(
            "Something that was deleted is still on the disk: free space, stop what reads the store, run this again."
        )


def tell_writers(listed: Sequence[Writer]) -> None:
    """Lists writers."""
    table = _table("writer", "number", "consent", "noted by", "on", "samples", "no label", "side")
    for each in listed:
        side = "both" if 0 < each.held_out < each.samples else ("held out" if each.held_out else "training")
        cells = (each.name or "unknown", f"#{each.number}", each.consent, each.noted_by or "")
        date, counts = (each.noted_at or "")[:10], (f"{each.samples:,}", f"{each.unlabelled:,}")
        table.add_row(*map(printable, cells), date, *counts, side if each.samples or each.unlabelled else "")
    console().print(table)


def tell_consent(answer: str) -> None:
    """Says what a consent, or its withdrawal, means."""
    to = console()
    if answer == "given":
        to.print("Noted: the handwriting may be used.")
        return
    to.print("Noted: the handwriting is kept, and not used from the next round on. `handfed device forget` deletes it.")
    to.print(INFLUENCE)


def tell_forgotten(went: Forgotten, *, erased: bool, has_name: bool) -> None:
    """Says what is gone, and what is not."""
    to = console()
    gone = "are erased from this device's disk" if erased else "are deleted"
    to.print(f"{went.samples:,} samples and the name {gone}; no later round uses them.")
    if not erased:
        to.print(_LATER)
    if has_name:
        to.print(
            "A keyed hash of the name stays, so that an import of an old folder does not bring the writer back;"
            " `handfed device import --again` would."
        )
    else:
        to.print("As the writer had no name, a later import of the same files would bring the samples back.")
    to.print("Delete the files that they were imported from, and backups of this device, yourself.")
    to.print(INFLUENCE)


def tell_locked(done: str, *, gone: bool, keyring: bool) -> None:
    """Says what a store that is encrypted, or locked anew, asks of its user.

    Args:
        done: What was done.
        gone: Whether what was there before is gone from the disk.
        keyring: Whether the keyring opens it, and not a passphrase.
    """
    to = console()
    to.print(done)
    if not gone:
        to.print(_LATER)
    if keyring:
        to.print("Only this user's keyring opens it. Without the keyring the handwriting is lost.")
    else:
        to.print(
            "Keep the passphrase: without it the handwriting is lost. A service reads it from the file that"
            " HANDFED_PASSPHRASE_FILE names."
        )


def _tell_kind(to: Console, kind: Kind) -> None:
    unusable = f"; {kind.unusable:,} not used, for want of consent" if kind.unusable else ""
    counts = f"{kind.training:,} training, {kind.held_out:,} held out{unusable}"
    to.print(f"{kind.kind}, {kind.height} pixels high: {counts}", style="bold")
    if kind.feedback or kind.picked or kind.set_apart:
        to.print(
            f"  of it feedback: {kind.feedback:,} of people's own accord; {kind.picked:,} picked at random"
            + (f"; besides, {kind.set_apart:,} not used, of writers who are held out" if kind.set_apart else "")
        )
    if kind.doubted:
        to.print(
            f"  {_counted(kind.doubted, 'sample')} to look at once more, and not trained on: handfed device review"
        )
    if kind.classes:
        shown = [f"{printable(name)} {count:,}" for name, count in list(kind.classes.items())[:_CLASSES_SHOWN]]
        more = len(kind.classes) - len(shown)
        to.print("  " + "  ".join([*shown, f"and {more:,} more"] if more else shown))
    if not kind.held_out:
        to.print("  Nothing is held out, so this device evaluates nothing: import another writer with --side held-out.")
    if not kind.training:
        to.print("  All of it is held out, so this device trains nothing: import another writer with --side training.")


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
        table.add_column(name, justify="right" if name in {"samples", "no label", "left"} else "left", overflow="fold")
    return table
