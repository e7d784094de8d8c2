"""The handwriting of each step, dealt out to devices once and for all: a step takes what it needs of it.

The first step of `styles` is as it was written; each later one looks like another pen, scanner or paper, the same for
all devices: the world has changed, and not one device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.alphabet import Alphabet
from handfed.shared.continual.memory import MOST_DRAWN, NEVER, Seen
from handfed.shared.continual.steps import Steps, steps_of
from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.shared.images import normalise_all
from handfed.shared.samples import Samples
from handfed.simulations.continual.methods import Method
from handfed.simulations.partition import Partition
from handfed.simulations.partition.device_styles import Style

_STREAM: Final = 3  # of those that a seed gives rise to; partitions and the styles of devices have those below
# Well within what `feature:STYLE` spreads devices over, and plain to see.
_STYLES: Final[Mapping[str, Style]] = {
    "pen": Style(stroke=1.6),
    "scanner": Style(blur=0.9, contrast=0.6, noise=0.03),
    "paper": Style(shade=60.0, grain=9.0, lines=24.0, spacing=9.0),
}


@dataclass(frozen=True, eq=False)
class Handwriting:
    """Handwriting in steps, on devices.

    Attributes:
        dataset: All of it, as it looks in the step that brings it.
        partition: Which device has what, and what is held out.
        steps: Which step brings what.
        draw: int64 (n,), a number at random for each sample, by which a memory is drawn.
    """

    dataset: Dataset
    partition: Partition
    steps: Steps
    draw: NDArray[np.int64]

    @classmethod
    def of(cls, dataset: Dataset, partition: Partition, scheme: str, seed: int) -> Handwriting:
        """Deals a data set out to steps.

        Args:
            dataset: Of single characters.
            partition: Which device has what.
            scheme: As `handfed.shared.continual.steps` says.
            seed: At least 0.

        Raises:
            SettingError: The scheme does not fit the data set, or no sample of a step is held out, or all are.
        """
        if dataset.samples.are_texts:
            raise SettingError("steps are of single characters; choose another task, or leave steps out")
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
        steps = steps_of(scheme, dataset.labels, dataset.alphabet.names, dataset.groups, int(rng.integers(2**31)))
        for number, name in enumerate(steps.names):
            held_out = partition.held_out[steps.step == number]
            if held_out.all() or not held_out.any():
                raise SettingError(
                    f"of step {name!r} {'everything' if held_out.all() else 'nothing'} is held out; choose another"
                    " held-out or seed"
                )
        draw = rng.integers(0, MOST_DRAWN, len(dataset))
        return cls(_looking(dataset, steps, rng), partition, steps, draw)

    @property
    def held_out(self) -> NDArray[np.int64]:
        """Rows of all that is held out, of all steps."""
        return np.flatnonzero(self.partition.held_out & (self.steps.step >= 0))

    def alphabet(self, step: int) -> Alphabet:
        """The classes that are known after a step."""
        return Alphabet(tuple(self.dataset.alphabet.names[label] for label in self.steps.classes[step]))

    def labels(self, step: int) -> NDArray[np.int32]:
        """int32 (n,): the class of each sample in the alphabet of a step; -1 where that lacks it."""
        places = np.full(len(self.dataset.alphabet), -1, np.int32)
        places[list(self.steps.classes[step])] = np.arange(len(self.steps.classes[step]), dtype=np.int32)
        return places[self.dataset.labels]

    def of_step(self, step: int, method: Method, runs: list[int]) -> tuple[Dataset, Partition, Seen]:
        """What devices have in a step.

        Args:
            step: Its number.
            method: How it is learnt.
            runs: The runs of the steps before, in order.

        Returns:
            What there is to train on, with all that is held out so far; who has it; and what of it was trained on.
        """
        of, held_out = self.steps.step, self.partition.held_out
        so_far = (of >= 0) & (of <= step)
        rows = np.flatnonzero(so_far & (held_out | method.everything | (of == step)))
        samples = replace(self.dataset.take(rows).samples, labels=self.labels(step)[rows])
        dataset = replace(self.dataset.take(rows), alphabet=self.alphabet(step), samples=samples)
        partition = replace(
            self.partition,
            device=self.partition.device[rows],
            held_out=held_out[rows],
            unlabelled=self.partition.unlabelled[rows],
        )
        started_from = np.array([0, *runs])  # by step
        base = np.where(of[rows] == step, NEVER, started_from[of[rows]])
        return dataset, partition, Seen(base.astype(np.int64), self.draw[rows])


def _looking(dataset: Dataset, steps: Steps, rng: np.random.Generator) -> Dataset:
    """The data set as it looks in its steps."""
    if not any(steps.styles):
        return dataset
    images = dataset.images.copy()
    for number, style in enumerate(steps.styles):
        if style:
            rows = np.flatnonzero(steps.step == number)
            images[rows] = normalise_all(_STYLES[style].apply(images[rows], rng))
    samples = Samples(images, dataset.labels, planes=dataset.samples.planes)
    return replace(dataset, samples=samples)
