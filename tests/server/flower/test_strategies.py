"""Flower's strategies go on from what they remember."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import Strategy

from handfed.server.flower.state import Memory, RunState
from handfed.server.flower.strategies import WEIGHTS, memory_of, remember, strategy
from handfed.shared import wire
from handfed.shared.run_settings import INSPECTING, STRATEGIES, RunSettings
from handfed.simulations.engines.grid import LocalGrid, identify

DEVICES = 7


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    """Flower's bulyan and qfedavg collect garbage once an update; what others have imported is left out of that."""
    gc.freeze()
    yield
    gc.unfreeze()


SIZES = (5, 1, 30)  # of layers


def layered(weights: np.ndarray) -> dict[str, np.ndarray]:
    """Weights as an array a layer."""
    parts = np.split(weights, np.cumsum(SIZES)[:-1])
    return {f"layer{place}": part for place, part in enumerate(parts)}


def one_round(flower: Strategy, number: int, start: np.ndarray, *, by_layer: bool = False) -> np.ndarray:
    """The weights that a strategy comes to; float32 (n,), as those it began with."""

    def carried(weights: np.ndarray) -> ArrayRecord:
        arrays = layered(weights) if by_layer else {WEIGHTS: weights}
        return ArrayRecord({name: Array(array) for name, array in arrays.items()})

    identify()
    grid = LocalGrid(lambda _: (), DEVICES, lambda *_: None)
    draw = np.random.default_rng(number)
    replies = []
    for message in flower.configure_train(number, carried(start), ConfigRecord(), grid):
        moved = start + draw.normal(0.1, 0.05, start.shape).astype(np.float32)
        said = MetricRecord({wire.NUM_EXAMPLES: draw.integers(1, 20).item(), wire.LOSS: draw.uniform(0.1, 2)})
        replies.append(Message(RecordDict({wire.ARRAYS: carried(moved), wire.METRICS: said}), reply_to=message))
    combined, _ = flower.aggregate_train(number, replies)
    assert combined is not None
    return np.concatenate([array.numpy().astype(np.float32) for array in combined.values()])


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_that_was_put_away_goes_on_as_if_it_had_not(name: str) -> None:
    settings = RunSettings(strategy=name, byzantine=0.15)
    whole, broken = strategy(settings, DEVICES), strategy(settings, DEVICES)
    at = resumed = np.linspace(-1, 1, 5, dtype=np.float32)
    for number in (1, 2, 3, 4):
        at = one_round(whole, number, at)
        resumed = one_round(broken, number, resumed)
        kept = RunState.from_bytes(RunState(number, {}, memory_of(broken)).to_bytes()).memory
        broken = strategy(settings, DEVICES)
        remember(broken, kept)
    np.testing.assert_array_equal(at, resumed)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_comes_to_the_same_of_one_array_as_of_an_array_a_layer(name: str) -> None:
    """And goes on from what it remembered of an array a layer, as checkpoints of wire version 4 hold it."""
    settings = RunSettings(strategy=name, byzantine=0.15)
    one, many, switched = (strategy(settings, DEVICES) for _ in range(3))
    start = np.linspace(-1, 1, sum(SIZES), dtype=np.float32)
    at, by_layer = one_round(one, 1, start), one_round(many, 1, start, by_layer=True)
    np.testing.assert_allclose(at, by_layer, rtol=1e-5)
    remembered: Memory = {}
    for attribute in ("momentum_vector", "m_t", "v_t"):
        value = getattr(many, attribute, None)
        if value is not None:
            named = value.items() if isinstance(value, dict) else ((f"{i:06d}", each) for i, each in enumerate(value))
            remembered[attribute] = dict(named)
    remember(switched, remembered)
    later = one_round(one, 2, at)
    np.testing.assert_allclose(later, one_round(many, 2, by_layer, by_layer=True), rtol=1e-5)
    np.testing.assert_allclose(later, one_round(switched, 2, at), rtol=1e-5)


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
