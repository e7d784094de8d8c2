"""What a simulation shows while it goes on, and when it is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.status import Status
from rich.table import Table
from rich.text import Text

from handfed.server import wording
from handfed.shared import targets, wire
from handfed.shared.run_settings import RunSettings

if TYPE_CHECKING:
    from handfed.server.flower.queries import Device
    from handfed.server.flower.state import RunState
    from handfed.server.runs.schemas import Rejection, RoundResult
    from handfed.simulations.alone import Alone
    from handfed.simulations.comparison.contents import Compared
    from handfed.simulations.decoders import Decoders
    from handfed.simulations.federation import Outcome
    from handfed.simulations.scenario import ScenarioFile

KINDS = {
    wire.DESCRIBE: "devices describe themselves",
    wire.MEASURE: "batch statistics",
    wire.CALIBRATE: "calibration",
    wire.TRAIN: "training",
    wire.EVALUATE: "evaluation",
    wire.JUDGE: "judging the INT8 file",
}


class Watch:
    """A listener and a progress in one: bars for rounds and devices on a terminal, a line every ten rounds elsewhere.

    Args:
        progress: Draws the bars.
        rounds: How many rounds there will be.
    """

    def __init__(self, progress: Progress, rounds: int) -> None:
        self._progress = progress
        self._rounds = progress.add_task("rounds", total=rounds, note="")
        self._devices = progress.add_task("devices", total=None, note="")

    def begin(self, title: str) -> None:
        """Says what is trained, where that is one of several."""
        self._progress.console.print(title)

    def __call__(self, kind: str, done: int, asked: int) -> None:
        """A device has answered."""
        self._progress.update(self._devices, total=asked, completed=done, note=KINDS.get(kind, kind))

    def described(self, devices: Mapping[int, Device], rejections: tuple[Rejection, ...]) -> None:
        """The devices are known."""
        if rejections:
            reasons = ", ".join(sorted({rejection.reason for rejection in rejections}))
            self._progress.console.print(f"{len(rejections)} devices take no part ({reasons})")
        images = sum(device.examples for device in devices.values())
        self._progress.console.print(f"{len(devices)} devices hold {images:,} images to train on")

    def round_started(self, number: int, phase: str, asked: int) -> None:
        """A round's messages go out."""

    def round_ended(self, result: RoundResult, state: RunState) -> None:  # noqa: ARG002 - a listener's signature
        """Shows how the round went."""
        note = f"{result.phase}: loss {_number(result.loss)}, accuracy {_percent(result.accuracy)}"
        self._progress.update(self._rounds, completed=result.number, note=note)
        if not self._progress.console.is_terminal and result.number % 10 == 0:
            self._progress.console.print(f"round {result.number}: {note}")
        if result.rejections:
            self._progress.console.print(f"round {result.number}: {len(result.rejections)} updates were not used")


def starting(*, quiet: bool) -> Status:
    """What stands on the terminal while TensorFlow is imported, which takes seconds; a context manager."""
    return Console(stderr=True, quiet=quiet).status("reading the data and starting TensorFlow")


@contextmanager
def watching(rounds: int, *, quiet: bool) -> Iterator[Watch]:
    """Shows progress on standard error while the block runs.

    Args:
        rounds: How many rounds there will be.
        quiet: Show nothing.
    """
    console = Console(stderr=True, quiet=quiet)
    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Watch(progress, rounds)


