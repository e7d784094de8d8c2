"""What augmentation is worth on deformed digits: the main job without any, as it is, and with every kind."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from handfed.shared.litert import Int8Model
from handfed.simulations.benchmarks.commands import handfed
from handfed.simulations.datasets.mnist5k import MNIST5K
from handfed.simulations.partition import split
from handfed.simulations.robustness import AS_WRITTEN, DEFORMATIONS, accuracies
from handfed.simulations.scenario import SCENARIO, Scenario

SEEDS: Final = (0, 1, 2)
INK_AND_PAPER: Final = [
    *("--stroke-width", "0.5", "--noise", "0.1", "--salt-and-pepper", "0.03", "--backgrounds", "0.5"),
    *("--polarity", "0.3"),
]
TRAINED_WITH: Final[dict[str, list[str]]] = {
    "no augmentation": ["--augmentation", "0"],
    "deformations (the default)": [],
    "and ink and paper": INK_AND_PAPER,
}
READ: Final[dict[str, tuple[str, ...]]] = {
    "as written": (AS_WRITTEN,),
    "turned, scaled, shifted, bent": ("rotation", "scale", "shift", "elastic"),
    "noise": ("noise",),
    "salt and pepper": ("salt-and-pepper",),
    "paper, watermark": ("paper", "watermark"),
    "thin, thick": ("thin-stroke", "thick-stroke"),
    "polarity": ("dark-on-light",),
    "all together": ("all-together",),
    "mean of deformed": DEFORMATIONS,
}


def run(directory: Path, console: Console) -> None:
    """`handfed simulate --seed N`, and what its INT8 model reads of held-out digits that were deformed."""
    table = Table("trained with", *READ)
    for name, changes in TRAINED_WITH.items():
        found = [_read(seed, changes, directory) for seed in SEEDS]
        figures = [statistics.mean(each[kind] for each in found for kind in kinds) for kinds in READ.values()]
        table.add_row(name, *(f"{figure:.1%}" for figure in figures))
        console.print(f"{name}: done")
    console.print(table)


def _read(seed: int, changes: list[str], directory: Path) -> dict[str, float]:
    """Fractions by deformation, pictures normalised as on a device."""
    found = handfed(["simulate", "--seed", str(seed), "--float-margin", "1", *changes], data_dir=directory)
    dataset = MNIST5K.load()
    ran = Scenario.from_toml((directory / "runs" / f"{found['run']:04d}" / SCENARIO).read_text())
    partition = split(dataset, scheme=ran.partition, devices=ran.devices, held_out=ran.held_out, seed=seed)
    rows = np.flatnonzero(partition.held_out)
    model = Int8Model(Path(found["model_path"]).read_bytes())
    return accuracies(model, dataset.images[rows], dataset.labels[rows])
