"""What a device sends: arrays and counts, and nothing of what it holds."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray

from handfed.clients.trainer.app import Handwriting, bounded, create_app
from handfed.clients.trainer.discretion import DeviceError
from handfed.shared import wire
from handfed.shared.alphabet import Alphabet
from handfed.shared.calibration import TEMPERATURES
from handfed.shared.continual.memory import NEVER, Seen
from handfed.shared.datasets import Dataset
from handfed.shared.disclosure import EDGES, checked
from handfed.shared.errors import DatasetError, HandfedError
from handfed.shared.litert import Int8Model
from handfed.shared.local_training import LocalTraining
from handfed.shared.reading import temperature_curve
from handfed.shared.run_settings import RunSettings
from handfed.shared.scores import Score
from handfed.shared.subject import Subject
from handfed.shared.tf.training import trainer
from handfed.shared.wire import Role, Schema

NAMES = [str(digit) for digit in range(10)]
COMMON: dict[str, Any] = {
    wire.WIRE_VERSION: wire.VERSION,
    "recogniser": "cnn",
    **Subject(Alphabet(tuple(NAMES))).to_config(),
    "class-alpha": "",
    "seed": 0,
}
TRAINING: dict[str, Any] = {
    "round": 1,
    "quantized": False,
    "clip-update": 0.0,
    **LocalTraining.of(RunSettings(local_epochs=1), learning_rate=0.05, freeze_statistics=True).to_config(),
}


@pytest.fixture(scope="module")
def mine(digits: Dataset) -> Handwriting:
    return Handwriting(
        Alphabet(tuple(NAMES)), digits.samples.take(np.arange(80)), digits.samples.take(np.arange(80, 100))
    )


@pytest.fixture
def app(mine: Handwriting) -> ClientApp:
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 1
    return create_app(lambda *_: mine)


def ask(
    app: ClientApp,
    message_type: str,
    arrays: dict[str, NDArray[np.float32]] | ArrayRecord,
    node: int = 7,
    **config: Any,
) -> Message:
    carried = arrays if isinstance(arrays, ArrayRecord) else record(arrays)
    content = RecordDict(
        {
            wire.ARRAYS: carried,
            wire.CONFIG: ConfigRecord({**COMMON, **{k.replace("_", "-"): v for k, v in config.items()}}),
        }
    )
    message = Message(content, dst_node_id=node, message_type=message_type)
    return app(message, Context(1, node, {}, RecordDict(), {}))


def record(arrays: dict[str, NDArray[np.float32]]) -> ArrayRecord:
    return ArrayRecord({schema().title: Array(schema().pack(arrays))}) if arrays else ArrayRecord()


def schema() -> Schema:
    return trainer("cnn", 10, seed=0).schema(quantized=False)


def arrays_of(reply: Message) -> dict[str, NDArray[np.float32]]:
    carried = reply.content.array_records[wire.ARRAYS]
    assert set(carried) == {schema().title}
    return schema().unpack(carried[schema().title].numpy())


def metrics_of(reply: Message) -> dict[str, Any]:
    return dict(reply.content.metric_records[wire.METRICS])


def start() -> dict[str, NDArray[np.float32]]:
    return trainer("cnn", 10, seed=0).initial()


def test_a_device_describes_itself_by_two_counts(app: ClientApp) -> None:
    metrics = ask(app, wire.DESCRIBE, {}).content.metric_records[wire.METRICS]
    assert dict(metrics) == {wire.WIRE_VERSION: wire.VERSION, wire.NUM_EXAMPLES: 80, wire.NUM_HELD_OUT: 20}


def test_an_update_is_of_the_schema_and_says_how_many_samples_it_saw(app: ClientApp) -> None:
    reply = ask(app, wire.TRAIN, start(), **TRAINING)
    arrays = arrays_of(reply)
    schema().check(schema().pack(arrays))
    assert reply.content.metric_records[wire.METRICS][wire.NUM_EXAMPLES] == 80
    assert not np.array_equal(arrays["conv1/kernel"], start()["conv1/kernel"])


def test_two_devices_with_the_same_handwriting_shuffle_differently(app: ClientApp) -> None:
    one, two, again = (ask(app, wire.TRAIN, start(), node=node, **TRAINING) for node in (1, 2, 1))
    kernels = [arrays_of(reply)["conv1/kernel"] for reply in (one, two, again)]
    assert not np.array_equal(kernels[0], kernels[1])
    np.testing.assert_array_equal(kernels[0], kernels[2])


def test_an_evaluation_returns_counts(app: ClientApp) -> None:
    metrics = ask(app, wire.EVALUATE, start(), quantized=False).content.metric_records[wire.METRICS]
    assert metrics[wire.NUM_EXAMPLES] == 20
    assert metrics[wire.NUM_CORRECT] in range(21)


def test_an_evaluation_tells_of_writers_and_classes_from_their_floors_on(mine: Handwriting, digits: Dataset) -> None:
    held_out = digits.samples.take(np.flatnonzero(np.isin(digits.samples.labels, [0, 1, 2]))[:60])
    few, many = (replace(mine, held_out=held_out, writers=np.arange(60, dtype=np.int32) % count) for count in (9, 10))
    answers = [
        ask(create_app(lambda *_, each=each: each), wire.EVALUATE, start(), quantized=False) for each in (few, many)
    ]
    below, above = (metrics_of(answer) for answer in answers)
    assert wire.WRITERS not in below
    assert len(above[wire.WRITERS]) == len(EDGES)
    assert sum(above[wire.WRITERS]) == 10
    assert above[wire.CLASSES] == [0, 1, 2]
    assert above[wire.CLASS_SAMPLES] == np.bincount(held_out.labels).tolist()
    assert sum(above[wire.CLASS_CORRECT]) == above[wire.NUM_CORRECT]
    total = Score(60, above[wire.NUM_CORRECT], above[wire.NUM_CHARACTERS], above[wire.NUM_EDITS])
    assert checked(above, total, 10).writers == tuple(above[wire.WRITERS])


KINDS = [wire.DESCRIBE, wire.MEASURE, wire.CALIBRATE, wire.TRAIN, wire.EVALUATE, wire.JUDGE]


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_holds_only_names_of_the_wire_and_numbers(
    kind: str, app: ClientApp, trained_model_bytes: bytes
) -> None:
    content = ask(app, kind, start(), **TRAINING, model=trained_model_bytes).content
    assert set(content) <= {wire.ARRAYS, wire.METRICS}
    assert not content.config_records
    counts = {wire.NUM_EXAMPLES, wire.NUM_HELD_OUT, wire.NUM_CORRECT, wire.NUM_CHARACTERS, wire.NUM_EDITS}
    judged = {wire.INT8_CORRECT, wire.ONLY_FLOAT_CORRECT, wire.ONLY_INT8_CORRECT, wire.INT8_EDITS, wire.CURVE_EXAMPLES}
    known = {wire.WIRE_VERSION, *counts, *judged, wire.LOSS, wire.SECONDS, wire.START}
    found = dict(content.metric_records[wire.METRICS])
    curve = found.pop(wire.CURVE, [])
    assert isinstance(curve, list)
    assert len(curve) in {0, len(TEMPERATURES)}
    assert set(found) <= known
    assert all(isinstance(value, int | float) for value in found.values())


def test_of_very_few_held_out_samples_a_device_sends_no_curve(mine: Handwriting, trained_model_bytes: bytes) -> None:
    few = replace(mine, held_out=mine.held_out.take(np.arange(9)))
    reply = ask(create_app(lambda *_: few), wire.JUDGE, start(), **TRAINING, model=trained_model_bytes)
    metrics = reply.content.metric_records[wire.METRICS]
    assert (metrics[wire.NUM_EXAMPLES], metrics[wire.CURVE_EXAMPLES]) == (9, 0)
    assert metrics[wire.CURVE] == [0.0] * len(TEMPERATURES)


def test_an_update_says_which_arrays_it_was_trained_from(app: ClientApp) -> None:
    said = [
        ask(app, wire.TRAIN, arrays, **TRAINING).content.metric_records[wire.METRICS][wire.START]
        for arrays in (start(), start(), {name: array * 2 for name, array in start().items()})
    ]
    assert said[0] == said[1] == wire.checksum(schema().pack(start()))
    assert said[2] != said[0]


def test_no_reply_carries_an_image_or_a_list_of_labels(
    app: ClientApp, mine: Handwriting, trained_model_bytes: bytes
) -> None:
    """Captured as it goes over the network, in every encoding an image or its labels have in this process."""
    secrets = [mine.training.images[row].tobytes() for row in range(10)]
    secrets += [(mine.training.images[row].astype(np.float32) / 255).tobytes() for row in range(10)]
    secrets += [mine.training.labels.astype(kind).tobytes() for kind in (np.uint8, np.int32, np.int64)]
    secrets += [
        np.bincount(mine.training.labels, minlength=10).astype(kind).tobytes()
        for kind in (np.int32, np.int64, np.float32)
    ]
    for kind in KINDS:
        sent = sent_bytes(ask(app, kind, start(), **TRAINING, model=trained_model_bytes))
        assert len(sent) > 50
        assert not any(secret in sent for secret in secrets)


def sent_bytes(message: Message) -> bytes:
    """A message as Flower puts it on the wire: itself, and the objects it is made of."""
    return b"".join(part.deflate() for part in get_all_nested_objects(message).values())


def test_the_capture_would_find_an_image(app: ClientApp, mine: Handwriting) -> None:
    """The test above can fail: an image put into a reply is found in what is sent."""
    reply = ask(app, wire.DESCRIBE, {})
    image = mine.training.images[0]
    reply.content["leak"] = ArrayRecord({"picture": Array(image)})
    assert image.tobytes() in sent_bytes(reply)


def test_what_goes_wrong_on_a_device_does_not_leave_it(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_context: Context, _subject: Subject) -> Handwriting:
        raise DatasetError("/home/ann/scans/anna.png, row 3: label 'Q' is not in the alphabet")

    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 1
    with pytest.raises(HandfedError) as caught:
        ask(create_app(broken), wire.DESCRIBE, {})
    assert str(caught.value) == "the device failed with DatasetError; its own log says where"
    assert "DatasetError in broken" in caplog.text
    assert not {"ann", "anna", "'Q'"} & set(re.findall(r"ann\w*|'Q'", caplog.text))


def test_another_alphabet_takes_no_part_and_names_no_label(app: ClientApp) -> None:
    with pytest.raises(HandfedError, match="alphabet is not the run's") as caught:
        ask(app, wire.DESCRIBE, {}, alphabet=json.dumps(["a", "b"]))
    assert "0" not in str(caught.value)


@pytest.mark.parametrize(("version", "older"), [(wire.VERSION + 1, "this device"), (wire.VERSION - 1, "the server")])
def test_another_wire_version_is_refused_and_it_is_told_who_is_to_be_updated(
    app: ClientApp, version: int, older: str
) -> None:
    with pytest.raises(HandfedError, match=f"wire version {version}, .* update {older}") as caught:
        ask(app, wire.TRAIN, start(), **TRAINING, wire_version=version)
    assert wire.version_said(str(caught.value)) == wire.VERSION


WITH_ARRAYS = [wire.MEASURE, wire.CALIBRATE, wire.TRAIN, wire.EVALUATE, wire.JUDGE]


@pytest.mark.parametrize("kind", WITH_ARRAYS)
def test_arrays_of_another_model_are_refused_by_name_and_not_misread(kind: str, app: ClientApp) -> None:
    flat = schema().pack(start())
    first, *others = schema().specs
    moved = Schema((*others, first))  # as many values, in another order
    for other in (moved, schema().only(Role.WEIGHT)):
        with pytest.raises(DeviceError, match=f"other arrays than this device's, {re.escape(schema().title)}"):
            ask(app, kind, ArrayRecord({other.title: Array(flat)}), **TRAINING, model=b"")
    with pytest.raises(DeviceError, match="other arrays"):
        ask(app, kind, ArrayRecord({name: Array(array) for name, array in start().items()}), **TRAINING, model=b"")
    with pytest.raises(DeviceError, match="is not what it says"):
        ask(app, kind, ArrayRecord({schema().title: Array(flat[:-1])}), **TRAINING, model=b"")


@pytest.mark.parametrize("kind", WITH_ARRAYS)
def test_a_reply_is_few_objects_however_many_arrays_the_model_has(
    kind: str, app: ClientApp, trained_model_bytes: bytes
) -> None:
    """Each is a request to Flower's server: the message, its content, two records, and the array and its bytes."""
    reply = ask(app, kind, start(), **TRAINING, model=trained_model_bytes)
    assert len(get_all_nested_objects(reply)) <= 6


