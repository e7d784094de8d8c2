"""What the edge's commands show on a terminal: readings, an evaluation, and how far it is."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from handfed.clients.edge.detection import BoxReading, PageReading
    from handfed.clients.edge.evaluation import Evaluation
    from handfed.clients.edge.recogniser import Reading
from handfed.shared import targets
from handfed.shared.errors import HandfedError
from handfed.shared.printable import printable

_PIPE_WIDTH: Final = 10_000  # columns, of which a table takes what it needs
_WEAKEST: Final = 5  # classes that are listed
_Column = tuple[str, Literal["left", "right"]]
_READING: Final[tuple[_Column, ...]] = (("text", "left"), ("confidence", "right"), ("alternatives", "left"))


def console() -> Console:
    """Standard output; what its encoding lacks is replaced, and in a pipe no line is folded."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def error_console() -> Console:
    """Standard error, for progress and for what went wrong."""
    return Console(stderr=True, highlight=False)


def print_error(to: Console, error: HandfedError) -> None:
    """Shows an error as the command shows one that ends it."""
    to.print(Text(printable(f"handfed: {error}"), style="red"), soft_wrap=True)


def print_readings(to: Console, found: Sequence[tuple[Path, Reading]]) -> None:
    """A line for each image that was read."""
    table = _table(("image", "left"), *_READING)
    for image, reading in found:
        table.add_row(Text(printable(str(image))), *_cells(reading))
    if table.row_count:
        table.columns[0].overflow = "fold"
        table.columns[0].no_wrap = False
        to.print(table)
    for image, reading in found:
        if reading.pick is not None:
            to.print(
                Text(f"Please confirm, or correct: handfed edge feedback {printable(str(image))} --pick {reading.pick}")
            )


def print_pages(to: Console, found: Sequence[tuple[Path, PageReading]]) -> None:
    """For each page that was read its text, and a line for each character."""
    for image, page in found:
        characters = "1 character" if len(page.boxes) == 1 else f"{len(page.boxes)} characters"
        to.print(Text(f"{printable(str(image))}: {characters}", style="bold"), soft_wrap=True)
        if not page.boxes:
            continue
        to.print(Text(page.text), soft_wrap=True)
        to.print()
        table = _table(("line", "right"), *((edge, "right") for edge in page.boxes[0].box._fields), *_READING)
        for number, line in enumerate(page.lines, start=1):
            for reading in line:
                table.add_row(str(number), *map(str, reading.box), *_cells(reading))
        to.print(table)
        to.print()


def _cells(reading: Reading | BoxReading) -> tuple[Text, Text, Text]:
    """What is said of a character, in the columns `_READING`."""
    others = "  ".join(f"{text} {probability:.1%}" for text, probability in reading.alternatives)
    return Text(reading.text, style="bold"), Text(f"{reading.confidence:.1%}"), Text(others, style="dim")


def print_evaluation(to: Console, result: Evaluation, confusions: int) -> None:
    """The figures beside their targets, writers, weak classes and confusions."""
    what = "the model" if result.release is None else f"release {result.release}"
    heading = f"{what} on {printable(result.data)}: {result.samples:,} images, {len(result.classes)} classes"
    to.print(Text(heading[0].upper() + heading[1:], style="bold"))
    for name, rate in result.error_rates().items():
        to.print(f"{name.upper()} {rate:.2%}")
    for name, rate in result.tolerant().items():
        to.print(f"{rate:.2%} right, {name.replace('_', ' ')}")
    _print_writers(to, result)
    _print_classes(to, result)
    _print_confusions(to, result, confusions)
    to.print()
    to.print(_targets(result, ascii_only=to.options.ascii_only))
    threads = "1 thread" if result.threads == 1 else f"{result.threads} threads"
    to.print(Text(f"{result.images_per_second:,.0f} images a second in batches, with {threads}", style="dim"))


def _targets(result: Evaluation, *, ascii_only: bool) -> Table:
    table = _table(("", "left"), ("measured", "right"), ("target", "right"), ("", "left"))
    aim = targets.ACCURACY_OF_TEXTS if result.of_texts else targets.ACCURACY
    rows = (
        ("accuracy", f"{result.accuracy:.2%}", f"at least {aim:.0%}", result.accuracy >= aim),
        (
            "latency of one image (median)",
            f"{result.latency_ms_median:.3f} ms",
            f"at most {targets.LATENCY_MS:g} ms",
            result.latency_ms_median <= targets.LATENCY_MS,
        ),
        (
            "size of the model",
            f"{result.size_bytes / 1e6:.3f} MB",
            f"at most {targets.SIZE_BYTES / 1e6:g} MB",
            result.size_bytes <= targets.SIZE_BYTES,
        ),
    )
    signs = ("no", "yes") if ascii_only else ("✗", "✓")
    for name, measured, target, met in rows:
        table.add_row(name, measured, target, Text(signs[met], style="bold green" if met else "bold red"))
    return table


def _print_writers(to: Console, result: Evaluation) -> None:
    if result.writers is None:
        to.print("writers unknown")
        return
    spread = result.writers
    to.print(
        f"{spread.count:,} writers: median {spread.median:.2%}, 10th to 90th percentile {spread.p10:.2%} to"
        f" {spread.p90:.2%}, worst tenth {spread.worst_decile:.2%}, Gini {spread.gini:.3f}"
    )


def _print_classes(to: Console, result: Evaluation) -> None:
    weak = sorted((each for each in result.classes if each.accuracy < 1), key=lambda each: each.accuracy)[:_WEAKEST]
    if not weak:
        return
    table = _table(("weakest classes", "left"), ("accuracy", "right"), ("samples", "right"))
    for each in weak:
        table.add_row(Text(each.name), f"{each.accuracy:.2%}", f"{each.samples:,}")
    to.print()
    to.print(table)


def _print_confusions(to: Console, result: Evaluation, most: int) -> None:
    found = result.confusions(most)
    if not found:
        return
    table = _table(("written", "left"), ("read as", "left"), ("times", "right"))
    for label, reading, count in found:
        table.add_row(Text(label or "nothing"), Text(reading or "nothing"), f"{count:,}")
    to.print()
    to.print(table)


def _table(*columns: _Column) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for name, side in columns:
        table.add_column(name, justify=side, no_wrap=True)
    return table


@contextmanager
def waiting(to: Console, what: str, *, shown: bool) -> Iterator[None]:
    """Says what takes a while, for as long as it takes."""
    with to.status(Text(printable(what))) if shown else nullcontext():
        yield


@contextmanager
def progress(to: Console, images: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar that vanishes when it is full; what is yielded moves it on by so many images."""
    if not shown:
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=to, transient=True) as bar:
        task = bar.add_task("images", total=images)
        yield lambda count: bar.advance(task, count)


@contextmanager
def download(to: Console, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar of bytes that vanishes when it is full; what is yielded is told how many have come, and of how many."""
    if not shown:
        yield lambda _done, _all: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=to, transient=True) as bar:
        task = bar.add_task("release", total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)
