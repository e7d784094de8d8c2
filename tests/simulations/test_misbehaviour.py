"""Devices fail and lie as often as a scenario says, and the same ones every time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared import wire
from handfed.shared.errors import SettingError
from handfed.simulations.engines.grid import identify
from handfed.simulations.faults import LIES, Faults, liars
from handfed.simulations.misbehaviour import SCALE, flipped, misbehaving

DEVICES = 10
START = np.array([1.0, 2.0], np.float32)


def adding_one(message: Message, context: Context) -> Message:
    """A device whose training adds 1 to every weight."""
    del context
    sent = message.content.array_records[wire.ARRAYS]["kernel"].numpy()
    trained = ArrayRecord({"kernel": Array(sent + np.float32(1))})
    return Message(RecordDict({wire.ARRAYS: trained}), reply_to=message)


def ask(faults: Faults, device: int, number: int, state: RecordDict, start: np.ndarray = START) -> Message:
    identify()
    content = RecordDict(
        {wire.ARRAYS: ArrayRecord({"kernel": Array(start)}), wire.CONFIG: ConfigRecord({"round": number})}
    )
    message = Message(content, dst_node_id=device + 1, message_type=wire.TRAIN)
    context = Context(1, device + 1, {"partition-id": device, "num-partitions": DEVICES}, state, {})
    return misbehaving(faults, seed=0)(message, context, adding_one)


def told(faults: Faults, number: int = 1) -> list[np.ndarray]:
    replies = [ask(faults, device, number, RecordDict()) for device in range(DEVICES)]
    return [reply.content.array_records[wire.ARRAYS]["kernel"].numpy() for reply in replies]


@given(st.integers(1, 60), st.integers(0, 5), st.lists(st.floats(0, 0.2), min_size=5, max_size=5))
def test_as_many_devices_lie_as_asked_each_in_one_way(devices: int, seed: int, fractions: list[float]) -> None:
    faults = Faults(**dict(zip(LIES, fractions, strict=True)))
    found = Counter(liars(faults, devices, seed).values())
    for lie, fraction in zip(LIES, fractions, strict=True):
        assert abs(found[lie] - fraction * devices) <= 0.5 + 1e-9 or sum(found.values()) == devices


@pytest.mark.parametrize(
    ("lie", "expected"),
    [("nan", [np.nan, np.nan]), ("scaled", START + SCALE), ("sign_flipped", START - 1)],
)
def test_a_device_that_lies_sends_what_its_lie_says(lie: str, expected: np.ndarray) -> None:
    faults = Faults(**{lie: 0.2})
    lying = set(liars(faults, DEVICES, 0))
    assert len(lying) == 2
    for device, weights in enumerate(told(faults)):
        np.testing.assert_allclose(weights, expected if device in lying else START + 1)


def test_a_stale_device_trains_from_the_arrays_of_its_last_round() -> None:
    faults = Faults(stale=0.1)
    (device,) = liars(faults, DEVICES, 0)
    state = RecordDict()
    ask(faults, device, 1, state)
    later = ask(faults, device, 2, state, start=START + 100)
    np.testing.assert_allclose(later.content.array_records[wire.ARRAYS]["kernel"].numpy(), START + 1)


def test_flipped_labels_are_one_class_further() -> None:
    np.testing.assert_array_equal(flipped(np.array([0, 8, 9], np.int32), 10), [1, 9, 0])


def test_dropouts_and_stragglers_are_drawn_anew_each_round_and_count_as_no_reply() -> None:
    faults = Faults(dropouts=0.3, stragglers=0.2)
    failed = [
        [ask(faults, device, number, RecordDict()).has_error() for device in range(DEVICES)] for number in range(100)
    ]
    assert 0.42 < np.mean(failed) < 0.58
    assert len({tuple(each) for each in failed}) > 50


def test_faults_befall_training_alone() -> None:
    identify()
    message = Message(RecordDict(), dst_node_id=1, message_type=wire.EVALUATE)
    context = Context(1, 1, {"partition-id": 0, "num-partitions": 1}, RecordDict(), {})
    everything = misbehaving(Faults(dropouts=1.0), seed=0)
    reply = everything(message, context, lambda message, _: Message(RecordDict(), reply_to=message))
    assert not reply.has_error()


@pytest.mark.parametrize("wrong", [{"nan": -0.1}, {"nan": 1.1}, {"nan": float("nan")}, {"nan": 0.6, "stale": 0.6}])
def test_impossible_fractions_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=r"fraction|at most 1"):
        Faults(**wrong)