def test_a_teacher_comes_as_one_array_of_its_own_schema(app: ClientApp) -> None:
    lesson = trainer("cnn", 10, seed=0).teacher_schema("lenet", 0.0)
    taught = {**TRAINING, "teacher": "lenet", "teacher-pruning": 0.0, "distillation-weight": 0.5}
    arrays = ArrayRecord({lesson.title: Array(lesson.pack(trainer("lenet", 10, seed=0).initial()))})

    def train(teacher: ArrayRecord) -> Message:
        config = ConfigRecord({**COMMON, **taught})
        content = RecordDict({wire.ARRAYS: record(start()), wire.TEACHER: teacher, wire.CONFIG: config})
        message = Message(content, dst_node_id=7, message_type=wire.TRAIN)
        return app(message, Context(1, 7, {}, RecordDict(), {}))

    assert not np.array_equal(
        arrays_of(train(arrays))["conv1/kernel"], arrays_of(ask(app, wire.TRAIN, start(), **TRAINING))["conv1/kernel"]
    )
    with pytest.raises(DeviceError, match="other arrays"):
        train(record(start()))


def test_a_teacher_of_fewer_classes_comes_with_their_places(app: ClientApp) -> None:
    small = trainer("cnn", 3, seed=0)
    lesson = small.schema(quantized=False)
    taught = {**TRAINING, "teacher": "cnn", "teacher-pruning": 0.0, "distillation-weight": 0.5}

    def train(classes: list[int]) -> Message:
        config = ConfigRecord({**COMMON, **taught, "teacher-classes": classes})
        arrays = ArrayRecord({lesson.title: Array(lesson.pack(small.initial()))})
        content = RecordDict({wire.ARRAYS: record(start()), wire.TEACHER: arrays, wire.CONFIG: config})
        return app(Message(content, dst_node_id=7, message_type=wire.TRAIN), Context(1, 7, {}, RecordDict(), {}))

    assert np.isfinite(arrays_of(train([0, 4, 9]))["logits/bias"]).all()
    for wrong in ([0, 4, 10], [0, 4, 4], [-1, 0, 1]):
        with pytest.raises(DeviceError, match="not of the run's alphabet"):
            train(wrong)