def closing(outcome: Outcome, report: str) -> Table:
    """The closing table: what was reached, beside its target."""
    verdict, difference = outcome.publication.verdict, outcome.publication.difference
    accuracy, size = verdict.accuracy_int8, len(outcome.publication.model)
    table = Table(title=f"Run {outcome.run}, release {outcome.publication.number}", title_justify="left")
    for heading in ("", "measured", "target", ""):
        table.add_column(heading, justify="left" if not heading else "right")
    aim = targets.ACCURACY_OF_TEXTS if outcome.of_texts else targets.ACCURACY
    what = f"{verdict.characters:,} held-out characters" if outcome.of_texts else f"{verdict.samples:,} held-out images"
    table.add_row("accuracy, INT8", f"{accuracy:.2%} of {what}", f">= {aim:.0%}", _mark(met=accuracy >= aim))
    table.add_row("accuracy, float", f"{verdict.accuracy_float:.2%}", "", "")
    for name, rate in outcome.error_rates().items():
        table.add_row(name.upper().replace("_", ", ").replace("FLOAT", "float"), f"{rate:.2%}", "", "")
    for name, rate in outcome.tolerant().items():
        table.add_row(name.replace("_", " ").replace("int8", "INT8,").replace("float", "float,"), f"{rate:.2%}", "", "")
    table.add_row(
        "float minus INT8",
        f"{difference.difference:.2%} ({difference.low:.2%} to {difference.high:.2%})",
        "",
        "",
    )
    table.add_row(
        "one inference",
        f"{outcome.latency_ms:.3f} ms",
        f"<= {targets.LATENCY_MS:.0f} ms",
        _mark(met=outcome.latency_ms <= targets.LATENCY_MS),
    )
    table.add_row(
        "size of the model",
        f"{size / 1000:.1f} KB",
        f"<= {targets.SIZE_BYTES / 1e6:.0f} MB",
        _mark(met=size <= targets.SIZE_BYTES),
    )
    table.add_row("time", f"{outcome.wall_s:.0f} s", "", "")
    table.add_row("memory", f"{outcome.peak_memory_bytes / 1e6:,.0f} MB", "", "")
    table.caption = f"model   {outcome.publication.directory}\nreport  {report}"
    table.caption_justify = "left"
    return table


def decoder_table(decoders: Decoders) -> Table:
    """How each decoder reads the held-out texts."""
    table = Table(title="Decoders", title_justify="left", caption=decoders.note(), caption_justify="left")
    table.add_column("", no_wrap=True)
    for heading in ("CER", "of new words", "WER", "texts right", "ECE", "ms"):
        table.add_column(heading, justify="right")
    for each in decoders.rows:
        rates = (each.cer, each.cer_new_words, each.wer, each.texts_right, each.expected_calibration_error)
        table.add_row(each.decoder, *map(_percent, rates), f"{each.decode_ms_median:.2f}")
    return table


def scenario_table(found: Sequence[ScenarioFile]) -> Table:
    """The scenarios that have a name; what a scenario leaves open is a dash."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("name", "what it is", "data", "partition", "devices", "rounds"):
        table.add_column(heading, justify="right" if heading in ("devices", "rounds") else "left")
    for each in found:
        values = {"rounds": RunSettings().rounds, **each.values}
        table.add_row(
            Text(each.name, style="bold", no_wrap=True),
            Text(each.summary),
            *(Text(str(values.get(name, "-")), no_wrap=True) for name in ("data", "partition", "devices", "rounds")),
        )
    return table


def run_table(compared: Sequence[Compared]) -> Table:
    """A row a run: what it differed in, and its closing figures."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run", justify="right")
    table.add_column("")
    for heading in ("INT8", "float", "to 95%", "to 99%", "sent", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in compared:
        table.add_row(
            str(each.run.id),
            Text(each.label if each.run.status == "done" else f"{each.label} ({each.run.status})"),
            _percent(each.figure("accuracy_int8")),
            _percent(each.figure("accuracy_float")),
            str(each.rounds_to(0.95) or "-"),
            str(each.rounds_to(0.99) or "-"),
            wording.megabytes(each.bytes_sent),
            "-" if (seconds := each.figure("wall_s")) is None else f"{seconds:.0f} s",
        )
    return table


def alone_table(alone: Alone) -> Table:
    """How devices read that trained alone."""
    figures = alone.summary()
    table = Table(
        title=f"{figures['devices']} devices, {figures['passes']} passes each over their own", title_justify="left"
    )
    table.add_column("of everybody's held-out images")
    table.add_column("accuracy", justify="right")
    for name in ("mean", "p10", "median", "p90", "best"):
        table.add_row(name, f"{figures[f'accuracy_{name}']:.2%}")
    return table


def _mark(*, met: bool) -> str:
    return "[green]✓[/green]" if met else "[red]✗[/red]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
