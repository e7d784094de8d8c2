"""What the commands about forms say, on the terminal of the person in charge of the device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handfed.clients.device.store.terminal import console
from handfed.shared.printable import printable

if TYPE_CHECKING:
    from handfed.clients.device.forms.code import Page
    from handfed.clients.device.forms.samples import Forms, ReadPage


def tell_printed(file: Path, pages: Sequence[Page], people: int) -> None:
    """Says what was printed, and what to do with it."""
    boxes = sum(len(page.labels) for page in pages)
    to = console()
    whom = f"for {people} people" if people > 1 else "for one person"
    to.print(f"{printable(str(file))}: {_counted(len(pages), 'page')} {whom}, {boxes:,} boxes.")
    to.print("Print it, have it filled in, and photograph or scan each page with all four corner marks.")
    to.print("Then `handfed device import-scan` takes it in. A form is for one person; do not copy printed pages.")


def tell_read(forms: Forms) -> None:
    """Says what was found on each page."""
    from rich import box
    from rich.table import Table

    from handfed.clients.device.forms.cutting import Verdict

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("picture", "form", "writer"):
        table.add_column(name, overflow="fold")
    verdicts = [verdict for verdict in Verdict if any(page.counts()[verdict] for page in forms.pages)]
    for name in ("boxes", *verdicts):
        table.add_column(name, justify="right")
    for page in forms.pages:
        names = (Path(page.where).name, page.page.name, page.page.writer or "unknown")
        counts = page.counts()
        table.add_row(*map(printable, names), str(len(page.cuts)), *(str(counts[verdict]) for verdict in verdicts))
    to = console()
    to.print(table)
    if forms.blank:
        to.print(f"{_counted(forms.blank, 'blank page')} passed over.")
    if forms.repeated():
        to.print(f"There twice, and counted once: {', '.join(forms.repeated())}.")


def page_as_json(read: ReadPage) -> dict[str, Any]:
    """A page as `--json` has it."""
    counts = {verdict.name.lower(): count for verdict, count in read.counts().items()}
    return {
        "file": read.where,
        "form": read.page.name,
        "page": read.page.number,
        "of": read.page.of,
        "kind": read.page.kind.name,
        "boxes": len(read.cuts),
        **counts,
    }


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")