def test_a_run_that_goes_on_trains_on_what_is_new_and_on_a_memory_of_the_rest(mine: Handwriting) -> None:
    told: list[int] = []
    count = len(mine.training)
    seen = Seen(np.array([0] * 60 + [NEVER] * (count - 60)), np.arange(count))
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 1
    app = create_app(lambda *_: replace(mine, seen=seen, trained=told.append))

    def examples(kind: str, **config: Any) -> int:
        reply = ask(app, kind, start() if kind == wire.TRAIN else {}, **{**TRAINING, **config})
        return int(reply.content.metric_records[wire.METRICS][wire.NUM_EXAMPLES])  # type: ignore[arg-type]

    held = np.bincount(mine.training.labels[:60], minlength=10)
    expected = count - 60 + int(np.minimum(held, 2).sum())
    incremental = {"start-from": 4, "replay-memory": 2}
    assert examples(wire.DESCRIBE, **incremental) == examples(wire.TRAIN, **incremental) == expected
    assert told == [4]  # once it was trained on
    for everything in ({}, {"start-from": 4, "replay-memory": 0}, {"start-from": 0, "replay-memory": 2}):
        assert examples(wire.DESCRIBE, **everything) == count


def test_a_device_clips_its_update_where_the_run_says_so(app: ClientApp) -> None:
    def trained(most: float) -> dict[str, NDArray[np.float32]]:
        reply = ask(app, wire.TRAIN, start(), **{**TRAINING, "clip-update": most})
        return arrays_of(reply)

    def length(arrays: dict[str, NDArray[np.float32]]) -> float:
        return math.sqrt(sum(float(np.square(arrays[name] - array).sum()) for name, array in start().items()))

    free = trained(0.0)
    assert length(trained(length(free) / 2)) == pytest.approx(length(free) / 2, rel=1e-4)
    np.testing.assert_array_equal(trained(length(free) * 2)["conv1/kernel"], free["conv1/kernel"])


