"""The one `ClientApp`: what trains in a simulation trains on a real device.

Rules:
1. A reply holds arrays, counts, a mean loss and seconds. No image, label, writer or file name has a place in it, and
   counts of writers and classes have floors (`handfed.shared.disclosure`).
2. An error that leaves the device says which rule it broke, never what the device holds.
3. A device whose alphabet is another than the run's takes no part.
4. What it sends is finite, and no further from what it was sent than the run allows: where the server sees only sums,
   nobody else can check that.
5. In a run that goes on from an earlier one and says how large a memory is (`replay-memory`), what was trained on
   before takes part by that memory alone (`handfed.shared.continual.memory`).
6. What has no label is trained on by what the model reads of it, where the run wants that
   (`handfed.clients.trainer.unlabelled`); it is in no count, no memory and no judgement.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import Mod
from numpy.typing import NDArray

from handfed.clients.trainer.discretion import DeviceError, discreet
from handfed.clients.trainer.unlabelled import with_pseudo_labels
from handfed.shared import wire
from handfed.shared.alphabet import Alphabet
from handfed.shared.calibration import TemperatureCurve
from handfed.shared.continual.memory import Seen, rehearsed
from handfed.shared.disclosure import confusions_of, detail_of
from handfed.shared.litert import Int8Model
from handfed.shared.local_training import LocalTraining, Teacher
from handfed.shared.reading import read, temperature_curve
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.shared.subject import Subject
from handfed.shared.tf.training import Trainer, trainer
from handfed.shared.transcripts import Transcripts
from handfed.shared.wire import Flat, RejectedError, Role, Schema

_LEAST_SUMMED: Final = 10  # samples


def _nobody(_start_from: int) -> None:
    """Keeps nothing of what was trained on."""


@dataclass(frozen=True)
class Handwriting:
    """What a device trains on and evaluates with. It never leaves the device.

    Attributes:
        alphabet: The classes that its labels count in.
        training: What it trains on.
        held_out: What it never trains on.
        writers: int (n,), who wrote each of `held_out`, by numbers that mean nothing elsewhere, or `UNKNOWN` of
            `handfed.shared.disclosure`; None where nobody is known.
        seen: What of `training` earlier runs have trained on; None where that is not kept.
        unlabelled: What has no label, whose labels mean nothing; None where there is nothing.
        trained: Is told, once `training` has been trained on, which run that run had started from.
    """

    alphabet: Alphabet
    training: Samples
    held_out: Samples
    writers: NDArray[np.int32] | None = None
    seen: Seen | None = None
    unlabelled: Samples | None = None
    trained: Callable[[int], None] = _nobody


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
        mine, local = _mine(message, context, handwriting_of), _trainer(message)
        schema = local.schema(quantized=False)
        moments = local.measure_statistics(_arrays(message, schema), mine.training)
        wanted = schema.only(Role.MEAN, Role.SECOND_MOMENT)
        return _reply(message, {wire.NUM_EXAMPLES: len(mine.training)}, _record(wanted.pack(moments), wanted))

    @app.query("calibrate")
    def calibrate(message: Message, context: Context) -> Message:
        mine, local = _mine(message, context, handwriting_of), _trainer(message)
        ranges = local.calibrate(_arrays(message, local.schema(quantized=False)), mine.training)
        wanted = local.schema(quantized=True).only(Role.RANGE)
        return _reply(message, {wire.NUM_EXAMPLES: len(mine.training)}, _record(wanted.pack(ranges), wanted))

    @app.train()
    def train(message: Message, context: Context) -> Message:
        mine, config = _mine(message, context, handwriting_of), _config(message)
        started, local, quantized = time.monotonic(), _trainer(message), bool(config["quantized"])
        schema, settings = local.schema(quantized=quantized), LocalTraining.from_config(config)
        if not _start_from(config):  # what an untrained model reads is no label
            settings = replace(settings, pseudo_labels=0.0)
        sent = _flat(message, schema)
        before = schema.unpack(sent)
        arrays, loss = local.train(
            before,
            with_pseudo_labels(
                mine.training,
                mine.unlabelled,
                mine.held_out,
                settings,
                lambda pictures: local.logits(before, pictures, quantized=quantized),
            ),
            settings,
            quantized=quantized,
            seed=(_seed(config, context), int(config["round"])),
            teacher=_teacher(message, local),
        )
        seconds = time.monotonic() - started
        trained = bounded(sent, schema.pack(arrays), float(config["clip-update"]))
        mine.trained(_start_from(config))
        return _reply(
            message,
            {
                wire.NUM_EXAMPLES: len(mine.training),
                wire.LOSS: loss,
                wire.SECONDS: seconds,
                wire.START: wire.checksum(sent),
            },
            _record(trained, schema),
        )

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        mine, local = _mine(message, context, handwriting_of), _trainer(message)
        quantized = bool(_config(message)["quantized"])
        arrays = _arrays(message, local.schema(quantized=quantized))
        score, errors = local.graded(arrays, mine.held_out, quantized=quantized)
        return _reply(
            message,
            {
                wire.NUM_EXAMPLES: score.samples,
                wire.NUM_CORRECT: score.correct,
                wire.NUM_CHARACTERS: score.characters,
                wire.NUM_EDITS: score.edits,
                wire.LOSS: score.nats / max(score.samples, 1),
                **detail_of(errors, mine.held_out, mine.writers).to_metrics(),
            },
        )

    @app.evaluate("judge")
    def judge(message: Message, context: Context) -> Message:
        mine, local = _mine(message, context, handwriting_of), _trainer(message)
        written = mine.held_out.written()
        arrays = _arrays(message, local.schema(quantized=False))
        by_float = Transcripts(written, local.read(arrays, mine.held_out, quantized=False))
        model = Int8Model(_config(message)[wire.MODEL])
        read_by_int8 = read(model, mine.held_out)
        by_int8 = Transcripts(written, read_by_int8)
        classes = () if mine.held_out.are_texts else tuple(label for (label,) in read_by_int8)
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
                **confusions_of(np.array(classes, np.int32), mine.held_out).to_metrics(),
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
        raise DeviceError(wire.other_version(int(config.get(wire.WIRE_VERSION, 0))))
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
    return _rehearsed(mine, config)


def _rehearsed(mine: Handwriting, config: Mapping[str, Any]) -> Handwriting:
    """What is trained on in this run: everything, or what is new with a memory of the rest."""
    places = int(config.get("replay-memory", 0))  # a server of an earlier version says nothing of it
    if not places or mine.seen is None:
        return mine
    rows = rehearsed(
        mine.training, mine.seen, start_from=_start_from(config), places=places, classes=len(mine.alphabet)
    )
    return replace(mine, training=mine.training.take(rows), seen=mine.seen.take(rows))


def _start_from(config: Mapping[str, Any]) -> int:
    """The run that this one goes on from; 0 for none."""
    return int(config.get("start-from", 0))


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


def _teacher(message: Message, local: Trainer) -> Teacher | None:
    """The model that teaches in this round, where the run has one.

    Raises:
        DeviceError: The run has one, and its arrays did not come along.
    """
    config = _config(message)
    if not config.get("teacher"):
        return None
    if wire.TEACHER not in message.content.array_records:
        raise DeviceError("the run has a teacher, and its arrays did not come along; update the server")
    recogniser, pruning = str(config["teacher"]), float(config["teacher-pruning"])
    classes = _teachers_classes(config, local)
    schema = local.teacher_schema(recogniser, pruning, None if classes is None else len(classes))
    return Teacher(recogniser, pruning, _arrays(message, schema, wire.TEACHER), classes)


def _teachers_classes(config: dict[str, Any], local: Trainer) -> tuple[int, ...] | None:
    """Where the classes that a teacher knows are in the run's alphabet; None where it knows all of it.

    Raises:
        DeviceError: One is not in it, or is there twice.
    """
    classes = config.get("teacher-classes")
    if classes is None:
        return None
    if len(set(classes)) < len(classes) or not all(0 <= place < local.classes for place in classes):
        raise DeviceError("the teacher's classes are not of the run's alphabet; update the server")
    return tuple(classes)


def bounded(sent: Flat, trained: Flat, most: float) -> Flat:
    """An update scaled down to an L2 norm, over all its arrays together.

    Args:
        sent: What the device started from, float32 (n,).
        trained: What it came to, likewise.
        most: The norm; 0 for no bound.

    Returns:
        `trained`, or the point between `sent` and it that is `most` away from `sent`.

    Raises:
        DeviceError: A value is not finite.
    """
    moved = trained - sent
    length = math.sqrt(np.square(moved, dtype=np.float64).sum())
    if not math.isfinite(length):
        raise DeviceError("training came to weights that are not finite; a lower learning rate may help")
    if not most or length <= most:
        return trained
    return sent + np.float32(most / length) * moved


def _seed(config: dict[str, Any], context: Context) -> int:
    """A seed of the device's own, the same whenever the run is repeated."""
    return (int(config["seed"]) * 1_000_003 + context.node_id) % 2**31


