"""Promotion on stored readings: whether worse candidates are stopped, better and equal ones promoted, and how surely.

Each row is 1,000 replays, by seed: which readings of the candidate are turned over so that it is better or worse by
just so much, when devices ask, and who comes first. In rows "drawn anew" the devices are drawn with replacement as
well, as if it were another federation of that kind, with errors that belong together on a device as they are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from handfed.shared.promotion.paired_test import log_wealth
from handfed.simulations.benchmarks.figures import Figure, figures_table
from handfed.simulations.benchmarks.processes import apart
from handfed.simulations.benchmarks.promotion_replay import SETTINGS, Fate, replay
from handfed.simulations.benchmarks.stored_readings import StoredReadings, stored_readings
from handfed.simulations.benchmarks.writers_of_mnist import DATA, there

DEVICES: Final = 200
REPLAYS: Final = 1000
EACH: Final = 60  # samples of a device
DIFFER: Final = (0.003, 0.006, 0.01, 0.02)
LOOKS: Final = 60
SHARES: Final = (0.5, 0.8, 0.95)
AT_MARGIN: Final = -SETTINGS.margin

Counts = NDArray[np.int64]


def run(_directory: Path, console: Console) -> None:
    """Trains a champion and a candidate, and replays the candidate's promotion."""
    if not there(console):
        return
    readings = apart(stored_readings, DATA, devices=DEVICES)
    differ = float((readings.scores != 0).mean())
    console.print(
        f"{len(readings.device):,} held-out digits on {DEVICES} devices: champion {readings.champion.mean():.2%},"
        f" candidate {readings.candidate.mean():.2%}; {differ:.2%} are read right by one of them only."
    )
    started = time.perf_counter()
    console.print(figures_table(figures(readings, REPLAYS), caption=f"{REPLAYS:,} replays each."))
    console.print(f"{time.perf_counter() - started:.0f} s")
    console.print(beyond(readings, REPLAYS))
    console.print(needed(REPLAYS))


def figures(readings: StoredReadings, replays: int) -> list[Figure]:
    """What promotion is held to.

    Args:
        readings: Of both models.
        replays: How many for each figure.
    """

    def figure(what: str, difference: float, good: Callable[[Fate], bool], aim: float, better: str) -> Figure:
        fates = [replay(readings.better_by(difference, seed=seed).counts, seed=seed) for seed in range(replays)]
        side: Literal["less", "more"] = "less" if better == "less" else "more"
        return Figure(what, _share(fates, good), aim, side, ".1%")

    return [
        figure("1 point worse: at most 5 % use it, gone within two polls", -0.01, stopped, 0.99, "more"),
        figure("0.5 points better: promoted", 0.005, lambda fate: fate.promoted, 0.99, "more"),
        figure("as good: promoted", 0.0, lambda fate: fate.promoted, 0.95, "more"),
        figure("worse by the margin: promoted", AT_MARGIN, lambda fate: fate.promoted, 0.01, "less"),
    ]


def beyond(readings: StoredReadings, replays: int) -> Table:
    """How it goes where the figures' assumptions do not hold: what became of the release, in shares of the replays.

    Args:
        readings: Of both models.
        replays: How many for each row.
    """
    table = Table("beyond the figures", "promoted", "sent back", "still a candidate", "gone within two polls")

    def row(what: str, counts: Callable[[int], Counts], *, by_hand: bool = False, silent: float = 0.0) -> None:
        fates = [replay(counts(seed), seed=seed, by_hand=by_hand, silent=silent) for seed in range(replays)]
        promoted, back = (_share(fates, good) for good in (lambda fate: fate.promoted, lambda fate: fate.rolled_back))
        stays = 1 - promoted - back
        table.add_row(what, *(f"{share:.1%}" for share in (promoted, back, stays, _share(fates, stopped))))

    def of(
        difference: float, change: Callable[[Counts, int], Counts], *, spread: float = 1.0
    ) -> Callable[[int], Counts]:
        return lambda seed: change(readings.better_by(difference, seed=seed, spread=spread).counts, seed)

    row("1 point worse, promoted by hand at once", of(-0.01, _as_they_are), by_hand=True)
    row("as good, devices drawn anew", of(0.0, _drawn_anew))
    row("0.5 points better, devices drawn anew", of(0.005, _drawn_anew))
    row("worse by the margin, devices drawn anew", of(AT_MARGIN, _drawn_anew))
    row("worse by the margin, all of it on a tenth of the devices", of(AT_MARGIN, _as_they_are, spread=0.1))
    row("the same, devices drawn anew", of(AT_MARGIN, _drawn_anew, spread=0.1))
    row("worse by the margin, and a device lies for it", of(AT_MARGIN, _lying_for))
    row("as good, and a device lies against it", of(0.0, _lying_against))
    row("as good, half of the devices silent", of(0.0, _as_they_are), silent=0.5)
    row("worse by the margin, half of the devices silent", of(AT_MARGIN, _as_they_are), silent=0.5)
    return table


def needed(replays: int) -> Table:
    """How many samples an equally good candidate takes, by how often the models differ, on devices of 60 samples.

    Args:
        replays: How many for each row.
    """
    table = Table("only one of both is right", *(f"promoted in {share:.0%} by" for share in SHARES))
    for differ in DIFFER:
        random = np.random.default_rng(0)
        devices = round(50 * differ / SETTINGS.margin**2 / EACH)
        counts = np.full((replays, devices, 3), EACH)
        counts[..., 1:] = random.multinomial(EACH, (differ / 2, differ / 2, 1 - differ), (replays, devices))[..., :2]
        ends = range(0, devices, max(1, devices // LOOKS))
        wealth = np.stack([log_wealth(counts[:, :end], SETTINGS, against=False) for end in ends])
        shown = np.maximum.accumulate(wealth, axis=0) >= -math.log(SETTINGS.error_rate)  # (looks, replays)
        reached = zip(ends, shown.mean(axis=1), strict=True)
        shares = dict.fromkeys(SHARES, "more")
        for end, share in reversed(list(reached)):
            shares |= {each: f"{end * EACH:,}" for each in SHARES if share >= each}
        table.add_row(f"{differ:.1%}", *shares.values())
    return table


def stopped(fate: Fate) -> bool:
    """Whether no more than the first per cents ever used it, and nobody after two polls."""
    return fate.rolled_back and fate.most_percent <= SETTINGS.percents[0] and fate.gone <= 2  # noqa: PLR2004 - as named


def _share(fates: list[Fate], good: Callable[[Fate], bool]) -> float:
    return sum(map(good, fates)) / len(fates)


def _as_they_are(counts: Counts, _seed: int) -> Counts:
    return counts


def _drawn_anew(counts: Counts, seed: int) -> Counts:
    return counts[np.random.default_rng((seed, 1)).integers(0, len(counts), len(counts))]


def _lying_for(counts: Counts, seed: int) -> Counts:
    """One device says that only the candidate reads right, whatever it is."""
    return _lies(counts, seed, 1)


def _lying_against(counts: Counts, seed: int) -> Counts:
    return _lies(counts, seed, 2)


def _lies(counts: Counts, seed: int, column: int) -> Counts:
    liar = int(np.random.default_rng((seed, 2)).integers(len(counts)))
    told = counts.copy()
    told[liar, 1:] = 0
    told[liar, column] = told[liar, 0]
    return told
