"""Wrong labels on a device: how many are found, how many right ones are set aside, and what it does to training.

A champion is trained on the handwriting of some writers. A device of others has imports, and corrections of what the
champion misread, a fifth of them wrong in one of three ways; all of it goes through the device's own store. The model
that the device trains then is measured on writers whom nobody has trained on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from handfed.clients.datasets import read
from handfed.clients.device.labels.assessment import assess
from handfed.clients.device.labels.review import waiting
from handfed.clients.device.store.feedback import Feedback, give
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.store import Store
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.local_training import LocalTraining
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.shared.tasks import TASKS
from handfed.shared.wire import Arrays
from handfed.simulations.benchmarks.figures import Figure
from handfed.simulations.studies.finding import Columns, Finding, Row

SEEDS: Final = 2
LEAST_WRITERS: Final = 40
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
        """From what was set aside, and what was wrong; a fraction of nothing is 0."""
        parts = (doubted[is_wrong], is_wrong[doubted], doubted[~is_wrong])
        return cls(*(float(part.mean()) if len(part) else 0.0 for part in parts))


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


MODELS: Final = {"clean": "clean labels", "all": "all of it", "kept": "set aside, weighed"}
KINDS: Final[dict[str, Noise]] = {"uniform": uniform, "confusable pair": confusable, "same key": same_key}


@dataclass(frozen=True)
class Trial:
    """One kind of noise, with one seed.

    Attributes:
        noise: Its name.
        seed: Its seed.
        found: What was set aside.
        accuracy: By what was trained on: `clean` labels, `all` of them, or `kept`, without what was set aside.
        hard: Likewise, on what the champion misread of strangers.
    """

    noise: str
    seed: int
    found: Found
    accuracy: dict[str, float]
    hard: dict[str, float]

    @property
    def points(self) -> float:
        """By how many points the device's training is below that on clean labels."""
        return 100 * (self.accuracy["clean"] - self.accuracy["kept"])


@dataclass(frozen=True)
class Ordinary:
    """Imports, some labelled with any other class: how many, and what was set aside."""

    rate: float
    seed: int
    found: Found


def run(data: str, seed: int, say: Callable[[str], None]) -> Finding:
    """Corrections with three kinds of noise, and imports with one.

    Args:
        data: Digits with their writers.
        seed: The first of `SEEDS`.
        say: Told what goes on.

    Raises:
        DatasetError: The digits have no writers, or too few; or a champion misreads none of them.
    """
    from handfed.simulations.running import start_tensorflow

    digits = read(data, TASKS["digits"])
    if digits.writers is None or len(np.unique(digits.writers)) < LEAST_WRITERS:
        raise DatasetError(f"{data}: this takes digits of {LEAST_WRITERS} known writers; choose others with --data")
    start_tensorflow(0)
    seeds = range(seed, seed + SEEDS)
    with tempfile.TemporaryDirectory() as folder:
        trials = [trial for each in seeds for trial in _trials(digits, each, Path(folder), say)]
        say("judging ordinary imports")
        ordinary = list(_ordinary(digits, seeds, Path(folder)))
    return finding(trials, ordinary)


def _trials(digits: Dataset, seed: int, folder: Path, say: Callable[[str], None]) -> Iterator[Trial]:
    say(f"seed {seed}: training a champion")
    scene = _Scene.set(digits, seed)
    clean = scene.accuracies(scene.true)
    for name, noise in KINDS.items():
        say(f"seed {seed}: {name}")
        found, noisy, kept = scene.judged(noise, folder / f"{seed} {name}")
        models = {"clean": clean, "all": scene.accuracies(noisy), "kept": scene.accuracies(kept)}
        accuracy, hard = ({model: both[which] for model, both in models.items()} for which in (0, 1))
        yield Trial(name, seed, found, accuracy, hard)


def finding(trials: list[Trial], ordinary: list[Ordinary]) -> Finding:
    """What came of all trials."""
    named = [f"{each.noise}, seed {each.seed}" for each in trials]
    return Finding(
        name="label-noise",
        title="Wrong labels, and what a device makes of them",
        setting=(
            f"A device has up to {IMPORTED:,} imports and {CORRECTED} corrections of what the champion misread,"
            f" {NOISE:.0%} of these wrong. Accuracy is that on writers whom nobody trained on, the mean of {_SHUFFLES}"
            " trainings; and on what the champion misread of theirs."
        ),
        tables=(
            Columns("Corrections set aside", {"noise": named, **_shares([each.found for each in trials])}),
            Columns(
                "Accuracy, and on what the champion misread",
                {
                    "noise": named,
                    **{
                        heading: [f"{each.accuracy[model]:.2%}, {each.hard[model]:.1%}" for each in trials]
                        for model, heading in MODELS.items()
                    },
                    "points below clean": [f"{each.points:+.2f}" for each in trials],
                },
            ),
            Columns(
                "Ordinary imports, any other label",
                {
                    "wrong": [f"{each.rate:.0%}, seed {each.seed}" for each in ordinary],
                    **_shares([each.found for each in ordinary]),
                },
            ),
        ),
        picture="Accuracy by what was trained on, mean of seeds",
        rows=tuple(
            Row(name, {heading: _mean(trials, name, model) for model, heading in MODELS.items()}) for name in KINDS
        ),
        aims=(
            Figure("points of accuracy below clean labels, at worst", max(each.points for each in trials), 1.0, "less"),
            _percent("true corrections set aside, at worst (%)", max(each.found.lost for each in trials), 20.0, "less"),
            _percent(
                "uniform noise caught on ordinary samples, at worst (%)",
                min(each.found.recall for each in ordinary),
                95.0,
                "more",
            ),
            _percent("false alarms there, at worst (%)", max(each.found.lost for each in ordinary), 1.0, "less"),
        ),
        json={"trials": [asdict(each) for each in trials], "ordinary": [asdict(each) for each in ordinary]},
    )