def _config(message: Message) -> dict[str, Any]:
    record: ConfigRecord = message.content.config_records[wire.CONFIG]
    return dict(record)


def _arrays(message: Message, schema: Schema, which: str = wire.ARRAYS) -> dict[str, NDArray[np.float32]]:
    """The arrays that a message brings, by name."""
    return schema.unpack(_flat(message, schema, which))


def _flat(message: Message, schema: Schema, which: str = wire.ARRAYS) -> Flat:
    """The arrays that a message brings, as one: float32 (schema.size,).

    Raises:
        DeviceError: The server's model has other arrays than this device's.
    """
    carried: ArrayRecord = message.content.array_records[which]
    if set(carried) != {schema.title}:
        raise DeviceError(
            f"the server's model has other arrays than this device's, {schema.title}; update the older of the two"
        )
    flat = carried[schema.title].numpy()
    try:
        schema.check(flat, values=False)
    except RejectedError as error:
        raise DeviceError(f"what the server sent is not what it says: {error.detail}") from None
    return flat


def _record(flat: Flat, schema: Schema) -> ArrayRecord:
    return ArrayRecord({schema.title: Array(flat)})


def _reply(
    message: Message, metrics: Mapping[str, int | float | list[int] | list[float]], carried: ArrayRecord | None = None
) -> Message:
    content = RecordDict({wire.METRICS: MetricRecord({wire.WIRE_VERSION: wire.VERSION, **metrics})})
    if carried is not None:
        content[wire.ARRAYS] = carried
    return Message(content, reply_to=message)
