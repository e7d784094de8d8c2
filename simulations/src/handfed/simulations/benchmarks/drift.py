"""Whether a new cohort of writers is found as drift, and unseen writers of the same group are not.

A release is trained on writers of one group of MNIST's training digits (`staff`: employees of a census office). Ten
devices hold writers whom it knows; then 200 samples come to each, twenty of each of ten writers: of the other group
(`student`: pupils of a high school), or of the same group, whom it has not seen, as they are or by another pen, through
another scanner, or slanted. What devices tell, and what the server makes of it, are the product's own code.

Each row is so many replays: which writers are where, and which are new. Replays share the 539 writers, so that they are
not independent of one another; the release is the same in all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from handfed.clients import datasets
from handfed.clients.device.store.handwriting import ByWriter
from handfed.clients.device.survey import figures
from handfed.clients.edge import Recogniser
from handfed.server.learning.drift import Watch, watched
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.handwriting_reports import EACH, Figure, HandwritingReport
from handfed.shared.learning.settings import LearningSettings
from handfed.simulations import styles
from handfed.simulations.benchmarks.figures import Figure as Measured
from handfed.simulations.benchmarks.figures import figures_table
from handfed.simulations.benchmarks.processes import apart
from handfed.simulations.benchmarks.stored_readings import trained
from handfed.simulations.benchmarks.writers_of_mnist import DATA, there

DEVICES: Final = 10
NEW: Final = 10  # writers that come to a device, with EACH samples: 200
TRAINED: Final = 12  # writers of a device whom the release was trained on
HELD_OUT: Final = 10  # writers held out, on every second device
REPLAYS: Final = 200
OTHERS: Final = 50  # replays of each shift beyond the figures
PASSES: Final = 5
FLOOR: Final = 0.02  # of false alarms: one in fifty
FOUND: Final = 0.98
SETTINGS: Final = LearningSettings()

Images = NDArray[np.uint8]
Change = Callable[[Images, np.random.Generator], Images]
Told = dict[int, HandwritingReport]

SHIFTS: Final[dict[str, Change]] = {
    "a pen wider by 0.5 pixels": lambda images, _: styles.stroke_width(images, 0.5),
    "a pen thinner by 0.5 pixels": lambda images, _: styles.stroke_width(images, -0.5),
    "a scanner with noise of 5 % of full ink": lambda images, random: styles.noisy(images, 0.05, random),
    "a scanner with noise of 10 % of full ink": lambda images, random: styles.noisy(images, 0.1, random),
    "a scanner out of focus, 0.5 pixels": lambda images, _: styles.blurred(images, 0.5),
    "ink of 85 %": lambda images, _: styles.faded(images, 0.85),
    "slanted by 0.1 more": lambda images, _: styles.affine(images, shear=0.1),
}


@dataclass(frozen=True)
class Writers:
    """The two groups, and a release that knows a part of one.

    Attributes:
        dataset: The digits.
        rows: Of each writer, by number, in an order that was drawn.
        known: Writers whom the release was trained on.
        unseen: Of the same group, the others.
        cohort: The other group.
        model: The release, INT8.
    """

    dataset: Dataset
    rows: dict[int, NDArray[np.int64]]
    known: NDArray[np.int64]
    unseen: NDArray[np.int64]
    cohort: NDArray[np.int64]
    model: bytes


def run(_directory: Path, console: Console) -> None:
    """Trains a release, and replays what comes after it."""
    if not there(console):
        return
    writers = prepared(DATA)
    recogniser = Recogniser(Alphabet(tuple(writers.dataset.alphabet.names)), writers.model)
    started = time.perf_counter()
    console.print(
        f"A release of {len(writers.known)} writers; {DEVICES} devices with {TRAINED} of them each, and {HELD_OUT} held"
        f" out on every second; {NEW * EACH} samples of {NEW} new writers come to each."
    )
    table = [
        Measured("a new cohort: found", _share(writers, recogniser, REPLAYS, of=writers.cohort), FOUND, "more", ".1%"),
        Measured("unseen writers of the same group: found", _share(writers, recogniser, REPLAYS), FLOOR, "less", ".1%"),
    ]
    console.print(figures_table(table, caption=f"{REPLAYS} replays each."))
    console.print(beyond(writers, recogniser))
    console.print(f"{time.perf_counter() - started:.0f} s")


def beyond(writers: Writers, recogniser: Recogniser) -> Table:
    """How it goes with other shifts, and where devices are new.

    Args:
        writers: And the release.
        recogniser: The release, open.
    """
    table = Table("what comes to the devices", "found as drift", caption=f"{OTHERS} replays each.")

    def row(what: str, share: float) -> None:
        table.add_row(what, f"{share:.0%}")

    for what, change in SHIFTS.items():
        row(what, _share(writers, recogniser, OTHERS, change=change))
    row("the cohort on 5 devices of 10", _share(writers, recogniser, OTHERS, of=writers.cohort, on=DEVICES // 2))
    row("the cohort on one device of 10", _share(writers, recogniser, OTHERS, of=writers.cohort, on=1))
    row("the cohort on 10 devices that are new", _share(writers, recogniser, OTHERS, of=writers.cohort, new=True))
    row("unseen writers on 10 devices that are new", _share(writers, recogniser, OTHERS, new=True))
    row("unseen writers, were each sample a writer", _share(writers, recogniser, OTHERS, by_sample=True))
    return table


def prepared(data: Path) -> Writers:
    """Parts the writers and trains a release.

    Args:
        data: MNIST's digits with their writers and groups.
    """
    dataset = datasets.read(str(data))
    with np.load(data, allow_pickle=False) as content:
        number, group = content["writer"], content["group"]
    random = np.random.default_rng(0)
    rows = {int(each): random.permutation(np.flatnonzero(number == each)) for each in np.unique(number)}
    enough = [each for each, its in rows.items() if len(its) >= EACH]
    by_group = {
        name: random.permutation([each for each in enough if group[rows[each][0]] == name]) for name in np.unique(group)
    }
    known, unseen = np.split(by_group["staff"], [DEVICES * TRAINED])
    training = np.concatenate([rows[int(each)] for each in known])
    model, _ = apart(trained, "cnn", dataset.samples.take(random.permutation(training)), passes=PASSES, start=None)
    return Writers(dataset, rows, known, unseen, by_group["student"], model)


def replayed(  # noqa: PLR0917 - a replay is that many choices
    writers: Writers,
    recogniser: Recogniser,
    seed: int,
    of: NDArray[np.int64] | None,
    change: Change | None,
    on: int,
    *,
    new: bool,
) -> Told:
    """What devices tell once new handwriting has come.

    Args:
        writers: And the release.
        recogniser: The release, open.
        seed: Decides who is where.
        of: Who comes; None for unseen writers of the group that the release knows.
        change: How new handwriting is changed; None for not at all.
        on: To how many devices they come; unseen writers of the known group come to the others.
        new: Whether those devices have nothing else, beside as many that have known writers alone.
    """
    random = np.random.default_rng(seed)
    known, unseen = random.permutation(writers.known), random.permutation(writers.unseen)
    held_out, unseen = np.split(unseen, [HELD_OUT * (DEVICES // 2)])
    cohort = unseen if of is None else random.permutation(of)
    told: Told = {}
    for device in range(DEVICES):
        place = slice(device * NEW, (device + 1) * NEW)
        come = (cohort if device < on else unseen)[place]
        trained_on = known[device * TRAINED : (device + 1) * TRAINED]
        half, odd = divmod(device, 2)
        kept = held_out[half * HELD_OUT : (half + 1) * HELD_OUT] if not odd else held_out[:0]
        before = figures(_held(writers, trained_on, kept, None, random), recogniser)
        after = figures(_held(writers, come[:0], come, change, random), recogniser)
        if new:
            told[device] = HandwritingReport(1, 0, before, {})
            told[DEVICES + device] = HandwritingReport(1, NEW * EACH, {}, after)
        else:
            told[device] = HandwritingReport(1, NEW * EACH, before, after)
    return told


def _held(
    writers: Writers,
    trained_on: NDArray[np.int64],
    others: NDArray[np.int64],
    change: Change | None,
    random: np.random.Generator,
) -> ByWriter:
    """What a device holds of writers, as its store gives it: the first samples of each."""
    who = np.concatenate([trained_on, others])
    rows = np.concatenate([writers.rows[int(each)][:EACH] for each in who])
    samples = writers.dataset.samples.take(rows)
    if change is not None:
        samples = replace(samples, images=change(samples.images, random))
    return ByWriter(samples, np.repeat(who, EACH), np.repeat(np.arange(len(who)) >= len(trained_on), EACH))


def _share(
    writers: Writers,
    recogniser: Recogniser,
    replays: int,
    *,
    of: NDArray[np.int64] | None = None,
    change: Change | None = None,
    on: int = DEVICES,
    new: bool = False,
    by_sample: bool = False,
) -> float:
    """In which share of the replays drift is found."""
    found = 0
    for seed in range(replays):
        told = replayed(writers, recogniser, seed, of, change, on, new=new)
        if by_sample:
            told = {device: _as_if_by_sample(each) for device, each in told.items()}
        found += watched(Watch(), told, 1, SETTINGS).found
    return found / replays


def _as_if_by_sample(report: HandwritingReport) -> HandwritingReport:
    """The same, as if each sample were of a writer of its own: what a test that does not know of writers sees."""

    def widened(side: dict[str, Figure]) -> dict[str, Figure]:
        return {name: each._replace(writers=each.writers * EACH) for name, each in side.items()}

    return replace(report, known=widened(dict(report.known)), recent=widened(dict(report.recent)))
