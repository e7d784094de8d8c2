"""`handfed data`: which data sets there are, and what is in one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console
    from rich.table import Table

    from handfed.shared.datasets import Dataset

commands = typer.Typer(help="The data sets that can be read, and what is in them.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

_BAR: Final = 40  # columns of the longest bar
_LISTED: Final = 100  # classes that are listed; a larger alphabet is cut
_PREVIEWED: Final = 20  # classes that are drawn
_PREVIEWED_TEXTS: Final = 3  # words or lines that are drawn
_DRAWN_WIDTH: Final = 14  # columns of a drawing
_INK: Final = 96  # of 255: a drawn pixel is set from here on


@commands.command(name="list")
def list_datasets(*, as_json: AsJson = False) -> None:
    """List the data sets that have a name here, and the formats that are read."""
    from handfed.clients.datasets import FORMATS, available

    rows = [{"name": each.name, "summary": each.summary, "licence": each.licence} for each in available()]
    if as_json:
        print(json.dumps({"datasets": rows, "formats": FORMATS}, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table("name", "what it is", "licence", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(Text(row["name"], style="bold"), Text(row["summary"]), Text(row["licence"]))
    if rows:
        console.print(table)
    else:
        console.print("No installed package offers a data set; handfed-simulations brings mnist5k.")
    console.print("\nYour own handwriting is read from a path:", markup=False)
    formats = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name, what in FORMATS.items():
        formats.add_row(Text(name, style="bold", no_wrap=True), Text(what))
    console.print(formats)


@commands.command()
def show(
    reference: Annotated[str, typer.Argument(help="A name from `handfed data list`, or a path.")],
    *,
    task: Annotated[str, typer.Option(help="What it shows: characters, words, lines, or a task file.")] = "characters",
    as_json: AsJson = False,
) -> None:
    """Read a data set, check it, and show its classes, its writers and some of its samples."""
    from handfed.clients.datasets import read

    dataset = read(reference, task)
    if as_json:
        print(json.dumps(_summary(dataset), ensure_ascii=False))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(
        Text(dataset.name, style="bold"), Text(f"{len(dataset):,} samples of {len(dataset.alphabet)} classes")
    )
    console.print(Text(f"source   {dataset.source}"))
    console.print(Text(f"licence  {dataset.licence}"))
    console.print(Text(f"writers  {_writers_line(dataset)}"))
    console.print()
    console.print(_class_table(dataset, console))
    if not console.options.ascii_only:
        console.print()
        if dataset.samples.are_texts:
            _preview_texts(dataset, console)
        else:
            _preview(dataset, console)


def _summary(dataset: Dataset) -> dict[str, Any]:
    counts = dataset.class_counts().tolist()
    return {
        "name": dataset.name,
        "source": dataset.source,
        "licence": dataset.licence,
        "samples": len(dataset),
        "classes": len(dataset.alphabet),
        "class_counts": dict(zip(dataset.alphabet.names, counts, strict=True)),
        "writers": _writers(dataset),
    }


def _writers(dataset: Dataset) -> dict[str, float] | None:
    """How many writers there are and how many samples each gave; None where they are unknown."""
    import numpy as np

    if dataset.writers is None:
        return None
    samples = np.bincount(dataset.writers)
    return {
        "count": dataset.writer_count,
        "samples_min": int(samples.min()),
        "samples_median": float(np.median(samples)),
        "samples_max": int(samples.max()),
    }


def _writers_line(dataset: Dataset) -> str:
    writers = _writers(dataset)
    if writers is None:
        return "unknown: images can be held out, writers cannot"
    return (
        f"{writers['count']:,}, of {writers['samples_min']:,} to {writers['samples_max']:,} samples each"
        f" (median {writers['samples_median']:,g})"
    )


def _class_table(dataset: Dataset, console: Console) -> Table:
    """Each class with its count and a bar; a large alphabet in several columns, without bars."""
    from rich.table import Table
    from rich.text import Text

    names = dataset.alphabet.names[:_LISTED]
    counts = dataset.class_counts()[: len(names)].tolist()
    few = len(names) <= _PREVIEWED
    cells = [[Text(name, style="bold"), Text(f"{count:,}")] for name, count in zip(names, counts, strict=True)]
    if few:
        block = "#" if console.options.ascii_only else "▇"
        for cell, count in zip(cells, counts, strict=True):
            cell.append(Text(block * max(1, round(count * _BAR / max(counts))), style="blue"))
    table = Table.grid(padding=(0, 2, 0, 0))
    width = max(cell[0].cell_len for cell in cells) + max(cell[1].cell_len for cell in cells) + 4
    across = 1 if few else max(1, console.width // width)
    for _ in range(across):
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
    down = -(-len(cells) // across)
    for line in range(down):
        table.add_row(*(text for cell in cells[line::down] for text in cell))
    if len(dataset.alphabet) > _LISTED:
        table.add_row(Text(f"… {len(dataset.alphabet) - _LISTED} more"))
    return table


def _preview(dataset: Dataset, console: Console) -> None:
    """Draws the first sample of each class, of the first 20 classes, at half size, side by side."""
    import numpy as np
    from rich.table import Table
    from rich.text import Text

    across = max(1, (console.width + 2) // (_DRAWN_WIDTH + 2))
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for _ in range(across):
        grid.add_column(width=_DRAWN_WIDTH, no_wrap=True, overflow="ellipsis")
    labels = range(min(len(dataset.alphabet), _PREVIEWED))
    for start in range(0, len(labels), across):
        group = labels[start : start + across]
        grid.add_row(*(Text(dataset.alphabet.names[label], style="bold", overflow="ellipsis") for label in group))
        samples = [dataset.images[int(np.argmax(dataset.labels == label))] for label in group]
        grid.add_row(*(Text("\n".join(_drawing(image))) for image in samples))
    console.print(grid)


def _preview_texts(dataset: Dataset, console: Console) -> None:
    """Draws the first texts at half size, each below what it says, as much of it as fits the console."""
    from rich.text import Text

    for text, image in zip(dataset.samples.written()[:_PREVIEWED_TEXTS], dataset.images, strict=False):
        said = "".join(dataset.alphabet.names[label] for label in text)
        console.print(Text(said, style="bold"), no_wrap=True, overflow="ellipsis")
        for line in _drawing(image[:, : 2 * console.width]):
            console.print(Text(line.rstrip()))


def _drawing(image: NDArray[np.uint8]) -> list[str]:
    """An image (4 h, 2 w) as h lines of w half blocks, each two pixels of 2 x 2."""
    import numpy as np

    height, width = image.shape
    small = image.reshape(height // 2, 2, width // 2, 2).astype(np.int64).mean(axis=(1, 3))
    ink = small >= _INK
    return [
        "".join(" ▄▀█"[2 * bool(top) + bool(bottom)] for top, bottom in zip(upper, lower, strict=True))
        for upper, lower in zip(ink[0::2], ink[1::2], strict=True)
    ]
