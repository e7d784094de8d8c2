"""The one `ClientApp`: what trains in a simulation trains on a real device.

Rules:
1. A reply holds arrays, counts, a mean loss and seconds. No image, label, writer or file name has a place in it.
2. An error that leaves the device says which rule it broke, never what the device holds.
3. A device whose alphabet is another than the run's takes no part.
4. What it sends is finite, and no further from what it was sent than the run allows: where the server sees only sums,
   nobody else can check that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import Mod
from numpy.typing import NDArray

from handfed.clients.trainer.discretion import DeviceError, discreet
from handfed.shared import wire
from handfed.shared.alphabet import Alphabet
from handfed.shared.calibration import TemperatureCurve
from handfed.shared.litert import Int8Model
from handfed.shared.local_training import LocalTraining, Teacher
from handfed.shared.reading import read, temperature_curve
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.shared.subject import Subject
from handfed.shared.tf.training import Trainer, trainer
from handfed.shared.transcripts import Transcripts

_LEAST_SUMMED: Final = 10  # samples


@dataclass(frozen=True)
class Handwriting:
    """What a device trains on and evaluates with. It never leaves the device.

    Attributes:
        alphabet: The classes that its labels count in.
        training: What it trains on.
        held_out: What it never trains on.
    """

    alphabet: Alphabet
    training: Samples
    held_out: Samples


HandwritingOf = Callable[[Context, Subject], Handwriting]


def create_app(handwriting_of: HandwritingOf, mods: Sequence[Mod] = ()) -> ClientApp:
    """Builds the app.

    Args:
        handwriting_of: Gives a device's handwriting, by the context that Flower made for its node and what the run
            is of.
        mods: Flower mods between the wire and this app, the outermost first.
    """
    app = ClientApp(mods=[*mods, discreet])

    @app.query("describe")
    def describe(message: Message, context: Context) -> Message:
        mine = _mine(message, context, handwriting_of)
        return _reply(message, {wire.NUM_EXAMPLES: len(mine.training), wire.NUM_HELD_OUT: len(mine.held_out)})

    @app.query("measure")
    def measure(message: Message, context: Context) -> Message:
        mine = _mine(message, context, handwriting_of)
        arrays = _trainer(message).measure_statistics(_arrays(message), mine.training)
        return _reply(message, {wire.NUM_EXAMPLES: len(mine.training)}, arrays)

    @app.query("calibrate")
    def calibrate(message: Message, context: Context) -> Message:
        mine = _mine(message, context, handwriting_of)
        ranges = _trainer(message).calibrate(_arrays(message), mine.training)
        return _reply(message, {wire.NUM_EXAMPLES: len(mine.training)}, ranges)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        mine, config = _mine(message, context, handwriting_of), _config(message)
        started, sent = time.monotonic(), _arrays(message)
        arrays, loss = _trainer(message).train(
            sent,
            mine.training,
            LocalTraining.from_config(config),
            quantized=bool(config["quantized"]),
            seed=(_seed(config, context), int(config["round"])),
            teacher=_teacher(message),
        )
        seconds = time.monotonic() - started
        arrays = bounded(sent, arrays, float(config["clip-update"]))
        return _reply(
            message,
            {
                wire.NUM_EXAMPLES: len(mine.training),
                wire.LOSS: loss,
                wire.SECONDS: seconds,
                wire.START: wire.checksum(sent),
            },
            arrays,
        )

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        mine, config = _mine(message, context, handwriting_of), _config(message)
        score = _trainer(message).evaluate(_arrays(message), mine.held_out, quantized=bool(config["quantized"]))
        return _reply(
            message,
            {
                wire.NUM_EXAMPLES: score.samples,
                wire.NUM_CORRECT: score.correct,
                wire.NUM_CHARACTERS: score.characters,
                wire.NUM_EDITS: score.edits,
                wire.LOSS: score.nats / max(score.samples, 1),
            },
        )

    @app.evaluate("judge")
    def judge(message: Message, context: Context) -> Message:
        mine, config = _mine(message, context, handwriting_of), _config(message)
        written = mine.held_out.written()
        by_float = Transcripts(written, _trainer(message).read(_arrays(message), mine.held_out, quantized=False))
        model = Int8Model(config["model"])
        by_int8 = Transcripts(written, read(model, mine.held_out))
        # Of very few samples, a sum would tell how sure the model is of each.
        curve = temperature_curve(model, mine.held_out) if len(written) >= _LEAST_SUMMED else TemperatureCurve.empty()
        return _reply(
            message,
            {
                wire.NUM_EXAMPLES: len(written),
                wire.NUM_CORRECT: int(by_float.correct.sum()),
                wire.INT8_CORRECT: int(by_int8.correct.sum()),
                wire.ONLY_FLOAT_CORRECT: int((by_float.correct & ~by_int8.correct).sum()),
                wire.ONLY_INT8_CORRECT: int((by_int8.correct & ~by_float.correct).sum()),
                wire.NUM_CHARACTERS: int(by_float.characters.sum()),
                wire.NUM_EDITS: int(by_float.errors.sum()),
                wire.INT8_EDITS: int(by_int8.errors.sum()),
                wire.CURVE_EXAMPLES: curve.samples,
                wire.CURVE: curve.nats.tolist(),
            },
        )

    return app


def _mine(message: Message, context: Context, handwriting_of: HandwritingOf) -> Handwriting:
    """The device's handwriting, if it has what the run is of.

    Raises:
        DeviceError: The server speaks another version, or the run is of another alphabet, kind, height or inputs.
    """
    config = _config(message)
    if config.get(wire.WIRE_VERSION) != wire.VERSION:
        raise DeviceError(f"the server does not speak wire version {wire.VERSION}; update this device")
    subject = Subject.from_config(config)
    mine = handwriting_of(context, subject)
    if mine.alphabet != subject.alphabet:
        raise DeviceError("this device's alphabet is not the run's; it takes no part")
    if mine.training.are_texts != (subject.kind != "characters"):
        raise DeviceError("this device's pictures are not of the run's kind; it takes no part")
    if mine.training.channels != subject.channels:
        raise DeviceError("this device's pictures show other planes than the run's; it takes no part")
    if mine.training.images.shape[1] != subject.height:
        raise DeviceError("this device's pictures are not as high as the run's; it takes no part")
    return mine


def _trainer(message: Message) -> Trainer:
    """The warm trainer of the run's recogniser."""
    config = _config(message)
    subject = Subject.from_config(config)
    alpha = RunSettings(class_alpha=str(config["class-alpha"])).alpha(subject.alphabet.names)
    return trainer(
        str(config["recogniser"]),
        len(subject.alphabet),
        seed=int(config["seed"]),
        alpha=tuple(alpha) if alpha else None,
        height=subject.height,
        channels=subject.channels,
        pruning=float(config.get("pruning", 0.0)),
    )


