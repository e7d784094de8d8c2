"""The real trainer, on handwriting in a device's private store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict

from handfed.clients.device.folder import store_in
from handfed.clients.device.store.importing import Incoming
from handfed.clients.device.store.locks import Cost, PassphraseLock
from handfed.clients.device.store.store import Store
from handfed.clients.device.trainer_process import TRAINER
from handfed.clients.trainer.device_app import StoredHandwriting
from handfed.clients.trainer.discretion import DeviceError
from handfed.shared import wire
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.local_training import LocalTraining
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.shared.subject import Subject
from handfed.shared.tasks import TASKS
from handfed.simulations.engines.grid import identify

if TYPE_CHECKING:
    from tests.clients.device.running.conftest import MakeDevice, SuperLink

DIGITS = Alphabet(tuple("0123456789"))
NOW = datetime(2027, 3, 1, tzinfo=UTC)


def handwriting(writers: int = 4, of_each: int = 30, seed: int = 0) -> Incoming:
    generator = np.random.default_rng(seed)
    count = writers * of_each
    samples = Samples(
        generator.integers(0, 256, (count, 28, 28), np.uint8), generator.integers(0, 10, count).astype(np.int32)
    )
    names = tuple(f"writer {number}" for number in range(writers))
    dataset = Dataset("made", DIGITS, samples, np.repeat(np.arange(writers, dtype=np.int32), of_each), "", "CC0", names)
    return Incoming(dataset, TASKS["digits"], "digits", held_out=False)


def filled(folder: Path) -> Store:
    store = Store.open(store_in(folder))
    store.take_in(handwriting(), by="me", now=NOW)
    return store


@pytest.mark.slow
def test_who_is_forgotten_is_not_trained_on_from_the_next_message(
    superlink: SuperLink, make_device: MakeDevice
) -> None:
    from handfed.shared.tf.training import trainer

    def train(round_number: int) -> Any:
        warm = trainer("cnn", 10, seed=0)
        schema = warm.schema(quantized=False)
        sent = {schema.title: Array(schema.pack(warm.initial()))}
        config: dict[str, Any] = {
            wire.WIRE_VERSION: wire.VERSION,
            "recogniser": "cnn",
            **Subject(DIGITS).to_config(),
            "class-alpha": "",
            "seed": 0,
            wire.RUN: 5,
            "round": round_number,
            "quantized": False,
            "clip-update": 0.0,
            **LocalTraining.of(RunSettings(local_epochs=1), learning_rate=0.05, freeze_statistics=True).to_config(),
        }
        content = RecordDict({wire.ARRAYS: ArrayRecord(sent), wire.CONFIG: ConfigRecord(config)})
        reply = superlink.answer(superlink.send(device.node_id, wire.TRAIN, content, ttl_s=300), timeout_s=300)
        assert not reply.has_error(), reply.error
        return reply.content

    device = make_device()
    store = filled(device.folder)
    device.begin(app=TRAINER)
    first = train(1)
    assert first.metric_records[wire.METRICS][wire.NUM_EXAMPLES] == 120
    schema = trainer("cnn", 10, seed=0).schema(quantized=False)
    schema.check(first.array_records[wire.ARRAYS][schema.title].numpy())
    store.forget("writer 2", now=NOW)
    second = train(2)
    assert second.metric_records[wire.METRICS][wire.NUM_EXAMPLES] == 90
    store.settle([5])
    assert store.trained_up_to() == 120
    store.close()
    assert "writer" not in device.text() + str(device.said())


@pytest.mark.slow
def test_what_a_run_trained_on_is_old_to_the_next_and_what_came_meanwhile_is_new(tmp_path: Path) -> None:
    """The real trainer app on a store, in this process: train, import more, and go on from that run with a memory."""
    from flwr.supercore.task_identity import TaskIdentity

    from handfed.clients.trainer.device_app import create
    from handfed.shared.tf.training import trainer

    app, schema = create(tmp_path, threads=1), trainer("lenet", 10, seed=0).schema(quantized=False)
    sent = {schema.title: Array(schema.pack(trainer("lenet", 10, seed=0).initial()))}
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 1

    def examples(kind: str, **run: int) -> int:
        local = LocalTraining.of(RunSettings(local_epochs=1), learning_rate=0.05, freeze_statistics=True)
        config: dict[str, Any] = {
            wire.WIRE_VERSION: wire.VERSION,
            "recogniser": "lenet",
            **Subject(DIGITS).to_config(),
            "class-alpha": "",
            "seed": 0,
            "round": 1,
            "quantized": False,
            "clip-update": 0.0,
            **local.to_config(),
            **{name.replace("_", "-"): value for name, value in run.items()},
        }
        content = RecordDict({wire.ARRAYS: ArrayRecord(sent), wire.CONFIG: ConfigRecord(config)})
        reply = app(Message(content, dst_node_id=7, message_type=kind), Context(1, 7, {}, RecordDict(), {}))
        return int(reply.content.metric_records[wire.METRICS][wire.NUM_EXAMPLES])  # type: ignore[arg-type]

    with filled(tmp_path) as store:
        assert examples(wire.TRAIN, start_from=0, replay_memory=0) == 120
        incremental = {"start_from": 1, "replay_memory": 2}
        assert examples(wire.DESCRIBE, **incremental) == 20  # two of each digit
        store.take_in(handwriting(writers=1, seed=1), by="me", now=NOW)
        assert examples(wire.DESCRIBE, **incremental) == 50
        assert examples(wire.TRAIN, **incremental) == 50
        assert examples(wire.TRAIN, **incremental) == 50  # the next round of the same run finds the same new
        assert examples(wire.DESCRIBE, start_from=2, replay_memory=2) == 20
        assert examples(wire.DESCRIBE, start_from=2, replay_memory=0) == 150
        store.forget("writer 2", now=NOW)
        assert examples(wire.DESCRIBE, start_from=2, replay_memory=2) == 20  # others have taken the places
        assert examples(wire.DESCRIBE, start_from=2, replay_memory=0) == 120


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[StoredHandwriting]:
    handwriting = StoredHandwriting(store_in(tmp_path))
    yield handwriting
    handwriting.close()


def test_handwriting_is_read_again_only_when_it_has_changed(tmp_path: Path, stored: StoredHandwriting) -> None:
    with filled(tmp_path) as store:
        first = stored.of(CONTEXT, Subject(DIGITS))
        assert stored.of(CONTEXT, Subject(DIGITS)) is first
        store.forget("writer 1", now=NOW)
        assert len(stored.of(CONTEXT, Subject(DIGITS)).training) == 90
        assert len(stored.of(CONTEXT, Subject(Alphabet(tuple("ab")))).training) == 0


def test_a_round_of_a_run_on_record_is_noted_up_to_the_last_sample_that_it_read(
    tmp_path: Path, stored: StoredHandwriting
) -> None:
    identify()

    def train(kind: str, **config: int) -> None:
        content = RecordDict({wire.CONFIG: ConfigRecord(dict(config))})
        stored.noting(Message(content, dst_node_id=1, message_type=kind), CONTEXT, answered)

    def answered(message: Message, context: Context) -> Message:
        stored.of(context, Subject(DIGITS))
        return message

    with filled(tmp_path) as store:
        train(wire.TRAIN, run=3)
        train(wire.EVALUATE, run=4)
        train(wire.TRAIN, run=0)  # of a simulation
        train(wire.TRAIN)  # of an older server
        store.settle([0, 4])
        assert store.trained_up_to() == 0
        store.settle([3])
        assert store.trained_up_to() == store.newest_sample() == 120


def test_a_run_of_words_does_not_get_characters(tmp_path: Path, stored: StoredHandwriting) -> None:
    filled(tmp_path).close()
    words = stored.of(CONTEXT, Subject(DIGITS, "words", 32))
    assert len(words.training) + len(words.held_out) == 0
    assert words.training.are_texts


def test_a_server_cannot_name_a_file_as_the_kind_of_a_run(tmp_path: Path, stored: StoredHandwriting) -> None:
    filled(tmp_path).close()
    with pytest.raises(DeviceError, match="a kind that this device does not know"):
        stored.of(CONTEXT, Subject(DIGITS, "/etc/task.toml", 32))


def test_a_device_without_handwriting_says_so(stored: StoredHandwriting) -> None:
    with pytest.raises(DeviceError, match="no handwriting yet"):
        stored.of(CONTEXT, Subject(DIGITS))


def test_handwriting_that_is_locked_stays_so(
    tmp_path: Path, stored: StoredHandwriting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANDFED_PASSPHRASE_FILE", raising=False)
    with filled(tmp_path) as store:
        store.encrypt(PassphraseLock("correct horse battery", Cost(n=16)))
    with pytest.raises(DeviceError, match="locked, and its passphrase is not at hand"):
        stored.of(CONTEXT, Subject(DIGITS))


CONTEXT = Context(1, 7, {}, RecordDict(), {})
