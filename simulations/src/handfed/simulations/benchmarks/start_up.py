"""How long a person waits for the command itself."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from handfed.clients.edge import releases
from handfed.simulations.benchmarks.commands import handfed, seconds
from handfed.simulations.datasets.mnist5k import MNIST5K

REPETITIONS = 7


def run(directory: Path, console: Console) -> None:
    """`handfed --help`, and `handfed recognise` of one image from a cold start."""
    release_in(directory)
    picture = directory / "digit.png"
    Image.fromarray(255 - np.kron(MNIST5K.load().images[0], np.ones((8, 8), np.uint8))).save(picture)
    table = Table("command", "median s", "at most s")
    for arguments, most in ((["--help"], 0.3), (["recognise", str(picture)], 0.8)):
        shown = "handfed " + " ".join(arguments[:1])
        table.add_row(shown, f"{seconds(arguments, data_dir=directory, repetitions=REPETITIONS):.2f}", f"{most}")
    console.print(table)
    if find_spec("tensorflow"):
        console.print("TensorFlow is installed here, and neither command imports it.")


def release_in(directory: Path) -> Path:
    """The release of a data directory, which is made by a short run where there is none."""
    if not (directory / "releases").exists():
        handfed(["simulate", "--rounds", "3", "--qat-rounds", "1", "--float-margin", "1"], data_dir=directory)
    return releases.newest(directory)
