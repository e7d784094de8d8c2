"""What training minimises, and how a model's outputs are read: one class a picture, or a sequence of them.

- **Classification**: softmax over the classes, with the focal loss. Outputs are logits (batch, classes).
- **Transcription**: connectionist temporal classification (CTC; Graves et al. 2006, doi:10.1145/1143844.1143891) over
  steps from left to right, each with a class or the blank, which is the last output. Outputs are logits (batch, 1,
  steps, classes + 1): a convolution ends the model, so that it takes pictures of any width. Focal CTC (Feng et al.
  2019, doi:10.1155/2019/9345861) attends to texts that are not yet read.

Texts of like width share a batch, so that little paper is computed; which ones is drawn anew in every pass.
"""

from __future__ import annotations

import math
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from handfed.shared import ctc
from handfed.shared.geometry import SIDE
from handfed.shared.recognisers import family
from handfed.shared.samples import Samples, stepped
from handfed.shared.tf.augment import Augmentation
from handfed.shared.tf.losses import (
    certainty,
    distillation,
    divergence_from_uniform,
    drift,
    focal_ctc_loss,
    focal_loss,
    sum_over_steps,
    without,
)
from handfed.shared.tf.runtime import tf

_DRIFT: Final = 1e-3  # what `drift` weighs beside the CTC loss
_MIXING: Final = 0.25  # how far, as a fraction, texts of another width may share a batch