def test_weights_that_are_not_finite_never_leave_the_device() -> None:
    with pytest.raises(DeviceError, match="not finite"):
        bounded(np.zeros(2, np.float32), np.array([1, np.nan], np.float32), 0.0)


def test_other_planes_than_the_run_s_take_no_part(app: ClientApp) -> None:
    with pytest.raises(HandfedError, match="show other planes than the run's"):
        ask(app, wire.DESCRIBE, {}, inputs="topology")


def test_another_kind_or_height_takes_no_part(app: ClientApp) -> None:
    with pytest.raises(HandfedError, match="not of the run's kind"):
        ask(app, wire.DESCRIBE, {}, kind="words")
    with pytest.raises(HandfedError, match="not as high as the run's"):
        ask(app, wire.DESCRIBE, {}, height=32)


def test_a_device_is_told_what_the_run_is_of(mine: Handwriting) -> None:
    told: list[Subject] = []

    def handwriting_of(_context: Context, subject: Subject) -> Handwriting:
        told.append(subject)
        return mine

    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 1
    ask(create_app(handwriting_of), wire.DESCRIBE, {})
    assert told == [Subject(mine.alphabet)]


def test_a_device_judges_a_file_and_says_what_each_temperature_costs(
    app: ClientApp, mine: Handwriting, trained_model_bytes: bytes
) -> None:
    content = ask(app, wire.JUDGE, start(), model=trained_model_bytes).content
    assert set(content) == {wire.METRICS}
    metrics = content.metric_records[wire.METRICS]
    model = Int8Model(trained_model_bytes)
    curve = temperature_curve(model, mine.held_out)
    assert metrics[wire.NUM_EXAMPLES] == metrics[wire.CURVE_EXAMPLES] == 20
    assert metrics[wire.CURVE] == pytest.approx(curve.nats.tolist())
    right = model.logits(mine.held_out.images).argmax(axis=1) == mine.held_out.labels
    assert metrics[wire.INT8_CORRECT] == int(right.sum())
