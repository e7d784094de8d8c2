"""The 539 writers of MNIST's training digits: every figure on writers that no device ever trained on.

The file with the writers' ids is not part of Handfed; where it is absent, these benchmarks say so and do nothing.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from handfed.shared.errors import HandfedError
from handfed.shared.run_settings import option
from handfed.simulations.benchmarks.commands import command, handfed
from handfed.simulations.faults import Faults

DATA: Final = Path("../shared/data/digits_mnist_writers.npz")
MILESTONES: Final = (0.95, 0.98, 0.99)
SEEDS: Final = (0, 1, 2)
SMALL_STEPS: Final = ["--gradient-accumulation", "1", "--batch-size", "64", "--evaluate-every", "10"]
RECOMMENDED: Final = ["--norm-bound", "3", "--direction-bound", "0"]


def writers(directory: Path, console: Console) -> None:
    """A device for each writer, a tenth of them held out, a tenth of the others in a round; in one place; alone."""
    if not there(console):
        return
    federated = [_simulated(["--partition", "writer", "--seed", str(seed)], directory) for seed in SEEDS]
    table = _table("seed")
    for seed, each in zip(SEEDS, federated, strict=True):
        _row(table, str(seed), each)
    _row(table, "in one place, seed 0", _simulated(["--partition", "writer"], directory, command_name="train"))
    console.print(table)
    alone = handfed(["simulate", "--data", str(DATA), "--partition", "writer", "--local-only"], data_dir=directory)
    console.print(
        f"{alone['devices']} writers alone, {alone['passes']} passes each: mean {alone['accuracy_mean']:.2%},"
        f" median {alone['accuracy_median']:.2%}, best {alone['accuracy_best']:.2%}"
    )


def classes(directory: Path, console: Console) -> None:
    """Two classes a device, and one class a device: the literature's pathological splits."""
    if not there(console):
        return
    table = _table("partition")
    for partition in ("shards:2", "shards:1"):
        _row(table, partition, _simulated(["--partition", partition], directory))
    for steps in (1, 5):
        for rounds in (50, 200, 500):
            found = _simulated(
                ["--partition", "shards:1", "--rounds", str(rounds), "--local-steps", str(steps), *SMALL_STEPS],
                directory,
            )
            _row(table, f"shards:1, {rounds} rounds of {steps} steps of 64 images", found)
    console.print(table)


def hostile(directory: Path, console: Console) -> None:
    """A fifth of the devices fail or lie, each kind for itself: what is recommended, and plain FedAvg beside it."""
    if not there(console):
        return
    base = ["--partition", "writer", "--rounds", "60", "--qat-rounds", "2", "--local-epochs", "1"]
    plain = ["--strategy", "fedavg", "--norm-bound", "0", "--direction-bound", "-1"]
    table = Table("a fifth of the devices", "recommended", "plain FedAvg")
    for fault in ("", *(option(field.name) for field in fields(Faults))):
        lying = [f"--{fault}", "0.2"] if fault else []
        figures = [_accuracy([*base, *lying, *more], directory) for more in (RECOMMENDED, plain)]
        table.add_row(fault or "(none)", *figures)
        console.print(f"{fault or 'clean'}: done")
    console.print(table)


def there(console: Console) -> bool:
    """Whether the file is here; if not, it says so."""
    if not DATA.exists():
        console.print(f"{DATA} is not here: these figures need MNIST's digits with their writers' ids")
    return DATA.exists()


def _accuracy(arguments: list[str], directory: Path) -> str:
    """INT8 accuracy, or why there is none."""
    try:
        return f"{_simulated([*arguments, '--float-margin', '1'], directory)['accuracy_int8']:.2%}"
    except HandfedError as error:
        return str(error).splitlines()[-1][:60]


def _simulated(arguments: list[str], directory: Path, command_name: str = "simulate") -> dict[str, Any]:
    found = handfed([command_name, "--data", str(DATA), *arguments], data_dir=directory)
    shown = subprocess.run(  # noqa: S603 - the command of this environment
        [str(command()), "runs", "show", str(found["run"]), "--json", "--data-dir", str(directory)],
        capture_output=True,
        text=True,
        check=True,
    )
    found["on_record"] = json.loads(shown.stdout)["rounds"]
    return found


def _table(first: str) -> Table:
    milestones = [f"rounds to {milestone:.0%}" for milestone in MILESTONES]
    return Table(first, "INT8", "float", "worst decile of writers", *milestones, "MB sent", "s", "MB of memory")


def _row(table: Table, name: str, found: dict[str, Any]) -> None:
    rounds = found["on_record"]
    reached = [
        next((str(each["number"]) for each in rounds if (each["accuracy"] or 0) >= milestone), "-")
        for milestone in MILESTONES
    ]
    table.add_row(
        name,
        f"{found['accuracy_int8']:.2%}",
        f"{found['accuracy_float']:.2%}",
        f"{found['writers']['worst_decile']:.2%}",
        *reached,
        f"{sum(each['bytes_down'] + each['bytes_up'] for each in rounds) / 1e6:,.0f}",
        f"{found['wall_s']:.0f}",
        f"{found['peak_memory_bytes'] / 1e6:,.0f}",
    )