def _mean(trials: list[Trial], noise: str, model: str) -> float:
    return float(np.mean([each.accuracy[model] for each in trials if each.noise == noise]))


def _percent(what: str, share: float, aim: float, better: Literal["less", "more"]) -> Figure:
    return Figure(what, 100 * share, aim, better)


def _shares(found: list[Found]) -> dict[str, list[str]]:
    return {
        "caught": [f"{each.recall:.2%}" for each in found],
        "precision": [f"{each.precision:.2%}" for each in found],
        "right ones set aside": [f"{each.lost:.2%}" for each in found],
    }


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
        # The champion's, the device's, the rest: 50, 430 and 59 of 539.
        known = rng.permutation(np.unique(writers))
        parts = np.array_split(known, [round(len(known) * 0.093), round(len(known) * 0.89)])
        champions, devices, rest = (np.flatnonzero(np.isin(writers, part)) for part in parts)
        champion = _trained(data.samples.take(rng.permutation(champions)[:_CHAMPION]), seed)
        devices = rng.permutation(devices)
        local = trainer("cnn", 10, seed=seed)
        found = local.read(champion, data.samples.take(devices), quantized=False)
        readings = np.array([text[0] for text in found])
        wrong = np.flatnonzero(readings != data.labels[devices])[:CORRECTED]
        unseen = data.samples.take(rest)
        is_hard = local.graded(champion, unseen, quantized=False)[1] > 0
        refuse_easy(data.name, wrong, is_hard)
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
            store.take_in(Incoming(self.imports, TASKS["digits"], "digits", held_out=False), by="study", now=_NOW)
            for row, (label, read_as) in enumerate(zip(said, self.readings, strict=True)):
                name = f"{self.imports.name} {writers[row]}"  # as imports call who has a number alone
                given = Feedback("characters", self.misread.images[row], str(read_as), str(label), writer=name)
                give(store, given, by="study", now=_NOW)
                numbers.append(store.newest_sample())
            task, alphabet = TASKS["digits"], self.imports.alphabet
            noisy = store.handwriting(task, alphabet).training
            assess(store)
            doubted = np.isin(numbers, [each.number for each in waiting(store)])
            return Found.of(doubted, said != true), noisy, store.handwriting(task, alphabet).training


def _ordinary(digits: Dataset, seeds: range, folder: Path) -> Iterator[Ordinary]:
    """Imports, some labelled with any other digit: what was caught, and what was right and set aside."""
    for seed in seeds:
        for rate in ORDINARY_NOISE:
            rng = np.random.default_rng(seed)
            part = digits.take(rng.permutation(len(digits))[:IMPORTED])
            true = part.labels.astype(np.int64)
            said = uniform(true, np.zeros(0, np.int32), rng, rate)
            labelled = replace(part, samples=replace(part.samples, labels=said.astype(np.int32)))
            with Store.open(folder / f"ordinary {seed} {rate}") as store:
                incoming = Incoming(labelled, TASKS["digits"], "digits", held_out=False)
                store.take_in(incoming, by="study", now=_NOW)
                assess(store)
                doubted = np.isin(np.arange(1, 1 + len(part)), [each.number for each in waiting(store)])
            yield Ordinary(rate, seed, Found.of(doubted, said != true))


def refuse_easy(data: str, misread: Labels, is_hard: NDArray[np.bool_]) -> None:
    """Makes sure that the champion misreads something, both on the device and of strangers.

    Args:
        data: The digits' name.
        misread: Rows of the device's that it misreads.
        is_hard: Bool (n,), what it misreads of strangers.

    Raises:
        DatasetError: It does not.
    """
    if not len(misread) or not is_hard.any():
        whose = "strangers'" if len(misread) else "the device's"
        raise DatasetError(
            f"{data}: the champion misreads none of {whose} digits, so there is nothing to correct; choose more"
            " digits, or harder ones, with --data"
        )


def _trained(samples: Samples, seed: int) -> Arrays:
    """A model trained with samples from the beginning."""
    from handfed.shared.tf.training import trainer

    local = trainer("cnn", 10, seed=seed)
    start: Arrays = local.initial()
    start = {**start, **local.measure_statistics(start, samples.take(np.arange(min(len(samples), 500))))}
    trained, _ = local.train(start, samples, _TRAINING, quantized=False, seed=(seed, 1))
    return trained
