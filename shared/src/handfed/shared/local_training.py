"""How a device trains in a round, as a value and as it travels in a message's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from handfed.shared.run_settings import RunSettings
from handfed.shared.wire import Arrays


@dataclass(frozen=True)
class LocalTraining:
    """How a device trains in a round; the server sends it with the arrays.

    Attributes:
        epochs: Passes over the device's training images.
        batch_size: Images of which a gradient is computed at once.
        learning_rate: Of stochastic gradient descent.
        momentum: Momentum of the device's optimiser, 0 to below 1.
        clip_norm: Gradients are scaled down to this global norm.
        focal_gamma: Focusing parameter of the focal loss.
        label_prior: How far logits are adjusted by the device's class frequencies, 0 to 1.
        proximal_mu: Weight of the pull towards the arrays it started from (FedProx, Li et al. 2020), 0 for none.
        freeze_statistics: Whether batch normalisation uses the global moments.
        optimiser: Keras' optimiser that takes the steps.
        augmentation: Strength of the default deformations, 0 for none.
        steps: Training steps, instead of whole passes; 0 for passes.
        accumulation: Batches whose gradients are averaged for one step; 0 for all batches of a pass.
        dropout: Fraction of the features before the last layer that a step leaves out.
        stroke_width: Probability that strokes are made thinner or thicker.
        noise: Highest standard deviation of Gaussian noise, 1 is full ink.
        salt_and_pepper: Highest fraction of pixels that become paper or ink.
        backgrounds: Probability of paper, lines or a watermark under an image.
        polarity: Probability that ink and paper change places.
        inputs: What is seen beside the ink.
        hidden_strokes: Probability that of it, what comes from strokes is left empty.
        class_weights: `balanced` where the device weighs classes by its own counts, or `none`.
        label_smoothing: How far the loss is moved towards the uniform distribution, 0 to 0.5.
        weight_decay: A step takes this times its learning rate off each kernel.
        distillation_weight: What a teacher's outputs weigh in the loss; 0 where none comes along.
        distillation_temperature: What its logits, and the model's, are divided by.
        mixed_precision: Whether the float model computes in bfloat16.
        missing_classes: What the loss makes of classes that the device has no sample of; one of
            `handfed.shared.run_settings.MISSING_CLASSES`.
        pseudo_labels: Confidence from which a reading of a sample without a label serves as one; 0 for never.
        pseudo_weight: What such a label counts.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    clip_norm: float
    focal_gamma: float
    label_prior: float
    proximal_mu: float
    freeze_statistics: bool
    augmentation: float
    optimiser: str = "sgd"
    steps: int = 0
    accumulation: int = 1
    dropout: float = 0.0
    stroke_width: float = 0.0
    noise: float = 0.0
    salt_and_pepper: float = 0.0
    backgrounds: float = 0.0
    polarity: float = 0.0
    inputs: str = ""
    hidden_strokes: float = 0.0
    class_weights: str = "none"
    label_smoothing: float = 0.0
    weight_decay: float = 0.0
    distillation_weight: float = 0.0
    distillation_temperature: float = 1.0
    mixed_precision: bool = False
    missing_classes: str = "adjusted"
    pseudo_labels: float = 0.0
    pseudo_weight: float = 0.5

    def batches(self, images: int) -> int:
        """How many batches a device with so many images computes in a round."""
        a_pass = -(-images // self.batch_size)
        return self.steps * (self.accumulation or a_pass) if self.steps else self.epochs * a_pass

    @classmethod
    def of(cls, settings: RunSettings, *, learning_rate: float, freeze_statistics: bool) -> LocalTraining:
        """What a run's settings say of a round, with what depends on the round.

        Args:
            settings: Of the run.
            learning_rate: Of this round.
            freeze_statistics: Whether batch normalisation uses the global moments in this round.
        """
        return cls(
            epochs=settings.local_epochs,
            batch_size=settings.batch_size,
            learning_rate=learning_rate,
            momentum=settings.momentum,
            clip_norm=settings.clip_norm,
            focal_gamma=settings.focal_gamma,
            label_prior=settings.label_prior,
            proximal_mu=0.0,  # the strategy adds it
            freeze_statistics=freeze_statistics,
            augmentation=settings.augmentation,
            optimiser=settings.optimiser,
            steps=settings.local_steps,
            accumulation=settings.gradient_accumulation,
            dropout=settings.dropout,
            stroke_width=settings.stroke_width,
            noise=settings.noise,
            salt_and_pepper=settings.salt_and_pepper,
            backgrounds=settings.backgrounds,
            polarity=settings.polarity,
            inputs=settings.inputs,
            hidden_strokes=settings.hidden_strokes,
            class_weights=settings.class_weights,
            label_smoothing=settings.label_smoothing,
            weight_decay=settings.weight_decay,
            distillation_weight=settings.distillation_weight if settings.teacher else 0.0,
            distillation_temperature=settings.distillation_temperature if settings.teacher else 1.0,
            mixed_precision=settings.mixed_precision,
            missing_classes=settings.missing_classes,
            pseudo_labels=settings.pseudo_labels,
            pseudo_weight=settings.pseudo_weight,
        )

    def to_config(self) -> dict[str, int | float | bool | str]:
        """As a message carries it: each field under its name, with `-`."""
        return {_key(field.name): getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LocalTraining:
        """Reads what `to_config` made; keys beyond the fields are passed over.

        Raises:
            KeyError: A field is missing.
            ValueError: A value is of another type.
        """
        types: dict[str, Any] = {"int": int, "float": float, "bool": bool, "str": str}
        return cls(**{field.name: types[str(field.type)](config[_key(field.name)]) for field in fields(cls)})


@dataclass(frozen=True)
class Teacher:
    """A trained float model whose outputs another one learns from (Hinton et al. 2015, arXiv:1503.02531).

    Attributes:
        recogniser: Its family; of texts, with as many columns a step as the model that it teaches.
        pruning: Fraction of its family's channels that it lacks.
        arrays: Its state.
        classes: Where each class that it tells apart is in the alphabet that is trained; None where that is its own.
    """

    recogniser: str
    pruning: float
    arrays: Arrays
    classes: tuple[int, ...] | None = None


def _key(name: str) -> str:
    return name.replace("_", "-")
