"""What federated learning costs: a round against central training, and the whole way against Flower's usual one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from handfed.simulations.benchmarks.commands import command, environment
from handfed.simulations.benchmarks.figures import Figure, figures_table
from handfed.simulations.benchmarks.processes import apart, spent
from handfed.simulations.benchmarks.rounds import BATCH, DEVICES, HELD_OUT, ROUNDS
from handfed.simulations.benchmarks.steady_round import CHUNKS, STEADY, side_by_side

LIMIT_S: Final = 600.0

ROUND_AIM: Final = 1.0  # federated by central CPU time
WALL_AIM: Final = 5.0  # times
MEMORY_AIM: Final = 3.0  # times

WHOLE: Final = (
    "simulate", "--data", "mnist5k", "--partition", "iid", "--devices", str(DEVICES), "--held-out", str(HELD_OUT),
    "--rounds", str(ROUNDS), "--qat-rounds", "1", "--local-epochs", "1", "--batch-size", str(BATCH),
    "--strategy", "fedavg", "--augmentation", "0", "--dropout", "0", "--float-margin", "1",
    "--engine", "in-process", "--json",
)  # fmt: skip
ROUNDS_ALONE: Final = ("-m", "handfed.simulations.benchmarks.rounds")
# Not `-m`: actors of Ray find the app in its module, as that of a person, and not in `__main__`.
NAIVE: Final = ("-c", "from handfed.simulations.benchmarks.naive_flower import main; main()")


def run(directory: Path, console: Console) -> None:
    """Both comparisons, one after the other."""
    _rounds(console)
    _whole_runs(directory, console)


def _rounds(console: Console) -> None:
    default, tuned = CHUNKS
    figures, notes = [], []
    for name, augmentation in (("without augmentation", 0.0), ("with augmentation", 1.0)):
        costs = apart(side_by_side, augmentation)
        figures.append(Figure(f"a round / a central epoch, {name}", costs.ratios[default], ROUND_AIM, "less"))
        notes.append(
            f"{name}: a round {costs.round_s:.2f} s, Keras' fit {costs.epochs_s[default]:.2f} s; with"
            f" steps_per_execution={tuned} {costs.epochs_s[tuned]:.2f} s (ratio {costs.ratios[tuned]:.2f})"
        )
    console.print(
        figures_table(figures, caption=f"CPU time on one thread; median of {STEADY} rounds and epochs in turns.")
    )
    console.print("\n".join(notes), highlight=False)


def _whole_runs(directory: Path, console: Console) -> None:
    naive = spent((sys.executable, *NAIVE), environment=_naive_environment(directory), limit_s=LIMIT_S)
    alone = spent((sys.executable, *ROUNDS_ALONE), environment=environment(directory), limit_s=LIMIT_S)
    whole = spent((str(command()), *WHOLE), environment=environment(directory), limit_s=LIMIT_S)
    table = Table("way", "s", "MB", caption=f"{DEVICES} devices, 400 images each, {ROUNDS} rounds, batches of {BATCH}.")
    for name, each in (
        ("Flower and Ray, model built for every message", naive),
        ("Handfed's rounds, as many", alone),
        ("handfed simulate: with quantization, release and report", whole),
    ):
        table.add_row(name, f"{each.wall_s:.1f}", f"{each.peak_bytes / 1e6:,.0f}")
    console.print(table)
    figures = [
        Figure("wall time, Flower and Ray / Handfed's rounds", naive.wall_s / alone.wall_s, WALL_AIM, "more", ".1f"),
        Figure("wall time, Flower and Ray / handfed simulate", naive.wall_s / whole.wall_s, WALL_AIM, "more", ".1f"),
        Figure(
            "memory, Flower and Ray / Handfed's rounds", naive.peak_bytes / alone.peak_bytes, MEMORY_AIM, "more", ".1f"
        ),
        Figure(
            "memory, Flower and Ray / handfed simulate", naive.peak_bytes / whole.peak_bytes, MEMORY_AIM, "more", ".1f"
        ),
    ]
    console.print(figures_table(figures, caption="Whole processes from a cold start, with all that they start."))


def _naive_environment(directory: Path) -> dict[str, str]:
    """Flower at home in `directory`, and nothing reported to anybody."""
    return {
        **os.environ,
        "FLWR_HOME": str(directory / "flower"),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ADDRESS": "local",  # not a cluster that somebody else has on this machine
    }
