"""A device learns of handwriting without labels where the run says so, and tells nobody of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray

from handfed.clients.trainer.app import Handwriting, create_app
from handfed.clients.trainer.unlabelled import with_pseudo_labels
from handfed.shared import wire
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.local_training import LocalTraining
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import END, Samples
from handfed.shared.subject import Subject
from handfed.shared.tf.training import trainer

DIGITS = Alphabet(tuple("0123456789"))


def settings(**changes: Any) -> LocalTraining:
    run = RunSettings(local_steps=2, **changes)
    return LocalTraining.of(run, learning_rate=0.05, freeze_statistics=True)


def without_labels(samples: Samples) -> Samples:
    return replace(samples, labels=np.full(len(samples), END, np.int32))


def surely(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Reads every picture as a 3, surely but for the last one."""
    logits = np.zeros((len(pictures), 10), np.float32)
    logits[:, 3] = 8
    logits[-1] = 0
    return logits


@pytest.fixture(scope="module")
def mine(digits: Dataset) -> Handwriting:
    part = [digits.samples.take(np.arange(start, start + 40)) for start in (0, 40, 80)]
    return Handwriting(DIGITS, part[0], part[1], unlabelled=without_labels(part[2]))


def test_what_is_read_surely_is_trained_on_as_what_it_is_read_as(mine: Handwriting) -> None:
    of = settings(pseudo_labels=0.9, pseudo_weight=0.5)
    found = with_pseudo_labels(mine.training, mine.unlabelled, mine.held_out.take(np.arange(0)), of, surely)
    assert found.labels.tolist() == mine.training.labels.tolist() + [3] * 39
    assert found.weights is not None
    assert found.weights.tolist() == [1.0] * 40 + [0.5] * 39


def test_confidence_is_weighed_by_how_often_it_is_right_on_held_out_handwriting(mine: Handwriting) -> None:
    """Where the model is as sure of what it reads wrong, its sureness is worth nothing."""
    of = settings(pseudo_labels=0.9)
    found = with_pseudo_labels(mine.training, mine.unlabelled, mine.held_out, of, surely)
    assert (mine.held_out.labels == 3).mean() < 0.5
    assert len(found) < len(mine.training) + 39


@pytest.mark.parametrize("case", ["off", "none", "empty"])
def test_without_the_setting_or_such_handwriting_training_is_as_ever(mine: Handwriting, case: str) -> None:
    unlabelled = {"off": mine.unlabelled, "none": None, "empty": mine.training.take(np.arange(0))}[case]
    of = settings(pseudo_labels=0.0 if case == "off" else 0.9)
    assert with_pseudo_labels(mine.training, unlabelled, mine.held_out, of, surely) is mine.training


def trained(mine: Handwriting, of: LocalTraining, start_from: int = 1) -> Message:
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 1
    local = trainer("cnn", 10, seed=0)
    schema = local.schema(quantized=False)
    arrays = local.initial()
    arrays |= local.measure_statistics(arrays, mine.training)
    # As sure as a champion is, and always of the same class.
    arrays = {**arrays, "logits/bias": np.eye(10, dtype=np.float32)[3] * 50}
    config: dict[str, Any] = {
        wire.WIRE_VERSION: wire.VERSION,
        "recogniser": "cnn",
        **Subject(DIGITS).to_config(),
        "class-alpha": "",
        "seed": 0,
        "start-from": start_from,
        "round": 1,
        "quantized": False,
        "clip-update": 0.0,
        **of.to_config(),
    }
    carried = ArrayRecord({schema.title: Array(schema.pack(arrays))})
    content = RecordDict({wire.ARRAYS: carried, wire.CONFIG: ConfigRecord(config)})
    message = Message(content, dst_node_id=7, message_type=wire.TRAIN)
    return create_app(lambda *_: mine)(message, Context(1, 7, {}, RecordDict(), {}))


def weights_of(reply: Message) -> NDArray[np.float32]:
    (carried,) = reply.content.array_records[wire.ARRAYS].values()
    flat: NDArray[np.float32] = carried.numpy()
    return flat


def test_the_server_learns_neither_that_there_is_any_nor_how_much(mine: Handwriting) -> None:
    few = replace(mine, held_out=mine.held_out.take(np.arange(5)))  # no temperature is fitted
    replies = [trained(few, settings(pseudo_labels=value)) for value in (0.0, 0.5)]
    without, with_them = (dict(reply.content.metric_records[wire.METRICS]) for reply in replies)
    assert set(without) == set(with_them)
    assert without[wire.NUM_EXAMPLES] == with_them[wire.NUM_EXAMPLES] == 40
    assert without[wire.START] == with_them[wire.START]
    plain, taught = map(weights_of, replies)
    assert not np.array_equal(plain, taught)  # and yet it was trained on


def test_what_an_untrained_model_reads_is_no_label(mine: Handwriting) -> None:
    replies = [trained(mine, settings(pseudo_labels=value), start_from=0) for value in (0.0, 0.5)]
    plain, as_plain = map(weights_of, replies)
    np.testing.assert_array_equal(plain, as_plain)


def test_a_setting_travels_with_the_round() -> None:
    of = settings(pseudo_labels=0.9, pseudo_weight=0.25)
    assert LocalTraining.from_config(of.to_config()) == of