class Objective(Protocol):
    """How one kind of samples is trained on and read.

    Attributes:
        outputs: Of the model, a picture or a step.
        texts: Whether a sample is a word or a line, whose label is a row of classes, and not one character.
        augmentation: How far pictures may be deformed at a strength of 1.
        reach: Nats below the greatest output of all at which an output has a say; None where all have.
    """

    outputs: int
    texts: bool
    reach: float | None
    augmentation: Augmentation

    def order(self, widths: Any, seed: Any, batch_size: int) -> Any:  # noqa: ANN401 - tensors
        """A random order of the samples, int32 (n,), of which each `batch_size` make a batch."""

    def crop(self, images: Any, widths: Any) -> Any:  # noqa: ANN401
        """A batch without columns that are paper in all its images."""

    def loss(
        self,
        labels: Any,  # noqa: ANN401
        outputs: Any,  # noqa: ANN401
        widths: Any,  # noqa: ANN401
        *,
        prior: Any,  # noqa: ANN401
        weights: Any,  # noqa: ANN401
        known: Any,  # noqa: ANN401
        gamma: float,
        smoothing: float,
        each: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """The mean loss of a batch, float32 scalar in nats.

        Args:
            labels: int32 (batch,), of texts (batch, longest).
            outputs: Of the model.
            widths: int32 (batch,), of the pictures.
            prior: float32 (classes,), what is added to logits of single characters.
            weights: float32 (classes,) of the device's own, or None; texts are not weighed.
            known: bool (classes,), which classes have a say in the loss, or None for all.
            gamma: Focusing parameter of the focal loss.
            smoothing: Of the labels, 0 to 0.5.
            each: float32 (batch,), what each label counts, or None for 1; smoothing counts in full.
        """

    def distillation(self, teacher: Any, outputs: Any, widths: Any, temperature: float) -> Any:  # noqa: ANN401
        """How far a batch's outputs are from a teacher's, float32 scalar in nats a sample."""

    def nats(self, samples: Samples, outputs: NDArray[np.float32]) -> float:
        """The summed loss of samples without any focus or prior, in nats."""

    def read(self, samples: Samples, outputs: NDArray[np.float32]) -> list[list[int]]:
        """The classes that the outputs say, of each sample."""


class Classification:
    """One class a picture.

    Args:
        classes: How many there are.
        alpha: Weights a class of the focal loss, float32 (classes,), or None.
    """

    texts = False
    reach: float | None = None  # the greatest output of one picture may lie far below that of another
    augmentation = Augmentation()

    def __init__(self, classes: int, alpha: NDArray[np.float32] | None = None) -> None:
        self.outputs = classes
        self._alpha = None if alpha is None else tf.constant(alpha)

    def order(self, widths: Any, seed: Any, batch_size: int) -> Any:  # noqa: ANN401, ARG002, D102
        return tf.argsort(tf.random.stateless_uniform([tf.shape(widths)[0]], seed))

    def crop(self, images: Any, widths: Any) -> Any:  # noqa: ANN401, ARG002, D102
        return tf.ensure_shape(images, [None, SIDE, SIDE, images.shape[-1]])

    def loss(  # noqa: D102
        self,
        labels: Any,  # noqa: ANN401
        outputs: Any,  # noqa: ANN401
        widths: Any,  # noqa: ANN401, ARG002
        *,
        prior: Any,  # noqa: ANN401
        weights: Any,  # noqa: ANN401
        known: Any,  # noqa: ANN401
        gamma: float,
        smoothing: float,
        each: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        alphas = [each for each in (self._alpha, weights) if each is not None]
        alpha = math.prod(alphas) if alphas else None
        if known is not None:
            outputs = without(outputs, known)
        loss = focal_loss(labels, outputs + prior, gamma=gamma, alpha=alpha, each=each)
        # Without the prior, which says of classes that a device lacks what no label says.
        return (1 - smoothing) * loss + smoothing * divergence_from_uniform(outputs, known) if smoothing else loss

    def distillation(self, teacher: Any, outputs: Any, widths: Any, temperature: float) -> Any:  # noqa: ANN401, ARG002, D102
        return tf.reduce_mean(distillation(teacher, outputs, temperature))

    def nats(self, samples: Samples, outputs: NDArray[np.float32]) -> float:  # noqa: D102
        logits = outputs.astype(np.float64)
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -float(log_probabilities[np.arange(len(samples)), samples.labels].sum())

    def read(self, samples: Samples, outputs: NDArray[np.float32]) -> list[list[int]]:  # noqa: ARG002, D102
        return [[int(label)] for label in outputs.argmax(axis=1)]


class Transcription:
    """A text from left to right.

    Args:
        classes: How many there are.
        columns: Columns of the picture that make a step.
    """

    texts = True
    reach: float | None = (
        32.0  # as outputs do not drift, the greatest of a step lies near 0, and the others count for e^-32 at most
    )
    # Of a long strip, what a character bears would turn its ends out of the picture; hands differ most in their slant.
    augmentation = Augmentation(rotation=1.0, scale=0.15, shear=0.35, shift=1.5, elastic=1.0)

    def __init__(self, classes: int, columns: int) -> None:
        self.outputs = classes + 1
        self._columns = columns

    def order(self, widths: Any, seed: Any, batch_size: int) -> Any:  # noqa: ANN401, D102
        count = tf.shape(widths)[0]
        stretch = 1 + _MIXING * (tf.random.stateless_uniform([count], seed) - 0.5)
        by_width = tf.argsort(tf.cast(widths, tf.float32) * stretch)
        full = count // batch_size
        draw = tf.random.stateless_uniform([full], tf.random.experimental.stateless_fold_in(seed, 1))
        # The batch that is not full holds the widest, and stays the last: the others are counted as full.
        shuffled = tf.reshape(tf.gather(tf.reshape(by_width[: full * batch_size], [full, -1]), tf.argsort(draw)), [-1])
        return tf.concat([shuffled, by_width[full * batch_size :]], axis=0)

    def crop(self, images: Any, widths: Any) -> Any:  # noqa: ANN401, D102
        return images[:, :, : stepped(tf.reduce_max(widths))]

    def loss(  # noqa: D102
        self,
        labels: Any,  # noqa: ANN401
        outputs: Any,  # noqa: ANN401
        widths: Any,  # noqa: ANN401
        *,
        prior: Any,  # noqa: ANN401, ARG002
        weights: Any,  # noqa: ANN401, ARG002
        known: Any,  # noqa: ANN401
        gamma: float,
        smoothing: float,
        each: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        steps = self._steps(widths)
        if known is not None:
            known = tf.concat([known, [True]], axis=0)  # the blank is everybody's
            outputs = without(outputs, known)
        loss = focal_ctc_loss(labels, outputs[:, 0], steps, gamma=gamma, each=each)
        if smoothing:
            loss = (1 - smoothing) * loss + smoothing * certainty(outputs[:, 0], steps, known)
        return loss + _DRIFT * drift(outputs[:, 0])

    def _steps(self, widths: Any) -> Any:  # noqa: ANN401
        """How many steps of the outputs show a picture, and not the paper beside it: int32 (batch,)."""
        return (widths + self._columns - 1) // self._columns

    def distillation(self, teacher: Any, outputs: Any, widths: Any, temperature: float) -> Any:  # noqa: ANN401, D102
        # To CTC, steps are independent of one another, so the divergence over paths is the sum over steps.
        nats = distillation(teacher[:, 0], outputs[:, 0], temperature)  # (batch, steps)
        return sum_over_steps(nats, self._steps(widths))

    def nats(self, samples: Samples, outputs: NDArray[np.float32]) -> float:  # noqa: D102
        steps = samples.steps(self._columns)
        return float(focal_ctc_loss(samples.labels, outputs[:, 0], steps, gamma=0.0)) * len(samples)

    def read(self, samples: Samples, outputs: NDArray[np.float32]) -> list[list[int]]:  # noqa: D102
        return ctc.best_path(outputs[:, 0], samples.steps(self._columns))


def objective_of(recogniser: str, classes: int, alpha: NDArray[np.float32] | None) -> Objective:
    """What a recogniser is trained by.

    Args:
        recogniser: A key of `FAMILIES`.
        classes: How many classes it tells apart.
        alpha: Weights a class, float32 (classes,), or None; texts are not weighed.

    Raises:
        SettingError: There is no recogniser of that name.
    """
    columns = family(recogniser).columns
    return Transcription(classes, columns) if columns else Classification(classes, alpha)
