"""The settings of a federated run: one table that feeds the command line, Flower's run configuration and the docs.

Each field of `RunSettings` states its meaning and its bounds; the command line makes its options of them, and a test
fails when the documentation does not name one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Self

from handfed.shared import inputs
from handfed.shared.errors import SettingError
from handfed.shared.recognisers import FAMILIES, family

STRATEGIES = (
    "fedavg",
    "fedprox",
    "fedavgm",
    "fedadam",
    "fedyogi",
    "fedadagrad",
    "median",
    "trimmed-mean",
    "krum",
    "multi-krum",
    "bulyan",
    "qfedavg",
)
# Strategies that compare single updates, or weigh each by its loss: a server that sees only sums cannot run them.
INSPECTING = ("median", "trimmed-mean", "krum", "multi-krum", "bulyan", "qfedavg")
OPTIMISERS = ("sgd", "adam", "adam-mini", "nadam")
SAMPLINGS = ("uniform", "fair")
VISIBILITIES = ("inspected", "secure")
BATCH_STATISTICS = ("fixed", "running")
CLASS_WEIGHTS = ("none", "balanced")
MISSING_CLASSES = ("adjusted", "masked")
LEAST_CONFIDENCE = 0.5  # of a pseudo-label: what is not even likelier than not is none
SCHEDULES = ("cosine", "cosine-restarts", "plateau", "exponential", "constant")

Value = bool | int | float | str


def _setting(
    default: Value,
    meaning: str,
    *,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:  # noqa: ANN401 - dataclasses.field claims the type of its default
    return dataclasses.field(
        default=default, metadata={"help": meaning, "least": least, "most": most, "choices": choices}
    )


@dataclass(frozen=True)
class RunSettings:
    """How a federation trains one recogniser. Every field has a default that suits characters on a few devices."""

    recogniser: str = _setting("cnn", "Family of the model.", choices=tuple(FAMILIES))
    start_from: int = _setting(
        0, "Number of an earlier run, whose float model this one goes on from; 0 for none.", least=0, most=2**31 - 1
    )
    pruning: float = _setting(
        0.0,
        "Fraction of each layer's channels that are left out: the least of those of the run that it starts from.",
        least=0.0,
        most=0.9,
    )
    teacher: int = _setting(
        0, "Number of an earlier run, whose float model teaches this one's; 0 for none.", least=0, most=2**31 - 1
    )
    distillation_weight: float = _setting(
        0.5, "With a teacher: what its outputs weigh in the loss, beside the labels.", least=0.01, most=1.0
    )
    distillation_temperature: float = _setting(
        2.0, "With a teacher: what its logits, and the model's, are divided by.", least=0.1, most=100.0
    )
    replay_memory: int = _setting(
        0,
        "With start-from: of what a device has trained on in earlier runs, how many samples a class it trains on again;"
        " 0 for all of them.",
        least=0,
        most=10_000_000,
    )
    pseudo_labels: float = _setting(
        0.0,
        "With start-from: confidence from which devices train on what the model reads of samples without a label, for"
        " the class that is read best; others begin lower. 0 for never.",
        least=0.0,
        most=1.0,
    )
    pseudo_weight: float = _setting(
        0.5, "With pseudo-labels: what such a label counts, beside one that a person gave.", least=0.01, most=1.0
    )
    strategy: str = _setting("fedavgm", "How updates of weights are combined.", choices=STRATEGIES)
    rounds: int = _setting(40, "Rounds in all, the quantization-aware ones among them.", least=1, most=100_000)
    qat_rounds: int = _setting(4, "Last rounds, which are quantization-aware.", least=0, most=100_000)
    participation: float = _setting(1.0, "Fraction of the devices that train in a round.", least=0.0001, most=1.0)
    sampling: str = _setting(
        "uniform",
        "How they are chosen of the devices that are there: each with the same chance, or those first that had the"
        " fewest turns.",
        choices=SAMPLINGS,
    )
    quorum: float = _setting(
        0.5, "Fraction of a round's devices that must return a usable update.", least=0.0, most=1.0
    )
    deadline_s: float = _setting(3600.0, "Seconds that a round waits for its devices.", least=1.0, most=1e7)
    over_selection: float = _setting(
        0.0,
        "Fraction of devices asked beyond those a round needs; it ends when enough have answered.",
        least=0.0,
        most=10.0,
    )
    visibility: str = _setting(
        "inspected",
        "Whether the server may look at single updates, or only at their sum; then devices clip for themselves and"
        " weigh the same.",
        choices=VISIBILITIES,
    )
    norm_bound: float = _setting(
        0.0, "Updates longer than this many times the round's median are not used; 0 for no bound.", least=0.0, most=1e6
    )
    direction_bound: float = _setting(
        -1.0,
        "Updates whose cosine with the round's median update is below this are not used; -1 for no bound.",
        least=-1.0,
        most=1.0,
    )
    clip_update: float = _setting(
        0.0, "Devices scale their update down to this L2 norm; 0 for no bound.", least=0.0, most=1e6
    )
    local_epochs: int = _setting(2, "Passes of a device over its own images in a round.", least=1, most=1000)
    local_steps: int = _setting(
        0, "Training steps of a device in a round, instead of whole passes; 0 for passes.", least=0, most=1_000_000
    )
    batch_size: int = _setting(16, "Images of which a gradient is computed at once.", least=1, most=4096)
    gradient_accumulation: int = _setting(
        1, "Batches whose gradients are averaged for one training step; 0 for all of a pass.", least=0, most=100_000
    )
    learning_rate: float = _setting(0.05, "Highest learning rate of the devices.", least=1e-6, most=10.0)
    warmup_rounds: int = _setting(3, "Rounds in which the learning rate rises to its highest.", least=0, most=1000)
    schedule: str = _setting(
        "cosine",
        "How the learning rate goes on from there over the float rounds; the quantization-aware ones always go down by"
        " half a cosine.",
        choices=SCHEDULES,
    )
    restarts: int = _setting(2, "How often cosine-restarts goes back to the highest rate.", least=0, most=20)
    plateau_rounds: int = _setting(
        4, "Rounds without a lower held-out loss after which plateau lowers the rate.", least=1, most=1000
    )
    plateau_factor: float = _setting(0.5, "What plateau multiplies the rate with.", least=0.01, most=0.99)
    early_stopping: int = _setting(
        0,
        "Rounds without a lower held-out loss after which the float rounds end; the best model goes on. 0 for all"
        " rounds.",
        least=0,
        most=100_000,
    )
    qat_learning_rate: float = _setting(
        0.1,
        "Learning rate of the quantization-aware rounds, as a fraction of the highest.",
        least=1e-6,
        most=1.0,
    )
    optimiser: str = _setting("sgd", "What takes the devices' training steps.", choices=OPTIMISERS)
    momentum: float = _setting(
        0.9, "Momentum of the devices' optimiser: of sgd, or beta 1 of the others.", least=0.0, most=0.999
    )
    server_momentum: float = _setting(0.8, "Momentum of the server, for fedavgm.", least=0.0, most=0.999)
    server_averaging: float = _setting(
        0.0,
        "Decay a round of a moving average of the combined models, which is what is read with, quantized and published;"
        " 0 for the last one.",
        least=0.0,
        most=0.9999,
    )
    server_learning_rate: float = _setting(
        0.01, "Learning rate of the server, for fedadam, fedyogi and fedadagrad.", least=1e-6, most=10.0
    )
    server_adaptivity: float = _setting(
        1e-3,
        "What fedadam, fedyogi and fedadagrad add to the root of mean squared updates before they divide by it; updates"
        " that are much smaller move the model less.",
        least=1e-12,
        most=10.0,
    )
    proximal_mu: float = _setting(0.01, "Weight of the proximal term, for fedprox.", least=0.0, most=100.0)
    byzantine: float = _setting(
        0.2,
        "Fraction of a round's devices that may be hostile, for trimmed-mean, krum, multi-krum and bulyan.",
        least=0.0,
        most=0.49,
    )
    fairness_q: float = _setting(
        0.2, "How much more devices with a high loss weigh, for qfedavg; 0 for not at all.", least=0.0, most=10.0
    )
    mixed_precision: bool = _setting(
        default=False,
        meaning="Compute float rounds in bfloat16, with weights in float32: faster on processors that have it.",
    )
    clip_norm: float = _setting(1.0, "Gradients are scaled down to this global norm.", least=1e-6, most=1e6)
    focal_gamma: float = _setting(
        2.0, "Focusing parameter of the focal loss; 0 is cross-entropy.", least=0.0, most=10.0
    )
    class_alpha: str = _setting("", "Weights of classes in the loss, as 9=2,4=1.5; the others weigh 1.")
    class_weights: str = _setting(
        "none",
        "Weights of classes in the loss that each device computes of its own counts: none, or balanced.",
        choices=CLASS_WEIGHTS,
    )
    label_prior: float = _setting(
        0.7,
        "How far logits are adjusted by the device's own class frequencies while it trains.",
        least=0.0,
        most=1.0,
    )
    missing_classes: str = _setting(
        "adjusted",
        "What a device's loss makes of classes it has no sample of: adjusted as label-prior says, or masked, that is,"
        " left out.",
        choices=MISSING_CLASSES,
    )
    label_smoothing: float = _setting(
        0.0, "How far the loss is moved towards the uniform distribution over classes.", least=0.0, most=0.5
    )
    weight_decay: float = _setting(
        0.0,
        "Decoupled weight decay: a step takes this times its learning rate off each kernel.",
        least=0.0,
        most=10.0,
    )
    inputs: str = _setting(
        "",
        "What recognisers of characters see beside the ink, parted by commas: topology, size, pen; empty for nothing.",
    )
    hidden_strokes: float = _setting(
        0.0,
        "Probability that a training sample shows nothing of its strokes, so that pictures without them are read too.",
        least=0.0,
        most=1.0,
    )
    dropout: float = _setting(
        0.3, "Fraction of the features before the last layer that are left out in a training step.", least=0.0, most=0.9
    )
    batch_statistics: str = _setting(
        "fixed",
        "Moments of batch normalisation: measured once by all devices on the untrained model and fixed, or running"
        " along with training until freeze-round.",
        choices=BATCH_STATISTICS,
    )
    freeze_round: int = _setting(
        20, "With running moments: the round from which they are fixed.", least=1, most=100_000
    )
    augmentation: float = _setting(
        1.0,
        "Strength of the deformations in training: rotation, scale, shear, shift, elastic; 0 for none.",
        least=0.0,
        most=3.0,
    )
    stroke_width: float = _setting(
        0.0, "Probability that an image's strokes are made thinner or thicker in training.", least=0.0, most=1.0
    )
    noise: float = _setting(
        0.0, "Highest standard deviation of Gaussian noise in training, as a fraction of full ink.", least=0.0, most=1.0
    )
    salt_and_pepper: float = _setting(
        0.0, "Highest fraction of pixels that become paper or ink in training.", least=0.0, most=1.0
    )
    backgrounds: float = _setting(
        0.0, "Probability that paper, lines or a watermark are put under an image in training.", least=0.0, most=1.0
    )
    polarity: float = _setting(0.0, "Probability that ink and paper change places in training.", least=0.0, most=1.0)
    evaluate_every: int = _setting(1, "Rounds between evaluations on held-out images.", least=1, most=100_000)
    float_margin: float = _setting(
        0.01,
        "A release is refused when INT8 is worse than float by more than this fraction.",
        least=0.0,
        most=1.0,
    )
    seed: int = _setting(0, "Seeds everything that is drawn by chance.", least=0, most=2**31 - 1)

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field, getattr(self, field.name))
        if inputs.parse(self.inputs) and family(self.recogniser).columns:
            raise SettingError(f"recogniser {self.recogniser} sees the ink of texts alone; leave inputs out")
        if self.qat_rounds > self.rounds:
            raise SettingError(f"qat-rounds {self.qat_rounds} exceeds rounds {self.rounds}; it counts the last of them")
        if self.class_weights != "none" and family(self.recogniser).columns:
            raise SettingError(
                f"class-weights {self.class_weights} weighs single characters, and recogniser {self.recogniser} reads"
                " texts; leave it out"
            )
        self._check_pseudo_labels()
        if self.pruning and not family(self.recogniser).prunable:
            raise SettingError(f"recogniser {self.recogniser} cannot be pruned; leave pruning out")
        if self.visibility == "secure":
            self._check_secure()

    def _check_pseudo_labels(self) -> None:
        """Single characters alone, and never what is not even likelier than not."""
        if self.pseudo_labels and family(self.recogniser).columns:
            raise SettingError(
                f"pseudo-labels are of single characters, and recogniser {self.recogniser} reads texts; leave it out"
            )
        if 0 < self.pseudo_labels < LEAST_CONFIDENCE:
            raise SettingError(
                f"pseudo-labels {self.pseudo_labels} is out of bounds: 0, or from {LEAST_CONFIDENCE:g} to 1"
            )

    def _check_secure(self) -> None:
        """Nothing in a run may need what its visibility hides."""
        if self.strategy in INSPECTING:
            others = ", ".join(name for name in STRATEGIES if name not in INSPECTING)
            raise SettingError(
                f"strategy {self.strategy} looks at single updates, which visibility secure forbids; choose of {others}"
            )
        for name, off in (("norm_bound", 0.0), ("direction_bound", -1.0)):
            if getattr(self, name) != off:
                raise SettingError(
                    f"{option(name)} looks at single updates, which visibility secure forbids; leave it out, and bound"
                    " what one device can do with --clip-update"
                )
        if not self.clip_update:
            raise SettingError(
                "visibility secure needs --clip-update, the L2 norm that devices scale their update down to: no other"
                " check bounds what one device can do"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Self:
        """Builds settings from names and values, as Flower's run configuration or a file holds them.

        Args:
            values: By name, with `-` or `_`; what is absent keeps its default.

        Raises:
            SettingError: A name is unknown, or a value is of the wrong type or out of its bounds.
        """
        known = {field.name: field for field in fields(cls)}
        found: dict[str, Any] = {}
        for key, value in values.items():
            name = key.replace("-", "_")
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"; did you mean {option(close[0])}?" if close else ""
                raise SettingError(f"there is no setting {key!r}{hint}")
            whole = isinstance(value, int) and not isinstance(value, bool)
            found[name] = float(str(value)) if whole and known[name].type == "float" else value
        return cls(**found)

    def to_mapping(self) -> dict[str, Value]:
        """Every setting by name."""
        return dataclasses.asdict(self)

    def alpha(self, names: tuple[str, ...]) -> list[float] | None:
        """Weights a class, in the order of `names`; None where all weigh the same.

        Raises:
            SettingError: `class_alpha` names no class, or gives no positive number.
        """
        if not self.class_alpha:
            return None
        weights = dict.fromkeys(names, 1.0)
        for part in self.class_alpha.split(","):
            name, _, text = part.rpartition("=")
            if name not in weights:
                raise SettingError(f"class-alpha {part!r}: write CLASS=WEIGHT with a class of {' '.join(names)}")
            try:
                weights[name] = float(text)
            except ValueError:
                raise SettingError(f"class-alpha {part!r}: {text!r} is no number") from None
            if not 0 < weights[name] <= 1000:  # noqa: PLR2004 - more would drown every other class
                raise SettingError(f"class-alpha {part!r}: a weight lies above 0 and is at most 1000")
        return list(weights.values())


def option(name: str) -> str:
    """The setting's name as the command line spells it."""
    return name.replace("_", "-")


def _check(field: dataclasses.Field[Any], value: object) -> None:
    name, bounds = option(field.name), field.metadata
    expected = {"bool": bool, "int": int, "float": float, "str": str}[str(field.type)]
    if type(value) is not expected:
        raise SettingError(f"{name} must be {field.type}, not {type(value).__name__} {value!r}")
    if bounds["choices"] and value not in bounds["choices"]:
        raise SettingError(f"{name} {value!r} is unknown; choose one of: {', '.join(bounds['choices'])}")
    if (
        isinstance(value, int | float)
        and bounds["least"] is not None
        and not bounds["least"] <= value <= bounds["most"]
    ):
        raise SettingError(f"{name} {value} is out of bounds: from {bounds['least']:g} to {bounds['most']:g}")
