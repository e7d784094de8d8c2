"""Wrong labels on a device: how many are found, how many right ones are set aside, and what it does to training.

A champion is trained on the handwriting of some writers. A device of others has imports, and corrections of what the
champion misread, a fifth of them wrong in one of three ways; all of it goes through the device's own store. The model
that the device trains then is measured on writers whom nobody has trained on.

The file with the writers' ids is not part of Handfed; where it is absent, this says so and does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from handfed.clients.datasets import read
from handfed.clients.device.labels.assessment import assess
from handfed.clients.device.labels.review import waiting
from handfed.clients.device.store.feedback import Feedback, give
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.store import Store
from handfed.shared.datasets import Dataset
from handfed.shared.local_training import LocalTraining
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.shared.tasks import TASKS
from handfed.shared.wire import Arrays
from handfed.simulations.benchmarks.figures import Figure, figures_table
from handfed.simulations.benchmarks.writers_of_mnist import DATA, there

SEEDS: Final = (0, 1)
NOISE: Final = 0.2
IMPORTED: Final = 3000
CORRECTED: Final = 600
ORDINARY_NOISE: Final = (0.05, 0.1, 0.2)
_CHAMPION: Final = 4000  # images that it is trained on
_PAIRS: Final = np.array([6, 7, 7, 5, 9, 3, 0, 1, 3, 4])  # what each digit is most easily taken for
_TRAINING: Final = LocalTraining.of(
    RunSettings(local_epochs=4, augmentation=0.0), learning_rate=0.02, freeze_statistics=True
)
_FURTHER: Final = replace(_TRAINING, learning_rate=0.005)
_SHUFFLES: Final = 3  # one training ends half a point from the next
_NOW: Final = datetime(2027, 1, 1, tzinfo=UTC)

Labels = NDArray[np.int64]
Noise = Callable[[Labels, NDArray[np.int32], np.random.Generator], Labels]


@dataclass(frozen=True)
class Found:
    """What came of one kind of noise.

    Attributes:
        recall: Fraction of the wrong labels that was set aside.
        precision: Fraction of what was set aside that was wrong.
        lost: Fraction of the right labels that was set aside.
    """

    recall: float
    precision: float
    lost: float

    @classmethod
    def of(cls, doubted: NDArray[np.bool_], is_wrong: NDArray[np.bool_]) -> Found:
        """From what was set aside, and what was wrong."""
        return cls(float(doubted[is_wrong].mean()), float(is_wrong[doubted].mean()), float(doubted[~is_wrong].mean()))


def uniform(labels: Labels, writers: NDArray[np.int32], rng: np.random.Generator, rate: float = NOISE) -> Labels:
    """Any other digit."""
    del writers
    other = (labels + rng.integers(1, 10, len(labels))) % 10
    return np.where(rng.random(len(labels)) < rate, other, labels)


def confusable(labels: Labels, writers: NDArray[np.int32], rng: np.random.Generator) -> Labels:
    """The digit that it is most easily taken for."""
    del writers
    return np.where(rng.random(len(labels)) < NOISE, _PAIRS[labels], labels)


def same_key(labels: Labels, writers: NDArray[np.int32], rng: np.random.Generator) -> Labels:
    """Some writers press one key, each his or her own, until so many labels are theirs."""
    found = labels.copy()
    for writer in rng.permutation(np.unique(writers)):
        if (found != labels).mean() >= NOISE:
            break
        found[writers == writer] = rng.integers(10)
    return found


KINDS: Final[dict[str, Noise]] = {"uniform": uniform, "confusable pair": confusable, "same key": same_key}


def run(directory: Path, console: Console) -> None:
    """Corrections with three kinds of noise, and imports with one."""
    if not there(console):
        return
    from handfed.simulations.running import start_tensorflow

    start_tensorflow(0)
    data = read(str(DATA), TASKS["digits"])
    table = Table("noise", "caught", "precision", "right ones set aside")
    trained = Table("accuracy, and on what the champion misread", "clean", "all of it", "without, weighed", "points")
    lost, points = [], []
    for seed in SEEDS:
        scene = _Scene.set(data, seed)
        clean = scene.accuracies(scene.true)
        for name, noise in KINDS.items():
            found, noisy, kept = scene.judged(noise, directory / f"{seed} {name}")
            rows = [clean, scene.accuracies(noisy), scene.accuracies(kept)]
            lost.append(found.lost)
            points.append(100 * (clean[0] - rows[2][0]))
            shares = (found.recall, found.precision, found.lost)
            table.add_row(f"{name}, seed {seed}", *(f"{share:.2%}" for share in shares))
            cells = [f"{everywhere:.2%}, {hard:.1%}" for everywhere, hard in rows]
            trained.add_row(f"{name}, seed {seed}", *cells, f"{points[-1]:+.2f}")
            console.print(f"{name}, seed {seed}: {'; '.join(cells)}")
    console.print(table)
    console.print(trained)
    caught, alarms = _ordinary(data, directory, console)
    console.print(
        figures_table(
            (
                Figure("points of accuracy below clean labels, at worst", max(points), 1.0, "less"),
                Figure("true corrections set aside, at worst (%)", 100 * max(lost), 20.0, "less", ".1f"),
                Figure(
                    "uniform noise caught on ordinary samples, at worst (%)", 100 * min(caught), 95.0, "more", ".1f"
                ),
                Figure("false alarms there, at worst (%)", 100 * max(alarms), 1.0, "less"),
            ),
            caption=f"{IMPORTED} imports, {CORRECTED} corrections of misread digits, {NOISE:.0%} of them wrong.",
        )
    )


@dataclass(frozen=True)
class _Scene:
    """A champion, a device of other writers, and writers to measure on."""

    imports: Dataset
    misread: Dataset
    readings: Labels
    unseen: Samples
    is_hard: NDArray[np.bool_]
    champion: Arrays
    seed: int

    @classmethod
    def set(cls, data: Dataset, seed: int) -> _Scene:
        """Trains the champion, and deals the writers out."""
        from handfed.shared.tf.training import trainer

        rng = np.random.default_rng(seed)
        writers = data.writers
        if writers is None:
            raise ValueError("the digits have no writers")
        parts = np.array_split(rng.permutation(np.unique(writers)), [50, 480])  # the champion's, the device's, the rest
        champions, devices, rest = (np.flatnonzero(np.isin(writers, part)) for part in parts)
        champion = _trained(data.samples.take(rng.permutation(champions)[:_CHAMPION]), seed)
        devices = rng.permutation(devices)
        local = trainer("cnn", 10, seed=seed)
        found = local.read(champion, data.samples.take(devices), quantized=False)
        readings = np.array([text[0] for text in found])
        wrong = np.flatnonzero(readings != data.labels[devices])[:CORRECTED]
        unseen = data.samples.take(rest)
        is_hard = local.graded(champion, unseen, quantized=False)[1] > 0
        others = np.setdiff1d(np.arange(len(devices)), wrong)
        imports = rng.permutation(others)[:IMPORTED]
        return cls(
            data.take(devices[imports]),
            data.take(devices[wrong]),
            readings[wrong],
            unseen,
            is_hard,
            champion,
            seed,
        )

    @property
    def true(self) -> Samples:
        """All that the device has, with true labels."""
        images = np.concatenate([self.imports.images, self.misread.images])
        return Samples(images, np.concatenate([self.imports.labels, self.misread.labels]))

    def accuracies(self, samples: Samples) -> tuple[float, float]:
        """Of the champion trained further: on writers whom it has not seen, and on what it misread of theirs.

        Each is the mean of a few shuffles.
        """
        from handfed.shared.tf.training import trainer

        local = trainer("cnn", 10, seed=self.seed)
        right = np.zeros(len(self.unseen))
        for shuffle in range(_SHUFFLES):
            trained, _ = local.train(self.champion, samples, _FURTHER, quantized=False, seed=(self.seed, shuffle))
            right += local.graded(trained, self.unseen, quantized=False)[1] == 0
        return float(right.mean()) / _SHUFFLES, float(right[self.is_hard].mean()) / _SHUFFLES

    def judged(self, noise: Noise, folder: Path) -> tuple[Found, Samples, Samples]:
        """What the device's store makes of corrections, all of them, and what it then trains with."""
        rng = np.random.default_rng(100 + self.seed)
        writers = self.misread.writers
        if writers is None:
            raise ValueError("the digits have no writers")
        true = self.misread.labels.astype(np.int64)
        said = noise(true, writers, rng)
        numbers = []
        with Store.open(folder) as store:
            store.take_in(Incoming(self.imports, TASKS["digits"], "digits", held_out=False), by="benchmark", now=_NOW)
            for row, (label, read_as) in enumerate(zip(said, self.readings, strict=True)):
                name = f"{self.imports.name} {writers[row]}"  # as imports call who has a number alone
                given = Feedback("characters", self.misread.images[row], str(read_as), str(label), writer=name)
                give(store, given, by="benchmark", now=_NOW)
                numbers.append(store.newest_sample())
            task, alphabet = TASKS["digits"], self.imports.alphabet
            noisy = store.handwriting(task, alphabet).training
            assess(store)
            doubted = np.isin(numbers, [each.number for each in waiting(store)])
            return Found.of(doubted, said != true), noisy, store.handwriting(task, alphabet).training


