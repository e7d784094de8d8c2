"""The main job with its default settings: three seeds, one of them twice."""

from __future__ import annotations

import statistics
from pathlib import Path

from rich.console import Console
from rich.table import Table

from handfed.shared.metrics import paired_difference
from handfed.simulations.benchmarks.commands import handfed

SEEDS = (0, 1, 2)


def run(directory: Path, console: Console) -> None:
    """`handfed simulate --seed N`: 20 devices, Dirichlet(0.3), mnist5k, a fifth of the images held out."""
    found = [handfed(["simulate", "--seed", str(seed)], data_dir=directory) for seed in SEEDS]
    again = handfed(["simulate", "--seed", str(SEEDS[0])], data_dir=directory)
    table = Table("seed", "INT8", "INT8, calibrated only", "float", "float - INT8", "KB", "ms", "s", "MB")
    for seed, each in zip(SEEDS, found, strict=True):
        table.add_row(
            str(seed),
            f"{each['accuracy_int8']:.2%}",
            f"{each['accuracy_int8_calibrated_only']:.2%}",
            f"{each['accuracy_float']:.2%}",
            f"{each['float_minus_int8']['difference']:.2%}",
            f"{each['size_bytes'] / 1000:.1f}",
            f"{each['latency_ms_median']:.3f}",
            f"{each['wall_s']:.0f}",
            f"{each['peak_memory_bytes'] / 1e6:,.0f}",
        )
    console.print(table)
    accuracies = [each["accuracy_int8"] for each in found]
    console.print(
        f"INT8 over seeds {SEEDS}: mean {statistics.mean(accuracies):.2%}, least {min(accuracies):.2%},"
        f" standard deviation {statistics.stdev(accuracies):.2%}; split by image, since these carry no writer"
    )
    samples = sum(each["samples"] for each in found)
    difference = paired_difference(
        sum(each["float_minus_int8"]["only_float"] for each in found),
        sum(each["float_minus_int8"]["only_int8"] for each in found),
        samples,
    )
    console.print(
        f"float minus INT8, paired over {samples:,} readings: {difference.difference:.2%}"
        f" (95 % interval {difference.low:.2%} to {difference.high:.2%})"
    )
    same = found[0]["weights_sha256"] == again["weights_sha256"]
    console.print(f"seed {SEEDS[0]} again: the weights are {'the same to the bit' if same else 'NOT the same'}")
