"""What each choice of the default settings is worth: the main job without it, three seeds each, side by side."""

from __future__ import annotations

import statistics
from pathlib import Path

from rich.console import Console
from rich.table import Table

from handfed.simulations.benchmarks.commands import handfed

SEEDS = (0, 1, 2)
VARIANTS: dict[str, list[str]] = {
    "as it is": [],
    "plain FedAvg (no server momentum)": ["--strategy", "fedavg"],
    "no label prior": ["--label-prior", "0"],
    "running batch statistics, fixed only for quantization": [
        "--batch-statistics", "running", "--freeze-round", "37",
    ],
    "running batch statistics, fixed at round 20": ["--batch-statistics", "running", "--freeze-round", "20"],
    "plain FedAvg, running statistics, no label prior": [
        "--strategy", "fedavg", "--batch-statistics", "running", "--freeze-round", "37", "--label-prior", "0",
    ],
    "cross-entropy instead of focal loss": ["--focal-gamma", "0"],
    "no augmentation": ["--augmentation", "0"],
}  # fmt: skip


def run(directory: Path, console: Console) -> None:
    """`handfed simulate --seed N` with one setting changed."""
    table = Table("variant", "INT8, mean", "least", "float, mean", "calibrated only, mean")
    for name, changes in VARIANTS.items():
        found = [
            handfed(["simulate", "--seed", str(seed), "--float-margin", "1", *changes], data_dir=directory)
            for seed in SEEDS
        ]
        table.add_row(
            name,
            f"{statistics.mean(each['accuracy_int8'] for each in found):.2%}",
            f"{min(each['accuracy_int8'] for each in found):.2%}",
            f"{statistics.mean(each['accuracy_float'] for each in found):.2%}",
            f"{statistics.mean(each['accuracy_int8_calibrated_only'] for each in found):.2%}",
        )
        console.print(f"{name}: done")
    console.print(table)
