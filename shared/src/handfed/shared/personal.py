"""A personal layer: what one device adds to the logits of a release, learnt from its own handwriting. It stays there.

It is an affine map of the logits, added to them: z + A [z, 1]. Of a release of ten digits it is 110 numbers, learnt in
milliseconds without TensorFlow, and takes no time to speak of when a picture is read.

Rules:
1. The prior of every number is a normal distribution around zero: with few samples little changes, and what was read
   surely stays so.
2. A layer is used only where it is seen to be better: it must make what the device has written likelier, each sample
   by a layer that was fitted without it, and of what the device holds out, writers whom it has not seen, it must read
   no less right. Five corrections seldom turn a count of readings over, but they show in the likelihood.

Source: matrix scaling of Guo et al. 2017 (arXiv:1706.04599, section 4.2), here from the shared model on and by maximum
a posteriori; accelerated gradients of Nesterov 1983 with the step of Beck & Teboulle 2009 (FISTA, equation 4.1 ff.).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import UsageError
from handfed.shared.litert import softmax

STRENGTH: Final = 0.3  # of the prior: a sample's loss, in nats, against half of the sum of squares
MOST_CLASSES: Final = 256
_STEPS: Final = 200
_FOLDS: Final = 5

Logits = NDArray[np.float32]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class PersonalLayer:
    """The layer.

    Attributes:
        matrix: float32 (classes, classes + 1): what each logit, and at last one, adds to each logit.

    Raises:
        UsageError: It is of another form, or not finite.
    """

    matrix: NDArray[np.float32]

    def __post_init__(self) -> None:
        rows, columns = self.matrix.shape if self.matrix.ndim == 2 else (0, 0)  # noqa: PLR2004 - a matrix
        if not rows or columns != rows + 1 or self.matrix.dtype != np.float32 or not np.isfinite(self.matrix).all():
            raise UsageError(f"a personal layer is finite float32 (classes, classes + 1), not {self.matrix.shape}")

    def apply(self, logits: Logits) -> Logits:
        """Logits with the layer.

        Args:
            logits: float32 (n, classes), as the release gives them.
        """
        return logits + logits @ self.matrix[:, :-1].T + self.matrix[:, -1]


def fit(logits: Logits, labels: Labels, *, strength: float = STRENGTH) -> PersonalLayer:
    """The layer that explains a device's handwriting best, under the prior.

    Args:
        logits: float32 (n, classes), of the release.
        labels: int32 (n,), what was written.
        strength: Of the prior, above 0: larger changes less.

    Raises:
        UsageError: They are of other forms.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:  # noqa: PLR2004 - a matrix
        raise UsageError(f"{labels.shape} labels of {logits.shape} logits: a label for each row is needed")
    classes = logits.shape[1]
    seen = np.concatenate([logits, np.ones((len(logits), 1))], axis=1).astype(np.float64)
    scale = np.sqrt(np.square(seen).sum(axis=1).mean()) if len(seen) else 1.0
    seen /= scale
    wanted = np.eye(classes)[labels]
    step = 1.0 / (0.5 * np.linalg.norm(seen, 2) ** 2 + strength) if len(seen) else 0.0
    matrix, ahead, momentum = np.zeros((classes, classes + 1)), np.zeros((classes, classes + 1)), 1.0
    for _ in range(_STEPS):
        off = softmax((logits + seen @ ahead.T).astype(np.float32)) - wanted  # (n, classes)
        moved = ahead - step * (off.T @ seen + strength * ahead)
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead, matrix, momentum = moved + (momentum - 1) / faster * (moved - matrix), moved, faster
    return PersonalLayer((matrix / scale).astype(np.float32))


def out_of_fold(logits: Logits, labels: Labels, *, strength: float = STRENGTH, folds: int = _FOLDS) -> Logits:
    """Each sample's logits with a layer that was fitted without it.

    Args:
        logits: float32 (n, classes).
        labels: int32 (n,).
        strength: Of the prior.
        folds: Parts, each of which is left out once; drawn the same way every time.
    """
    fold = np.random.default_rng(0).permutation(len(labels)) % folds
    found = logits.copy()
    for left_out in range(folds):
        others = fold != left_out
        layer = fit(logits[others], labels[others], strength=strength)
        found[~others] = layer.apply(logits[~others])
    return found


def personal_layer(logits: Logits, labels: Labels, held_out: Logits, held_out_labels: Labels) -> PersonalLayer | None:
    """The layer for a device's handwriting; None where it is not seen to be better than none (rule 2).

    Args:
        logits: float32 (n, classes), of the release on the device's own handwriting, corrections among it.
        labels: int32 (n,).
        held_out: float32 (m, classes), likewise of what the device holds out.
        held_out_labels: int32 (m,).
    """
    if not len(labels) or logits.shape[1] > MOST_CLASSES:
        return None
    if not _nats(out_of_fold(logits, labels), labels) < _nats(logits, labels):
        return None
    layer = fit(logits, labels)
    right = [int((each.argmax(axis=1) == held_out_labels).sum()) for each in (layer.apply(held_out), held_out)]
    return layer if right[0] >= right[1] else None


def _nats(logits: Logits, labels: Labels) -> float:
    """How unlikely the labels are, in all."""
    probabilities = softmax(logits)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)).sum())
