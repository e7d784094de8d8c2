"""`python -m handfed.simulations.benchmarks [NAME ...]`: without a name, those that `make bench` runs.

`--database URL` names an empty database for the benchmarks that start a server.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from handfed.simulations.benchmarks import (
    ablation,
    augmentation_picture,
    browser_reading,
    deformations,
    drift,
    edge,
    families,
    federation,
    feedback,
    load,
    main_job,
    pages,
    promotion,
    resume,
    scale,
    speed,
    start_up,
    topology_picture,
    writers_of_mnist,
)

Benchmark = Callable[[Path, Console], None]
OfAServer = Callable[[Path, Console, str | None], None]


def _forms(directory: Path, console: Console) -> None:
    from handfed.simulations.benchmarks import forms  # with what only the extra `handfed-clients[forms]` brings

    forms.run(directory, console)


def _forms_picture(directory: Path, console: Console) -> None:
    from handfed.simulations.benchmarks import forms_picture  # likewise

    forms_picture.run(directory, console)


BENCHMARKS: dict[str, Benchmark] = {
    "main-job": main_job.run,
    "start-up": start_up.run,
    "speed": speed.run,
    "scale": scale.run,
    "resume": resume.run,
    "ablation": ablation.run,
    "augmentation": augmentation_picture.run,
    "browser-reading": browser_reading.run,
    "deformations": deformations.run,
    "drift": drift.run,
    "edge": edge.run,
    "families": families.run,
    "feedback": feedback.run,
    "forms": _forms,
    "forms-picture": _forms_picture,
    "topology": topology_picture.run,
    "pages": pages.run,
    "promotion": promotion.run,
    "writers": writers_of_mnist.writers,
    "classes": writers_of_mnist.classes,
    "hostile": writers_of_mnist.hostile,
}
OF_A_SERVER: dict[str, OfAServer] = {
    "federation": federation.run,
    "load": load.run,
}
BY_DEFAULT = ("main-job", "start-up", "federation")


def main() -> int:
    """Runs the named benchmarks; 2 for a name that is unknown."""
    console = Console(width=110)
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--database", metavar="URL")
    options = parser.parse_args()
    every = BENCHMARKS | {name: _with(each, options.database) for name, each in OF_A_SERVER.items()}
    names = options.names or list(BY_DEFAULT)
    unknown = [name for name in names if name not in every]
    if unknown:
        Console(stderr=True).print(f"there is no benchmark {unknown[0]!r}; choose of: {', '.join(every)}")
        return 2
    with tempfile.TemporaryDirectory() as directory:
        for name in names:
            console.rule(name)
            every[name](Path(directory), console)
    return 0


def _with(benchmark: OfAServer, database: str | None) -> Benchmark:
    return lambda directory, console: benchmark(directory, console, database)


if __name__ == "__main__":
    sys.exit(main())
