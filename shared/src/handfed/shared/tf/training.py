"""Local training: what a device does with its own handwriting in a round.

A `Trainer` builds each model once and keeps it, with every step compiled; a round only loads arrays into it.

Rules:
1. Batch normalisation never looks at the batch while `freeze_statistics` holds: its moments are constants.
2. The logits of single characters are shifted by `label_prior` times the logarithm of the device's own class
   frequencies while it trains (Menon et al. 2021, arXiv:2007.07314, equation 9; for federations Zhang et al. 2022,
   arXiv:2209.00189), so that a device with few classes does not teach the others to forget the rest. The frequencies
   stay on the device.
3. Where `missing_classes` is masked, outputs of classes that no sample of the device shows are left out of its loss,
   and it moves none of them (restricted softmax; Li and Zhan 2021, FedRS, doi:10.1145/3447548.3467254, with alpha 0).
   A teacher still has a say in those that it knows.
4. The same arrays, samples, settings and seed give the same arrays.
5. In mixed precision only the training of the float model computes in bfloat16; what reads, measures, calibrates or is
   quantized computes in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handfed.shared.class_balance import balanced_weights
from handfed.shared.continual.growth import HEAD, grown
from handfed.shared.geometry import SIDE
from handfed.shared.local_training import LocalTraining, Teacher
from handfed.shared.samples import END, Samples
from handfed.shared.scores import Score
from handfed.shared.tf import recognisers
from handfed.shared.tf.compiled import AT_ONCE, Compiled, Lesson
from handfed.shared.tf.objectives import objective_of
from handfed.shared.tf.pruning import prune
from handfed.shared.tf.quantization import quantization_aware, refresh_kernel_ranges
from handfed.shared.tf.runtime import computing_in_bfloat16, keras
from handfed.shared.tf.variables import NamedVariables
from handfed.shared.transcripts import Transcripts
from handfed.shared.wire import Arrays, Role, Schema


class Trainer:
    """A recogniser and its quantization-aware twin, compiled and kept.

    Args:
        recogniser: Name of the recogniser.
        classes: How many classes it tells apart.
        seed: Seed of the initial weights.
        alpha: Weights a class of the focal loss, float32 (classes,), or None.
        height: Of the pictures, in pixels.
        channels: Planes of the pictures, the ink's among them.
        pruning: Fraction of the family's channels that are left out.
    """

    def __init__(
        self,
        recogniser: str,
        classes: int,
        *,
        seed: int,
        alpha: NDArray[np.float32] | None = None,
        height: int = SIDE,
        channels: int = 1,
        pruning: float = 0.0,
    ) -> None:
        keras.utils.set_random_seed(seed)
        self.classes = classes
        self.height = height
        self._objective = objective_of(recogniser, classes, alpha)
        self.channels = channels
        self._recogniser, self._pruning = recogniser, pruning
        self._teachers: dict[tuple[str, float, int], tuple[Any, NamedVariables]] = {}
        self._model = self._built(recogniser, pruning, self._objective.outputs)
        self._float = Compiled(self._model, self._objective)
        self._initial = self._float.variables.dump()

    def _built(self, recogniser: str, pruning: float, outputs: int) -> Any:  # noqa: ANN401 - Keras publishes no types
        return recognisers.build(recogniser, outputs, self.height, channels=self.channels, pruning=pruning)

    def grown(self, arrays: Arrays, before: Sequence[str], after: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """What a float model of this recogniser becomes that tells fewer classes apart (`continual.growth`).

        Args:
            arrays: Its state.
            before: Names of its classes, in order.
            after: Names of this trainer's.

        Raises:
            SettingError: A class of `before` is not among `after`.
        """
        return grown(arrays, before, after, self._initial, blank=self._blank)

    def centred(self, arrays: Arrays) -> dict[str, NDArray[np.float32]]:
        """The same float model, with logits of single characters that sum to 0 over the classes.

        A softmax is the same wherever its logits lie together, so its gradient moves no class unless it moves others
        against it. Adam divides each class's by a measure of its own and so moves all of them off together, by hundreds
        of nats in a long training. Floats bear that; a file of integers would spend its 256 steps on it. Logits of
        texts do not drift (`handfed.shared.tf.losses.drift`).
        """
        moved = () if self._blank else HEAD
        return {**arrays, **{name: arrays[name] - arrays[name].mean(axis=-1, keepdims=True) for name in moved}}

    @property
    def _blank(self) -> bool:
        """Whether the last output is the blank."""
        return self._objective.outputs > self.classes

    def pruned(self, arrays: Arrays, pruning: float) -> dict[str, NDArray[np.float32]]:
        """What is left of a wider model of this family when its least channels are left out.

        Args:
            arrays: The state of its float model.
            pruning: Fraction of the family's channels that it lacks itself; not more than this model does.
        """
        wide = self._built(self._recogniser, pruning, self._objective.outputs)
        return prune(wide, self._model, arrays)

    def teacher_schema(self, recogniser: str, pruning: float, classes: int | None = None) -> Schema:
        """The arrays of a teacher.

        Args:
            recogniser: Its family, which reads the same kind of samples.
            pruning: Fraction of its family's channels that it lacks.
            classes: How many classes it tells apart; None for as many as this model.
        """
        _, variables = self._teacher(recogniser, pruning, self.classes if classes is None else classes)
        return variables.schema

    def _teacher(self, recogniser: str, pruning: float, classes: int) -> tuple[Any, NamedVariables]:
        """A teacher's model; one of each shape is kept."""
        shape = (recogniser, pruning, classes)
        if shape not in self._teachers:
            model = self._built(recogniser, pruning, classes + self._blank)
            self._teachers[shape] = model, NamedVariables(model)
        return self._teachers[shape]

    def _teaching(self, teacher: Teacher | None) -> Lesson | None:
        """The teacher's model in its state, and which outputs it has a say in."""
        if teacher is None:
            return None
        known = self.classes if teacher.classes is None else len(teacher.classes)
        model, variables = self._teacher(teacher.recogniser, teacher.pruning, known)
        variables.load(teacher.arrays)
        if teacher.classes is None:
            return Lesson(model, None)
        return Lesson(model, (*teacher.classes, *([self.classes] if self._blank else [])))

    @cached_property
    def _mixed(self) -> Compiled:
        """The float model once more, which computes in bfloat16 while it trains."""
        with computing_in_bfloat16():
            return Compiled(self._built(self._recogniser, self._pruning, self._objective.outputs), self._objective)

    @cached_property
    def _quantized(self) -> Compiled:
        return Compiled(quantization_aware(self._model), self._objective)

    def _of(self, *, quantized: bool) -> Compiled:
        return self._quantized if quantized else self._float

    def schema(self, *, quantized: bool) -> Schema:
        """The arrays of the float model, or of its quantization-aware twin."""
        return self._of(quantized=quantized).variables.schema

    def initial(self) -> dict[str, NDArray[np.float32]]:
        """The arrays of the untrained float model."""
        return dict(self._initial)

    def train(
        self,
        arrays: Arrays,
        samples: Samples,
        settings: LocalTraining,
        *,
        quantized: bool,
        seed: tuple[int, int],
        teacher: Teacher | None = None,
    ) -> tuple[dict[str, NDArray[np.float32]], float]:
        """Trains from `arrays` on a device's samples.

        Args:
            arrays: The state to start from, of this schema.
            samples: Of the kind that the recogniser reads, at least one.
            settings: How to train.
            quantized: Whether to train the quantization-aware twin; its statistics are always frozen.
            seed: Seeds shuffling and augmentation; another one for each device and round.
            teacher: Whose outputs count beside the labels, of what `settings` weighs it; None for labels alone.

        Returns:
            The new state, and the mean training loss in nats a sample.
        """
        compiled = self._mixed if settings.mixed_precision and not quantized else self._of(quantized=quantized)
        compiled.variables.load(arrays)
        settings = replace(settings, freeze_statistics=quantized or settings.freeze_statistics)
        train = compiled.training(settings, self._teaching(teacher))
        prior, weights = np.zeros(self.classes, np.float32), np.ones(self.classes, np.float32)
        own = np.bincount(samples.labels[samples.labels != END], minlength=self.classes)
        if not samples.are_texts:
            counts = own + 0.5  # a class it lacks is rare
            prior = (settings.label_prior * np.log(counts / counts.sum())).astype(np.float32)
            weights = balanced_weights(own)
        widths = np.zeros(len(samples), np.int32) if samples.widths is None else samples.widths
        batches = settings.batches(len(samples))
        loss = train(
            samples.pictures,
            samples.labels,
            widths,
            prior,
            weights,
            own > 0,
            np.array(seed, np.int32),
            batches,
            settings.learning_rate,
            np.ones(len(samples), np.float32) if samples.weights is None else samples.weights,
        )
        return compiled.variables.dump(), float(loss)

    def evaluate(self, arrays: Arrays, samples: Samples, *, quantized: bool) -> Score:
        """How well the model reads."""
        return self.graded(arrays, samples, quantized=quantized)[0]

    def graded(self, arrays: Arrays, samples: Samples, *, quantized: bool) -> tuple[Score, NDArray[np.int64]]:
        """How well the model reads, and how many characters of each sample it reads wrong: int64 (n,)."""
        score, errors = Score(), np.zeros(len(samples), np.int64)
        for rows, part, outputs in self._outputs(arrays, samples, quantized=quantized):
            read = Transcripts(part.written(), self._objective.read(part, outputs))
            score += Score.of(read, self._objective.nats(part, outputs))
            errors[rows] = read.errors
        return score, errors

    def read(self, arrays: Arrays, samples: Samples, *, quantized: bool) -> list[list[int]]:
        """The classes that the model reads, of each sample."""
        found: list[list[int]] = [[]] * len(samples)
        for rows, part, outputs in self._outputs(arrays, samples, quantized=quantized):
            for row, text in zip(rows, self._objective.read(part, outputs), strict=True):
                found[row] = text
        return found

    def logits(self, arrays: Arrays, pictures: NDArray[np.uint8], *, quantized: bool) -> NDArray[np.float32]:
        """The model's outputs: float32 (n, classes), or of texts (n, 1, steps, classes + 1).

        Args:
            arrays: The state of the model.
            pictures: uint8 (n, height, width, channels), normalised; where there is one channel, its axis may be left
                out.
            quantized: Whether by the quantization-aware twin.
        """
        return self._loaded(arrays, quantized=quantized).outputs(pictures)

    def _outputs(
        self, arrays: Arrays, samples: Samples, *, quantized: bool
    ) -> Iterator[tuple[NDArray[np.int64], Samples, NDArray[np.float32]]]:
        """Rows, samples and outputs, part by part."""
        compiled = self._loaded(arrays, quantized=quantized)
        for rows, part in samples.batches(AT_ONCE):
            yield rows, part, compiled.outputs(part.pictures)

    def _loaded(self, arrays: Arrays, *, quantized: bool) -> Compiled:
        compiled = self._of(quantized=quantized)
        compiled.variables.load(arrays)
        if quantized:
            refresh_kernel_ranges(compiled.model)
        return compiled

    def measure_statistics(self, arrays: Arrays, samples: Samples) -> dict[str, NDArray[np.float32]]:
        """The batch statistics of these samples under `arrays`: every mean and second moment, exact over the pixels."""
        self._float.variables.load(arrays)
        self._float.measure(samples)
        state = self._float.variables.dump()
        return {name: state[name] for name in self._float.variables.schema.names(Role.MEAN, Role.SECOND_MOMENT)}

    def calibrate(self, arrays: Arrays, samples: Samples) -> dict[str, NDArray[np.float32]]:
        """The range of each activation that the quantization-aware twin rounds: float32 (2,), least and greatest."""
        self._float.variables.load(arrays)
        return self._float.ranges(samples, self._quantized.variables.ranges)

    def float_model(self, arrays: Arrays) -> Any:  # noqa: ANN401 - Keras publishes no types
        """The float Keras model in the state `arrays`, ready to convert."""
        return self._loaded(arrays, quantized=False).model

    def quantized_model(self, arrays: Arrays) -> Any:  # noqa: ANN401 - Keras publishes no types
        """The quantization-aware Keras model in the state `arrays`, ready to convert."""
        self._quantized.variables.load(arrays)
        refresh_kernel_ranges(self._quantized.model)
        return self._quantized.model


@cache
def trainer(
    recogniser: str,
    classes: int,
    *,
    seed: int = 0,
    alpha: tuple[float, ...] | None = None,
    height: int = SIDE,
    channels: int = 1,
    pruning: float = 0.0,
) -> Trainer:
    """The process's trainer of these arguments: built once, then kept.

    A server and the devices of a simulation share one, which is safe because a trainer keeps nothing between calls.
    """
    weights = None if alpha is None else np.array(alpha, np.float32)
    return Trainer(recogniser, classes, seed=seed, alpha=weights, height=height, channels=channels, pruning=pruning)
