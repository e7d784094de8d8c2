"""What SIGKILL does to a run: killed again and again, it comes to the weights of the same run that was left alone.

A chain is one run in many lives (see `handfed.simulations.benchmarks.lives`): each goes on where the one before was
killed, at an event or a time that is drawn by chance, until the run is done.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from handfed.shared.run_settings import RunSettings
from handfed.simulations.benchmarks.figures import Figure, figures_table
from handfed.simulations.benchmarks.lives import Death, OnRecord, live, on_record
from handfed.simulations.datasets.mnist5k import MNIST5K
from handfed.simulations.scenario import Scenario

if TYPE_CHECKING:  # importing it starts TensorFlow
    from handfed.simulations.federation import Federation

KILLS: Final = 50  # at least; every chain is brought to its end
DEVICES: Final = 3
IMAGES: Final = 120  # of all devices together
ROUNDS: Final = 10
QAT_ROUNDS: Final = 3
TIMED: Final = 5  # of so many lives, one dies of time
LONGEST_S: Final = 5.0  # of such a life


@dataclass(frozen=True)
class Kill:
    """What one death left.

    Attributes:
        phase: Where the run stood.
        intact: Whether the rounds on record are those of the run that was left alone, each once, and none is gone.
    """

    phase: str
    intact: bool


@dataclass(frozen=True)
class Chain:
    """One run, killed until it was done.

    Attributes:
        kills: Its deaths.
        same: Whether rounds, losses, weights and the number of releases are those of the run that was left alone.
    """

    kills: tuple[Kill, ...]
    same: bool


def run(directory: Path, console: Console) -> None:
    """Chains, as many at once as there are cores, until there were enough kills."""
    federation = small_federation(devices=DEVICES, images=IMAGES, rounds=ROUNDS, qat_rounds=QAT_ROUNDS)
    alone = directory / "resume-alone"
    events = live(federation, alone, resume=None, death=None).events
    whole, seeds = on_record(alone), count()

    def chain(seed: int) -> Chain:
        return _chain(federation, directory / f"resume-{seed}", _deaths(seed, events), whole)

    cores = len(os.sched_getaffinity(0))
    chains: list[Chain] = []
    with ThreadPoolExecutor(cores) as threads:
        while sum(len(each.kills) for each in chains) < KILLS:
            chains += threads.map(chain, islice(seeds, cores))
    console.print(_table(chains))
    console.print(
        figures_table(_figures(chains), caption=f"{len(chains)} runs of {ROUNDS} rounds and {events} events.")
    )


def small_federation(*, devices: int, images: int, rounds: int, qat_rounds: int) -> Federation:
    """A federation whose whole run takes seconds."""
    from handfed.simulations.federation import Federation
    from handfed.simulations.partition import split

    dataset = MNIST5K.load()
    dataset = dataset.take(np.random.default_rng(0).permutation(len(dataset))[:images])
    settings = RunSettings(rounds=rounds, qat_rounds=qat_rounds, warmup_rounds=1, local_epochs=1, float_margin=1.0)
    partition = split(dataset, scheme="iid", devices=devices, held_out=0.2, seed=settings.seed)
    return Federation(dataset, partition, Scenario(partition="iid", devices=devices, run=settings))


def _deaths(seed: int, events: int) -> Iterator[Death]:
    """A death for each life of a chain, without end."""
    chance = random.Random(f"resume/{seed}")  # noqa: S311 - no secret
    while True:
        if chance.randrange(TIMED):
            yield Death(nth=1 + int(events * chance.random() ** 2))  # early deaths are likelier, late ones possible
        else:
            yield Death(after_s=chance.uniform(0, LONGEST_S))


def _chain(federation: Federation, directory: Path, deaths: Iterator[Death], whole: OnRecord) -> Chain:
    kills: list[Kill] = []
    known = OnRecord()
    while known.status != "done":
        ended = live(federation, directory, resume=known.run, death=next(deaths))
        finished, known = len(known.rounds), on_record(directory)
        if ended.killed:
            intact = len(known.rounds) >= finished and known.rounds == whole.rounds[: len(known.rounds)]
            kills.append(Kill(_phase(known), intact))
    return Chain(tuple(kills), known == whole)


def _phase(known: OnRecord) -> str:
    over = len(known.rounds)
    if not over:
        return "before the first round was over" if known.run else "before the run was on record"
    if over == ROUNDS:
        return "publishing"
    if over == ROUNDS - QAT_ROUNDS:
        return "calibration and the round after it"
    return "float rounds" if over < ROUNDS - QAT_ROUNDS else "quantization-aware rounds"


def _table(chains: Sequence[Chain]) -> Table:
    table = Table("killed in", "times")
    for name, times in Counter(kill.phase for chain in chains for kill in chain.kills).items():
        table.add_row(name, str(times))
    return table


def _figures(chains: Sequence[Chain]) -> list[Figure]:
    kills = [kill for chain in chains for kill in chain.kills]
    return [
        Figure("kills by SIGKILL", len(kills), KILLS, "more", ".0f"),
        Figure(
            "after which a round was lost, twice or another", sum(not kill.intact for kill in kills), 0, "less", ".0f"
        ),
        Figure(
            "runs that ended with other rounds or weights", sum(not chain.same for chain in chains), 0, "less", ".0f"
        ),
    ]