def _teacher(message: Message) -> Teacher | None:
    """The model that teaches in this round, where the run has one.

    Raises:
        DeviceError: The run has one, and its arrays did not come along.
    """
    config = _config(message)
    if not config.get("teacher"):
        return None
    if wire.TEACHER not in message.content.array_records:
        raise DeviceError("the run has a teacher, and its arrays did not come along; update the server")
    return Teacher(str(config["teacher"]), float(config["teacher-pruning"]), _arrays(message, wire.TEACHER))


def bounded(
    sent: dict[str, NDArray[np.float32]], trained: dict[str, NDArray[np.float32]], most: float
) -> dict[str, NDArray[np.float32]]:
    """An update scaled down to an L2 norm, over all its arrays together.

    Args:
        sent: What the device started from.
        trained: What it came to; the same names.
        most: The norm; 0 for no bound.

    Returns:
        `trained`, or the point between `sent` and it that is `most` away from `sent`.

    Raises:
        DeviceError: A value is not finite.
    """
    length = math.sqrt(sum(float(np.square(trained[name] - sent[name], dtype=np.float64).sum()) for name in trained))
    if not math.isfinite(length):
        raise DeviceError("training came to weights that are not finite; a lower learning rate may help")
    if not most or length <= most:
        return trained
    factor = np.float32(most / length)
    return {name: sent[name] + factor * (trained[name] - sent[name]) for name in trained}


def _seed(config: dict[str, Any], context: Context) -> int:
    """A seed of the device's own, the same whenever the run is repeated."""
    return (int(config["seed"]) * 1_000_003 + context.node_id) % 2**31


def _config(message: Message) -> dict[str, Any]:
    record: ConfigRecord = message.content.config_records[wire.CONFIG]
    return dict(record)


def _arrays(message: Message, which: str = wire.ARRAYS) -> dict[str, NDArray[np.float32]]:
    record: ArrayRecord = message.content.array_records[which]
    return {name: array.numpy() for name, array in record.items()}


def _reply(
    message: Message,
    metrics: dict[str, int | float | list[float]],
    arrays: dict[str, NDArray[np.float32]] | None = None,
) -> Message:
    content = RecordDict({wire.METRICS: MetricRecord({wire.WIRE_VERSION: wire.VERSION, **metrics})})
    if arrays is not None:
        content[wire.ARRAYS] = ArrayRecord({name: Array(array) for name, array in arrays.items()})
    return Message(content, reply_to=message)
