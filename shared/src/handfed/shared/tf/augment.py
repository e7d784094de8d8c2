"""Augmentation: each image of a batch is deformed, then its ink and paper are changed.

Rules:
1. Random numbers are stateless: a seed gives the same images, with any number of threads.
2. Each effect draws from a stream of its own, so that another effect, turned on or off, does not change what it does.
3. An effect that is set to 0 is no part of the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from handfed.shared.tf.deform import deform
from handfed.shared.tf.degrade import backgrounds, noise, polarity, salt_and_pepper, stroke_width
from handfed.shared.tf.runtime import tf


@dataclass(frozen=True)
class Augmentation:
    """How far augmentation may go.

    Attributes:
        rotation: Degrees; this and the next three are drawn evenly from minus to plus their value.
        scale: Fraction of the size, along each axis for itself.
        shear: Horizontal shift a pixel of height.
        shift: Pixels, along each axis.
        elastic: Pixels, standard deviation of a Gaussian displacement at the nodes of a grid.
        stroke_width: Probability that strokes are made thinner or thicker.
        noise: Highest standard deviation of Gaussian noise, 1 is full ink.
        salt_and_pepper: Highest fraction of pixels that become paper or ink.
        backgrounds: Probability of paper, lines or a watermark under an image.
        polarity: Probability that ink and paper change places.
    """

    rotation: float = 15.0
    scale: float = 0.12
    shear: float = 0.2
    shift: float = 2.0
    elastic: float = 1.2
    stroke_width: float = 0.0
    noise: float = 0.0
    salt_and_pepper: float = 0.0
    backgrounds: float = 0.0
    polarity: float = 0.0

    def times(self, strength: float) -> Augmentation:
        """The same deformations, `strength` times as far; ink and paper as they are here."""
        return replace(self, **{name: value * strength for name, value in self.deformations().items()})

    def deformations(self) -> dict[str, float]:
        """The arguments of `deform`."""
        return {
            "rotation": self.rotation,
            "scale": self.scale,
            "shear": self.shear,
            "shift": self.shift,
            "elastic": self.elastic,
        }

    def __bool__(self) -> bool:
        return any(astuple(self))


def augment(batch: Any, seed: Any, augmentation: Augmentation) -> Any:  # noqa: ANN401 - tensors
    """Augments images of ink alone, float32 (batch, height, width); see `augment_pictures`."""
    return augment_pictures(batch[..., None], seed, augmentation)[0][..., 0]


def augment_pictures(
    batch: Any,  # noqa: ANN401 - tensors
    seed: Any,  # noqa: ANN401
    augmentation: Augmentation,
    widths: Any = None,  # noqa: ANN401
) -> tuple[Any, Any]:
    """Augments each image of a batch for itself.

    Args:
        batch: float32 (batch, height, width, channels), of which the first is the ink: 0 is paper and 1 full ink.
        seed: int32 (2,), the same seed gives the same result.
        augmentation: How far.
        widths: Of texts int32 (batch,), columns of each before the paper on its right; None for single characters.

    Returns:
        float32 (batch, height, width, channels), 0 to 1; what comes from outside the image is 0. All channels are
        deformed alike; what pen and paper do changes the ink alone. And the widths, which `deform` may have changed.
    """
    deformations = augmentation.deformations()
    if any(deformations.values()):
        batch, widths = deform(batch, seed, widths, **deformations)
    ink = batch[..., 0]
    # The pen, the sheet, and then what a scanner makes of them. A number in this list is a stream of random numbers:
    # new effects go to its end with the next number, wherever they take place.
    effects = (
        (1, stroke_width, augmentation.stroke_width),
        (2, backgrounds, augmentation.backgrounds),
        (3, polarity, augmentation.polarity),
        (4, noise, augmentation.noise),
        (5, salt_and_pepper, augmentation.salt_and_pepper),
    )
    for stream, effect, setting in effects:
        if setting:
            ink = effect(ink, tf.random.experimental.stateless_fold_in(seed, stream), setting)
    return tf.concat([ink[..., None], batch[..., 1:]], axis=3), widths


def hide(batch: Any, seed: Any, probability: float, hidden: Sequence[bool]) -> Any:  # noqa: ANN401 - tensors
    """Empties some planes of some pictures, each with that probability.

    Args:
        batch: float32 (batch, height, width, channels).
        seed: int32 (2,).
        probability: 0 to 1.
        hidden: Of each channel, whether it may be emptied.

    Returns:
        float32 (batch, height, width, channels).
    """
    own = tf.random.experimental.stateless_fold_in(seed, 6)  # a stream beside those of `augment_pictures`
    drawn = tf.random.stateless_uniform([tf.shape(batch)[0], 1, 1, 1], own)
    emptied = tf.logical_and(drawn < probability, tf.constant(list(hidden)))
    return tf.where(emptied, 0.0, batch)
