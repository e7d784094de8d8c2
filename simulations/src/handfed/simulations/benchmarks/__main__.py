"""`python -m handfed.simulations.benchmarks [NAME ...]`: without a name, those that `make bench` runs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from handfed.simulations.benchmarks import (
    ablation,
    augmentation_picture,
    deformations,
    families,
    main_job,
    resume,
    scale,
    speed,
    start_up,
    topology_picture,
    writers_of_mnist,
)

BENCHMARKS: dict[str, Callable[[Path, Console], None]] = {
    "main-job": main_job.run,
    "start-up": start_up.run,
    "speed": speed.run,
    "scale": scale.run,
    "resume": resume.run,
    "ablation": ablation.run,
    "augmentation": augmentation_picture.run,
    "deformations": deformations.run,
    "families": families.run,
    "topology": topology_picture.run,
    "writers": writers_of_mnist.writers,
    "classes": writers_of_mnist.classes,
    "hostile": writers_of_mnist.hostile,
}
BY_DEFAULT = ("main-job", "start-up")


def main() -> int:
    """Runs the named benchmarks; 2 for a name that is unknown."""
    console = Console(width=110)
    names = sys.argv[1:] or list(BY_DEFAULT)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        Console(stderr=True).print(f"there is no benchmark {unknown[0]!r}; choose of: {', '.join(BENCHMARKS)}")
        return 2
    with tempfile.TemporaryDirectory() as directory:
        for name in names:
            console.rule(name)
            BENCHMARKS[name](Path(directory), console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
