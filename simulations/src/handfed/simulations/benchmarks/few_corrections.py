"""Five corrections: what a personal layer makes of them for the writer, and what it costs everybody else.

A recogniser is trained on four fifths of the writers. Of each other one, the class that it reads worst is corrected
five times, on samples drawn at random; a device learns its layer from these and from 200 confirmed digits of twenty
strangers more. Read are that writer's other samples of the class, and all digits of all other strangers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from handfed.clients import datasets
from handfed.shared.litert import Int8Model, softmax
from handfed.shared.personal import personal_layer
from handfed.simulations.benchmarks.figures import Figure, figures_table
from handfed.simulations.benchmarks.processes import apart
from handfed.simulations.benchmarks.stored_readings import PASSES, trained
from handfed.simulations.benchmarks.writers_of_mnist import DATA, there
from handfed.simulations.partition import split

CORRECTIONS: Final = 5
LEAST: Final = 12  # samples of the class
HELD_OUT: Final = 0.2
COMPANY: Final = 20  # writers of what else is on the device
CONFIRMED: Final = 200
JUDGED_BY: Final = 100
SEEDS: Final = (0, 1, 2)
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


def run(_directory: Path, console: Console) -> None:
    """Trains a recogniser, and corrects it for each stranger."""
    if not there(console):
        return
    strangers = apart(strangers_of, DATA)
    found = [each for seed in SEEDS for each in outcomes(strangers, seed)]
    writers = len(found) // len(SEEDS)
    console.print(f"The release reads {strangers.right.mean():.2%} of {len(strangers.labels):,} strangers' digits.")
    console.print(_table({"all": found, "of whom it misread that digit": [each for each in found if each.misread]}))
    gained, (low, _) = gain(found)
    aims = [
        Figure("writers", writers, 30, "more", ",.0f"),
        Figure("gained on the corrected digit, points", 100 * gained, 0.0, "more"),
        Figure("the same, lower end of its interval", 100 * low, 0.0, "more"),
        Figure("lost for everybody else, points", -100 * float(np.mean([each.others for each in found])), 0.1, "less"),
    ]
    console.print(figures_table(aims, caption=f"{CORRECTIONS} corrections each; seeds {SEEDS[0]} to {SEEDS[-1]}."))


def strangers_of(data: Path) -> Strangers:
    """Trains a recogniser, and has it read the writers who are held out."""
    from handfed.shared.tf.runtime import configure

    configure(1)
    dataset = datasets.read(str(data))
    held_out = split(dataset, scheme="writer", devices=None, held_out=HELD_OUT, seed=0).held_out
    content, _ = trained("cnn", dataset.samples.take(np.flatnonzero(~held_out)), passes=PASSES, start=None)
    rows = np.flatnonzero(held_out)
    taken = dataset.samples.take(rows)
    writers = np.asarray(dataset.writers)[rows].astype(np.int64)
    return Strangers(Int8Model(content).logits(taken.pictures), taken.labels.astype(np.int32), writers)


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


def _table(groups: dict[str, list[Outcome]]) -> Table:
    table = Table("writers", "cases", "unseen samples", "right without", "with", "gained", "layers used", "others")
    for name, found in groups.items():
        unseen = sum(each.unseen for each in found)
        gained, (low, high) = gain(found)
        table.add_row(
            name,
            f"{len(found):,}",
            f"{unseen:,}",
            f"{sum(each.before for each in found) / unseen:.2%}",
            f"{sum(each.after for each in found) / unseen:.2%}",
            f"{100 * gained:+.2f} points, {100 * low:+.2f} to {100 * high:+.2f}",
            f"{np.mean([each.used for each in found]):.0%}",
            f"{100 * np.mean([each.others for each in found]):+.3f} points",
        )
    return table