def _ordinary(data: Dataset, directory: Path, console: Console) -> tuple[list[float], list[float]]:
    """Imports, some labelled with any other digit: what was caught, and what was right and set aside."""
    table = Table("ordinary samples, uniform noise", "caught", "precision", "false alarms")
    caught, alarms = [], []
    for seed in SEEDS:
        for rate in ORDINARY_NOISE:
            rng = np.random.default_rng(seed)
            part = data.take(rng.permutation(len(data))[:IMPORTED])
            true = part.labels.astype(np.int64)
            said = uniform(true, np.zeros(0, np.int32), rng, rate)
            labelled = replace(part, samples=replace(part.samples, labels=said.astype(np.int32)))
            with Store.open(directory / f"ordinary {seed} {rate}") as store:
                incoming = Incoming(labelled, TASKS["digits"], "digits", held_out=False)
                store.take_in(incoming, by="benchmark", now=_NOW)
                assess(store)
                doubted = np.isin(np.arange(1, 1 + len(part)), [each.number for each in waiting(store)])
            found = Found.of(doubted, said != true)
            caught.append(found.recall)
            alarms.append(found.lost)
            shares = (found.recall, found.precision, found.lost)
            table.add_row(f"{rate:.0%}, seed {seed}", *(f"{share:.2%}" for share in shares))
    console.print(table)
    return caught, alarms


def _trained(samples: Samples, seed: int) -> Arrays:
    """A model trained with samples from the beginning."""
    from handfed.shared.tf.training import trainer

    local = trainer("cnn", 10, seed=seed)
    start: Arrays = local.initial()
    start = {**start, **local.measure_statistics(start, samples.take(np.arange(500)))}
    trained, _ = local.train(start, samples, _TRAINING, quantized=False, seed=(seed, 1))
    return trained
