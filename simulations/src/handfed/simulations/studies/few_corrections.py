"""Five corrections: what a personal layer makes of them for the writer, and what it costs everybody else.

A recogniser is trained on four fifths of the writers. Of each other one, the class that it reads worst is corrected
five times, on samples drawn at random; a device learns its layer from these and from 200 confirmed digits of twenty
strangers more. Read are that writer's other samples of the class, and all digits of all other strangers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.clients import datasets
from handfed.shared.errors import DatasetError
from handfed.shared.litert import Int8Model, softmax
from handfed.shared.personal import personal_layer
from handfed.simulations.benchmarks.figures import Figure
from handfed.simulations.benchmarks.processes import apart
from handfed.simulations.benchmarks.stored_readings import PASSES, trained
from handfed.simulations.partition import split
from handfed.simulations.studies.finding import Columns, Finding, Row

CORRECTIONS: Final = 5
LEAST: Final = 12  # samples of the class
HELD_OUT: Final = 0.2
COMPANY: Final = 20  # writers of what else is on the device
CONFIRMED: Final = 200
JUDGED_BY: Final = 100
SEEDS: Final = 3
REPLICATES: Final = 2000

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Strangers:
    """Handwriting of writers whom the recogniser has not seen.

    Attributes:
        logits: float32 (n, classes).
        labels: int32 (n,).
        writers: int (n,).
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int32]
    writers: NDArray[np.int64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Bool (n,), which the release reads right."""
        return np.asarray(self.logits.argmax(axis=1) == self.labels)

    def of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Logits and labels of some rows."""
        return self.logits[rows], self.labels[rows]


@dataclass(frozen=True)
class Outcome:
    """What became of one writer's five corrections.

    Attributes:
        writer: Who.
        unseen: How many samples of the class were not corrected.
        before: Of these, read right without the layer.
        after: Likewise with it.
        used: Whether there is a layer.
        others: What it changes in the accuracy on everybody else, in points of 0 to 1.
        misread: Whether the release misread the class at all.
    """

    writer: int
    unseen: int
    before: int
    after: int
    used: bool
    others: float
    misread: bool


def run(data: str, seed: int, say: Callable[[str], None]) -> Finding:
    """Trains a recogniser, and corrects it for each stranger.

    Args:
        data: Handwriting of single characters, with its writers.
        seed: The first of `SEEDS`.
        say: Told what goes on.

    Raises:
        DatasetError: The writers are unknown, or too few have enough samples of a class.
    """
    say("training a recogniser on four fifths of the writers")
    strangers = apart(strangers_of, data)
    found = [each for further in range(SEEDS) for each in outcomes(strangers, seed + further)]
    if not found:
        raise DatasetError(
            f"{data}: this takes a writer who is held out with {LEAST} samples of a class; choose another with --data"
        )
    return _finding(strangers, found, seed)


def _finding(strangers: Strangers, found: list[Outcome], seed: int) -> Finding:
    groups = {"all writers": found, "whose digit it misread": [each for each in found if each.misread]}
    groups = {name: outcomes for name, outcomes in groups.items() if outcomes}
    writers = len(found) // SEEDS
    gained, (low, _) = gain(found)
    others = float(np.mean([each.others for each in found]))
    return Finding(
        name="few-corrections",
        title=f"{CORRECTIONS} corrections, and what a personal layer makes of them",
        setting=(
            f"The release reads {strangers.right.mean():.2%} of {len(strangers.labels):,} characters of strangers. Of"
            f" each of {writers} of them, the class that it reads worst is corrected {CORRECTIONS} times; seeds {seed}"
            f" to {seed + SEEDS - 1}."
        ),
        tables=(_table(groups),),
        picture="The writer's other samples of that class",
        rows=tuple(Row(name, _accuracies(outcomes)) for name, outcomes in groups.items()),
        aims=(
            Figure("writers", writers, 30, "more", ",.0f"),
            Figure("gained on the corrected class, points", 100 * gained, 0.0, "more"),
            Figure("the same, lower end of its interval", 100 * low, 0.0, "more"),
            Figure("lost for everybody else, points", -100 * others, 0.1, "less"),
        ),
        json={
            "seeds": list(range(seed, seed + SEEDS)),
            "accuracy": float(strangers.right.mean()),
            "groups": [{"writers": name, **_as_json(outcomes)} for name, outcomes in groups.items()],
        },
    )


def _accuracies(found: list[Outcome]) -> dict[str, float]:
    unseen = sum(each.unseen for each in found)
    return {
        "without": sum(each.before for each in found) / unseen,
        "with": sum(each.after for each in found) / unseen,
    }


def _as_json(found: list[Outcome]) -> dict[str, object]:
    gained, (low, high) = gain(found)
    return {
        "cases": len(found),
        "unseen": sum(each.unseen for each in found),
        **{f"accuracy_{name}": value for name, value in _accuracies(found).items()},
        "gained": {"difference": gained, "low": low, "high": high},
        "used": float(np.mean([each.used for each in found])),
        "others": float(np.mean([each.others for each in found])),
    }


def strangers_of(data: str) -> Strangers:
    """Trains a recogniser, and has it read the writers who are held out.

    Raises:
        DatasetError: The writers are unknown, or too few.
    """
    from handfed.shared.tf.runtime import configure

    dataset = datasets.read(data)
    if dataset.writers is None:
        raise DatasetError(
            f"{data}: its writers are unknown, and strangers are made of them; choose another with --data"
        )
    held_out = split(dataset, scheme="writer", devices=None, held_out=HELD_OUT, seed=0).held_out
    _refuse_few(data, len(np.unique(dataset.writers[held_out])))
    configure(1)
    content, _ = trained("cnn", dataset.samples.take(np.flatnonzero(~held_out)), passes=PASSES, start=None)
    rows = np.flatnonzero(held_out)
    taken = dataset.samples.take(rows)
    writers = np.asarray(dataset.writers)[rows].astype(np.int64)
    return Strangers(Int8Model(content).logits(taken.pictures), taken.labels.astype(np.int32), writers)


def _refuse_few(data: str, strangers: int) -> None:
    """Makes sure that there is one writer to correct, and one who is neither that one nor in the company.

    Raises:
        DatasetError: There is not.
    """
    if strangers < COMPANY + 2:
        raise DatasetError(
            f"{data}: {strangers} writers are held out, and this takes {COMPANY + 2}: as {HELD_OUT:.0%} are, give the"
            f" handwriting of about {round((COMPANY + 2) / HELD_OUT)} writers with --data"
        )


def outcomes(strangers: Strangers, seed: int) -> Iterator[Outcome]:
    """Of each writer who has enough samples of the digit that is read worst."""
    random = np.random.default_rng(seed)
    writers = random.permutation(np.unique(strangers.writers))
    company = np.flatnonzero(np.isin(strangers.writers, writers[:COMPANY]))
    for writer in writers[COMPANY:]:
        worst = _worst(strangers, np.flatnonzero(strangers.writers == writer))
        if worst is not None:
            yield _outcome(strangers, random.permutation(worst), random.permutation(company))


def _worst(strangers: Strangers, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The rows of the class that is read worst; of classes that are read alike, of the one that is least sure."""
    sure = softmax(strangers.logits[rows])[np.arange(len(rows)), strangers.labels[rows]]
    classes = [rows[strangers.labels[rows] == label] for label in np.unique(strangers.labels[rows])]
    order = {row: place for place, row in enumerate(rows.tolist())}
    enough = [each for each in classes if len(each) >= LEAST]
    return min(
        enough,
        key=lambda each: (strangers.right[each].mean(), sure[[order[row] for row in each.tolist()]].mean()),
        default=None,
    )


def _outcome(strangers: Strangers, of_class: NDArray[np.int64], company: NDArray[np.int64]) -> Outcome:
    corrected, unseen = of_class[:CORRECTIONS], of_class[CORRECTIONS:]
    logits, labels = strangers.of(np.concatenate([corrected, company[:CONFIRMED]]))
    layer = personal_layer(logits, labels, *strangers.of(company[CONFIRMED : CONFIRMED + JUDGED_BY]))
    misread = not bool(strangers.right[of_class].all())
    before = int(strangers.right[unseen].sum())
    writer = int(strangers.writers[of_class[0]])
    if layer is None:
        return Outcome(writer, len(unseen), before, before, used=False, others=0.0, misread=misread)
    mine = strangers.writers == writer
    others = np.flatnonzero(~mine & ~np.isin(strangers.writers, strangers.writers[company]))
    changed = layer.apply(strangers.logits).argmax(axis=1) == strangers.labels
    cost = float(changed[others].mean() - strangers.right[others].mean())
    return Outcome(writer, len(unseen), before, int(changed[unseen].sum()), used=True, others=cost, misread=misread)


def gain(found: list[Outcome]) -> tuple[float, tuple[float, float]]:
    """What layers gain on unseen samples, pooled, and a 95 % interval: a bootstrap over writers with all their cases.

    Source: the percentile interval of Efron & Tibshirani 1993, chapter 13, with writers as units.
    """
    _, of_whom = np.unique([each.writer for each in found], return_inverse=True)
    counts = np.zeros((of_whom.max() + 1, 2))
    np.add.at(counts, of_whom, [(each.unseen, each.after - each.before) for each in found])
    drawn = np.random.default_rng(0).integers(0, len(counts), (REPLICATES, len(counts)))
    sums = counts[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 1] / sums[:, 0], (0.025, 0.975))
    return counts[:, 1].sum() / counts[:, 0].sum(), (float(low), float(high))


def _table(groups: dict[str, list[Outcome]]) -> Columns:
    each = [_as_json(found) for found in groups.values()]
    gains = [gain(found) for found in groups.values()]
    return Columns(
        "With a personal layer, and without",
        {
            "writers": list(groups),
            "cases": [f"{row['cases']:,}" for row in each],
            "unseen samples": [f"{row['unseen']:,}" for row in each],
            "right without": [f"{row['accuracy_without']:.2%}" for row in each],
            "with": [f"{row['accuracy_with']:.2%}" for row in each],
            "gained, points (95 %)": [
                f"{100 * gained:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})" for gained, (low, high) in gains
            ],
            "layers used": [f"{row['used']:.0%}" for row in each],
            "others, points": [f"{100 * np.mean([one.others for one in found]):+.3f}" for found in groups.values()],
        },
    )
