"""Flower's strategies go on from what they remember."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import Strategy

from handfed.server.flower.state import RunState
from handfed.server.flower.strategies import memory_of, remember, strategy
from handfed.shared import wire
from handfed.shared.run_settings import INSPECTING, STRATEGIES, RunSettings
from handfed.simulations.engines.grid import LocalGrid, identify

DEVICES = 7


def one_round(flower: Strategy, number: int, start: np.ndarray) -> np.ndarray:
    identify()
    grid = LocalGrid(lambda _: (), DEVICES, lambda *_: None)
    record = ArrayRecord({"kernel": Array(start), "bias": Array(start[:1])})
    draw = np.random.default_rng(number)
    replies = []
    for message in flower.configure_train(number, record, ConfigRecord(), grid):
        moved = start + draw.normal(0.1, 0.05, start.shape).astype(np.float32)
        content = RecordDict(
            {
                wire.ARRAYS: ArrayRecord({"kernel": Array(moved), "bias": Array(moved[:1])}),
                wire.METRICS: MetricRecord({wire.NUM_EXAMPLES: 10, wire.LOSS: 0.5}),
            }
        )
        replies.append(Message(content, reply_to=message))
    combined, _ = flower.aggregate_train(number, replies)
    assert combined is not None
    return combined["kernel"].numpy().astype(np.float32)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_that_was_put_away_goes_on_as_if_it_had_not(name: str) -> None:
    settings = RunSettings(strategy=name, byzantine=0.15)
    whole, broken = strategy(settings, DEVICES), strategy(settings, DEVICES)
    at = start = np.linspace(-1, 1, 5, dtype=np.float32)
    for number in (1, 2, 3, 4):
        at = one_round(whole, number, at)
    resumed = start
    for number in (1, 2, 3, 4):
        resumed = one_round(broken, number, resumed)
        kept = RunState.from_bytes(RunState(number, {}, memory_of(broken)).to_bytes()).memory
        broken = strategy(settings, DEVICES)
        remember(broken, kept)
    np.testing.assert_array_equal(at, resumed)


@pytest.mark.parametrize("name", ["fedadam", "fedyogi", "fedadagrad"])
def test_beside_a_small_adaptivity_small_updates_go_as_far_as_great_ones(name: str) -> None:
    start = np.zeros(5, np.float32)
    lengths = [
        np.abs(one_round(strategy(RunSettings(strategy=name, server_adaptivity=adaptivity), DEVICES), 1, start)).max()
        for adaptivity in (1e-9, 10.0)  # the updates are about 0.1
    ]
    rate = RunSettings().server_learning_rate
    assert 0.5 * rate < lengths[0] < 1.5 * rate
    assert lengths[1] < lengths[0] / 20


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in INSPECTING])
def test_what_a_secure_run_may_use_follows_from_the_sum_of_updates(name: str) -> None:
    """Such a strategy cannot tell updates from others of the same sum."""
    settings = RunSettings(strategy=name)
    identify()
    results = []
    for values in ((0.0, 2.0, 4.0), (2.0, 2.0, 2.0)):
        flower = strategy(settings, 3)
        record = ArrayRecord({"kernel": Array(np.zeros(2, np.float32))})
        messages = flower.configure_train(1, record, ConfigRecord(), LocalGrid(lambda _: (), 3, lambda *_: None))
        replies = [
            Message(
                RecordDict(
                    {
                        wire.ARRAYS: ArrayRecord({"kernel": Array(np.full(2, value, np.float32))}),
                        wire.METRICS: MetricRecord({wire.NUM_EXAMPLES: 1, wire.LOSS: value}),
                    }
                ),
                reply_to=message,
            )
            for message, value in zip(messages, values, strict=True)
        ]
        combined, _ = flower.aggregate_train(1, replies)
        assert combined is not None
        results.append(combined["kernel"].numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)
